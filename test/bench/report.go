// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/document"
)

// Document is what is written about measurements.
type Document struct {
	// Machine describes the machine.
	Machine string
	// Versions are the names and versions of the programs.
	Versions []string
	// Command is the command that repeats the measurements, Target is the target of make that it is, between whose markers they are written.
	Command, Target string
	// Date is when they were made, Took is how long that took.
	Date time.Time
	Took time.Duration
	// Options are those of the measurements.
	Options Options
	// Results are the measurements.
	Results []*Result
}

// WriteFile replaces what is between the markers in a file of Markdown.
func (d *Document) WriteFile(path string) error {
	var text strings.Builder
	d.Write(&text)
	return document.Replace(path, "`make "+d.Target+"`", text.String())
}

// Write writes the report as Markdown.
func (d *Document) Write(w io.Writer) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	p("| | |\n|---|---|")
	p("| machine | %s |", d.Machine)
	p("| versions | %s |", strings.Join(d.Versions, ", "))
	p("| command | `%s` |", d.Command)
	p("| date | %s, took %s |", d.Date.UTC().Format(time.DateOnly), d.Took.Round(time.Minute))
	p("| data | %s |", dataShape())
	p("| scrapes | every %s: %d to warm up, %d measured, %d more for the latency |", duration(d.Options.Interval), d.Options.WarmUp, d.Options.Scrapes, d.Options.LatencyScrapes)
	for _, result := range d.Results {
		p("")
		result.write(p)
		result.writeSoak(p, d.Options.Soak)
		result.writeOutage(p)
	}
}

// dataShape describes the corpus.
func dataShape() string {
	families, err := corpus.Families(corpus.Options{})
	if err != nil {
		return err.Error()
	}
	selected := 0
	for _, family := range families {
		if family.Selected {
			selected++
		}
	}
	return fmt.Sprintf("corpus of the local landscape (`test/landscape/corpus`): %d families of all shapes that federation carries, filled up with 280 series for each shoot, in families in about the shares of a real seed; constant values of the kinds that recording rules give; three external labels", selected)
}

func (r *Result) write(p func(string, ...any)) {
	p("### %s series", thousands(r.Series))
	p("")
	p("Up to %.1f cores were busy, up to %.1f of them with something else than the measured processes: the ingresses, the exporter, and whatever else ran. "+
		"The aggregate Prometheus takes %.1f µs per sample to ingest what it federates; that is not in the table.", r.Busy, r.Others, r.IngestionCPU)
	p("")
	p("WAN bytes per scrape, and what is stored:")
	p("")
	p("| way | complete scrapes | seed → garden | garden → seed | requests | per sample | share of the double pull | series stored | wrong or missing | not in pull | `target_info` |")
	p("|---|---|---|---|---|---|---|---|---|---|---|")
	for _, m := range r.Measurements {
		p("| %s | %d of %d | %s | %s | %.0f | %.1f B | %s | %s | %s | %s | %s |", m.Title, m.Complete, m.Scrapes, kilobytes(m.SeedToGarden), kilobytes(m.GardenToSeed), m.Requests,
			m.Bytes()/float64(m.Samples), percent(m.Bytes(), m.Pull.Bytes), thousands(m.Stored), differences(m.Wrong), differences(m.Surplus), thousands(m.TargetInfo))
	}
	for _, title := range r.Failed {
		p("| %s | not all samples arrive | | | | | | | | | |", title)
	}
	p("")
	p("Processor time in µs per sample of a scrape:")
	p("")
	p("| way | aggregate: /federate | sender | **seed as a whole** | compared with pull | fan-out | each garden Prometheus | compared with pull |")
	p("|---|---|---|---|---|---|---|---|")
	for _, m := range r.Measurements {
		p("| %s | %.1f | %s | **%.1f** | %s | %s | %.1f | %s |", m.Title, m.FederationCPU, microseconds(m, RoleSender), m.SeedCPU(), ratio(m.SeedCPU(), m.Pull.SeedCPU),
			microseconds(m, RoleFanOut), m.CPU[RoleReceiver], ratio(m.CPU[RoleReceiver], m.Pull.ReceiverCPU))
	}
	p("")
	p("Peak memory (RSS), and the time from a scrape until its samples can be queried in the garden Prometheis:")
	p("")
	p("| way | aggregate | sender | fan-out | garden Prometheus | latency p50 | latency p99 |")
	p("|---|---|---|---|---|---|---|")
	for _, m := range r.Measurements {
		p("| %s | %s | %s | %s | %s | %s | %s |", m.Title, mebibytes(m, RoleAggregate), mebibytes(m, RoleSender), mebibytes(m, RoleFanOut), mebibytes(m, RoleReceiver), seconds(m, 50), seconds(m, 99))
	}
}

// writeOutage writes what became of the outage of the WAN, if there was one.
func (r *Result) writeOutage(p func(string, ...any)) {
	if len(r.Measurements) == 0 || r.Measurements[0].Outage == nil {
		return
	}
	p("")
	p("An outage of the WAN, of %d scrapes. The memory is all that was resident, files that are mapped among it:", r.Measurements[0].Outage.Due)
	p("")
	p("| way | scrapes lost | current again after | sender, peak memory | fan-out | garden Prometheus |")
	p("|---|---|---|---|---|---|")
	for _, m := range r.Measurements {
		after := *m
		after.PeakRSS = m.Outage.PeakRSS
		p("| %s | %d of %d | %.0f s | %s | %s | %s |", m.Title, m.Outage.Lost, m.Outage.Due, m.Outage.CaughtUp.Seconds(), mebibytes(&after, RoleSender), mebibytes(&after, RoleFanOut), mebibytes(&after, RoleReceiver))
	}
}

func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func kilobytes(bytes float64) string {
	if bytes < 10_000 {
		return fmt.Sprintf("%.1f kB", bytes/1000)
	}
	return thousands(int(bytes/1000+0.5)) + " kB"
}

func percent(value, of float64) string {
	if of == 0 {
		return none
	}
	return fmt.Sprintf("%.0f %%", 100*value/of)
}

func ratio(value, of float64) string {
	if of == 0 {
		return none
	}
	return fmt.Sprintf("× %.2f", value/of)
}

// none stands where there is nothing to say.
const none = "–"

func differences(n int) string {
	if n < 0 {
		return none
	}
	return thousands(n)
}

func microseconds(m *Measurement, role Role) string {
	if _, ok := m.CPU[role]; !ok {
		return none
	}
	return fmt.Sprintf("%.1f", m.CPU[role])
}

func mebibytes(m *Measurement, role Role) string {
	if _, ok := m.PeakRSS[role]; !ok {
		return none
	}
	return fmt.Sprintf("%s MiB", thousands(int(m.PeakRSS[role]>>20)))
}

func seconds(m *Measurement, percent int) string {
	if len(m.Latencies) == 0 {
		return none
	}
	return fmt.Sprintf("%.1f s", m.Latency(percent).Seconds())
}
