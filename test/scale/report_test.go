// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	benchusage "github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/document"
)

// What has been measured: lines of the report's tables, and how the fan-out did while seeds were added.
var (
	rows, costs []string
	courses     []course
)

// After a whole run that has succeeded the report becomes a part of the document.
var _ = ReportAfterSuite("report", func(result Report) {
	text := report()
	if text == "" {
		return
	}
	Expect(os.WriteFile(filepath.Join(ls.Dir, "scale.md"), []byte(text), 0o600)).To(Succeed())
	fmt.Println(text)
	if !result.SuiteSucceeded || len(rows) == 0 || len(costs) == 0 || len(courses) == 0 {
		return
	}

	Expect(document.Replace("../../docs/benchmarks.md", "`make bench-scale`", text)).To(Succeed())
})

func report() string {
	var parts []string
	if machine, err := benchusage.Proc.Machine(); err == nil {
		parts = append(parts, fmt.Sprintf("Measured on %s with `make bench-scale`: %s.", time.Now().UTC().Format(time.DateOnly), machine))
	}
	if len(rows) > 0 {
		parts = append(parts, table("Seeds | until all have credentials | requests to the virtual garden, per Seed | processor time | peak memory | reconciliation of a Seed p95 | "+
			"of the Extension of class garden p95 | of class seed p95 | renewals of all, first to last | most renewals in a second", rows))
	}
	if len(costs) > 0 {
		parts = append(parts, fmt.Sprintf("The same samples from more seeds, %d per second in all:", costSamples), table("simulated seeds | series of each | sent every | "+pointHeader, costs))
	}
	if len(courses) > 0 {
		var lines []string
		for _, c := range courses {
			lines = append(lines, c.row())
		}
		parts = append(parts, "The most seeds whose samples were in time:", table("collectors of the fan-out | simulated seeds | "+pointHeader+" | one step more", lines))
	}
	parts = append(parts, charts()...)
	if len(rows)+len(costs)+len(courses) == 0 {
		return ""
	}
	return strings.Join(parts, "\n\n") + "\n"
}

func table(header string, lines []string) string {
	return "| " + header + " |\n" + strings.Repeat("|---", strings.Count(header, " | ")+1) + "|\n" + strings.Join(lines, "\n")
}

// charts are drawings of how the fan-out did while seeds were added, in Mermaid. Those of the same unit have the same scale.
func charts() []string {
	var all []string
	for _, one := range []struct {
		unit  string
		value func(point) float64
	}{
		{"processor time of the fan-out, cores", func(p point) float64 { return p.cores }},
		{"memory of a collector, MiB", func(p point) float64 { return p.memory }},
		{"age of the newest sample, s", func(p point) float64 { return p.lag }},
	} {
		highest := 0.0
		for _, c := range courses {
			for _, p := range c.points {
				highest = max(highest, one.value(p))
			}
		}
		for _, c := range courses {
			// A line needs two points.
			if len(c.points) < 2 {
				continue
			}
			var seeds, values []string
			for _, p := range c.points {
				seeds, values = append(seeds, fmt.Sprint(p.seeds)), append(values, fmt.Sprintf("%.2f", one.value(p)))
			}
			all = append(all, fmt.Sprintf("```mermaid\nxychart-beta\n  x-axis \"simulated seeds of %d samples per second, collectors of the fan-out: %d\" [%s]\n  y-axis \"%s\" 0 --> %.2f\n  line [%s]\n```",
				seriesPerSeed/int(sendInterval.Seconds()), c.replicas, strings.Join(seeds, ", "), one.unit, highest, strings.Join(values, ", ")))
		}
	}
	return all
}
