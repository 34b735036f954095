// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Kind is a kind of difference.
type Kind string

const (
	// OnlyInPull is for a series that push does not have at all.
	OnlyInPull Kind = "only in pull"
	// OnlyInPush is for a series, or all series of a name, that pull does not have at all.
	OnlyInPush Kind = "only in push"
	// LabelsDiffer is for a series that has other labels in push.
	LabelsDiffer Kind = "labels differ"
	// ValueDiffers is for a series that is constant in pull and has another value in push.
	ValueDiffers Kind = "value differs"
	// Hole is for a series that push does not have all the time that pull has it.
	Hole Kind = "staleness: missing in push"
	// Lingering is for a series that push has while pull does not have it.
	Lingering Kind = "staleness: lingers in push"
)

// Kinds are all kinds of differences.
func Kinds() []Kind {
	return []Kind{OnlyInPull, OnlyInPush, LabelsDiffer, ValueDiffers, Hole, Lingering}
}

// Difference is a difference between pull and push that the phase of scraping does not explain.
type Difference struct {
	// Series is the full label set of the series.
	Series string
	// Detail says what differs.
	Detail string
}

// Family are the series of a metric name.
type Family struct {
	// Name is the metric name.
	Name string
	// Pull and Push are the numbers of series in both Prometheis.
	Pull, Push int
	// Differences are the differences by kind, sorted.
	Differences map[Kind][]Difference
}

// Count is the number of differences.
func (f *Family) Count() int {
	count := 0
	for _, differences := range f.Differences {
		count += len(differences)
	}
	return count
}

// Report is the result of a comparison.
type Report struct {
	// Pull and Push are the names of the Prometheis.
	Pull, Push string
	// PushPrefix is the prefix that has been removed from the names of push.
	PushPrefix string
	// Seeds are the seeds that push.
	Seeds []string
	// Start, Interval and Steps are the evaluation times.
	Start    time.Time
	Interval time.Duration
	Steps    int
	// SeriesInPull and SeriesInPush are the numbers of series that were compared.
	SeriesInPull, SeriesInPush int
	// Constant is the number of series whose value was compared, because it is constant in pull.
	Constant int
	// Brief is the number of series that only one Prometheus has, but too briefly to say that the other one ought to have them.
	Brief int
	// Families are all families, sorted by name.
	Families []*Family
	// Intended are the numbers of series that differ by intention, by the name of the intention.
	Intended map[string]int
	// NotFederated are the numbers of series of pull that were left out because federation has not brought them, by the name of the
	// metric. Only a comparison with names that have a prefix leaves them out.
	NotFederated map[string]int

	byName map[string]*Family
}

// WriteOptions are the options of writing a report.
type WriteOptions struct {
	// Examples is how many examples are written per family.
	Examples int
	// All says to list the families without differences, too.
	All bool
}

func newReport(pull, push string, o Options, g grid) *Report {
	return &Report{Pull: pull, Push: push, PushPrefix: o.PushPrefix, Seeds: o.Seeds, Start: g.start, Interval: g.interval, Steps: g.steps, byName: map[string]*Family{}}
}

// Differences is the number of differences.
func (r *Report) Differences() int {
	count := 0
	for _, family := range r.Families {
		count += family.Count()
	}
	return count
}

// Family returns a family by its name, or nil if neither Prometheus has it.
func (r *Report) Family(name string) *Family { return r.byName[name] }

// Names are the names of the families with differences.
func (r *Report) Names() []string {
	var names []string
	for _, family := range r.Families {
		if family.Count() > 0 {
			names = append(names, family.Name)
		}
	}
	return names
}

func (r *Report) family(s *series) *Family {
	name := s.label(labelName)
	family, ok := r.byName[name]
	if !ok {
		family = &Family{Name: name, Differences: map[Kind][]Difference{}}
		r.byName[name] = family
	}
	return family
}

func (r *Report) add(s *series, kind Kind, detail string) {
	family := r.family(s)
	family.Differences[kind] = append(family.Differences[kind], Difference{Series: s.String(), Detail: detail})
}

// finish sorts everything, so that equal comparisons give equal reports.
func (r *Report) finish() {
	r.Families = slices.SortedFunc(maps.Values(r.byName), func(a, b *Family) int { return cmp.Compare(a.Name, b.Name) })
	for _, family := range r.Families {
		for _, differences := range family.Differences {
			slices.SortFunc(differences, func(a, b Difference) int {
				return cmp.Or(cmp.Compare(a.Series, b.Series), cmp.Compare(a.Detail, b.Detail))
			})
		}
	}
}

// Write writes the report as text.
func (r *Report) Write(out io.Writer, o WriteOptions) error {
	text := &bytes.Buffer{}
	push := "push"
	if r.PushPrefix != "" {
		push += ", without " + r.PushPrefix
	}
	fmt.Fprintf(text, "%s (pull) and %s (%s) at %d times, each %s, from %s; seeds: %s\n\n",
		r.Pull, r.Push, push, r.Steps, r.Interval, formatTime(r.Start), strings.Join(r.Seeds, ", "))

	var families []*Family
	for _, family := range r.Families {
		if o.All || family.Count() > 0 {
			families = append(families, family)
		}
	}
	if len(families) > 0 {
		if err := writeTable(text, families); err != nil {
			return err
		}
		text.WriteString("\n")
	}
	for _, family := range families {
		family.writeExamples(text, o.Examples)
	}
	r.writeTotals(text)

	_, err := out.Write(text.Bytes())
	return err
}

func writeTable(out io.Writer, families []*Family) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	header := []string{"FAMILY", "IN PULL", "IN PUSH"}
	for _, kind := range Kinds() {
		header = append(header, strings.ToUpper(strings.TrimPrefix(string(kind), "staleness: ")))
	}
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, family := range families {
		row := []string{family.Name, strconv.Itoa(family.Pull), strconv.Itoa(family.Push)}
		for _, kind := range Kinds() {
			row = append(row, strconv.Itoa(len(family.Differences[kind])))
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// writeExamples writes examples of all kinds in turn, so that a frequent kind does not hide the others.
func (f *Family) writeExamples(text *bytes.Buffer, limit int) {
	written := 0
	for i := 0; i < f.Count() && written < limit; i++ {
		for _, kind := range Kinds() {
			if i >= len(f.Differences[kind]) || written == limit {
				continue
			}
			difference := f.Differences[kind][i]
			fmt.Fprintf(text, "%s\n    %s: %s\n", difference.Series, kind, difference.Detail)
			written++
		}
	}
	if more := f.Count() - written; written > 0 && more > 0 {
		fmt.Fprintf(text, "    ... and %d more of %s\n", more, f.Name)
	}
	if written > 0 {
		text.WriteString("\n")
	}
}

func (r *Report) writeTotals(text *bytes.Buffer) {
	fmt.Fprintf(text, "series compared: %d in pull, %d in push\n", r.SeriesInPull, r.SeriesInPush)
	fmt.Fprintf(text, "constant values compared: %d\n", r.Constant)
	fmt.Fprintf(text, "series on one side only, but too briefly to judge: %d\n", r.Brief)
	for _, name := range slices.Sorted(maps.Keys(r.Intended)) {
		fmt.Fprintf(text, "intended, %s: %d\n", name, r.Intended[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.NotFederated)) {
		fmt.Fprintf(text, "left out of pull as not federated, %s: %d\n", name, r.NotFederated[name])
	}
	fmt.Fprintf(text, "differences: %d\n", r.Differences())
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
