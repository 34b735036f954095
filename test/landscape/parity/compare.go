// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// comparison judges what two Prometheis have.
type comparison struct {
	grid   grid
	report *Report
}

func (c *comparison) compare(pull, push *content) {
	r := c.report
	r.SeriesInPull, r.SeriesInPush = len(pull.series.byKey), len(push.series.byKey)
	for _, s := range pull.series.byKey {
		r.family(s).Pull++
	}
	for _, s := range push.series.byKey {
		r.family(s).Push++
	}

	r.NotFederated = map[string]int{}
	for _, name := range pull.leftOut {
		r.NotFederated[name]++
	}

	m := matchSeries(pull.series, push.series, r.Seeds)
	r.Intended = m.intended
	for _, p := range m.pairs {
		c.compareStaleness(p)
		c.compareValues(p)
	}

	pairs, onlyPull, onlyPush := pairByLabels(c.lasting(m.onlyPull), c.lasting(m.onlyPush))
	for _, p := range pairs {
		r.add(p.pull, LabelsDiffer, describeLabels(p))
	}
	for _, s := range onlyPull {
		r.add(s, OnlyInPull, c.howOften(s))
	}
	for _, s := range onlyPush {
		r.add(s, OnlyInPush, c.howOften(s))
	}
	c.compareNames(pull.names, push.names)
	r.finish()
}

// lasting drops the series that are there too briefly for the other Prometheus to have seen them for sure.
func (c *comparison) lasting(all []*series) []*series {
	lasting := slices.DeleteFunc(slices.Clone(all), func(s *series) bool { return !s.consecutive() })
	c.report.Brief += len(all) - len(lasting)
	return lasting
}

// compareStaleness looks at the inner times only, because it takes the times before and after to know what the phase explains: within
// an interval around a change, one Prometheus has seen it already and the other has not.
func (c *comparison) compareStaleness(p pair) {
	var missing, lingering []int
	for i := 1; i < c.grid.steps-1; i++ {
		before, now, after := p.pull.at(i-1), p.pull.at(i), p.pull.at(i+1)
		switch {
		case before && now && after && !p.push.at(i):
			missing = append(missing, i)
		case !before && !now && !after && p.push.at(i):
			lingering = append(lingering, i)
		}
	}
	if len(missing) > 0 {
		c.report.add(p.push, Hole, "missing at "+c.times(missing))
	}
	if len(lingering) > 0 {
		c.report.add(p.push, Lingering, "present at "+c.times(lingering))
	}
}

// compareValues compares values that are constant in pull. A value that changes depends on when it was scraped.
func (c *comparison) compareValues(p pair) {
	if !p.pull.constant() || p.push.ambiguous {
		return
	}
	compared := false
	for i := 1; i < c.grid.steps-1; i++ {
		if !p.push.at(i) {
			continue
		}
		compared = true
		if !sameValue(p.pull.values[i], p.push.values[i]) {
			c.report.add(p.push, ValueDiffers, fmt.Sprintf("pull %s push %s at %s", formatValue(p.pull.values[i]), formatValue(p.push.values[i]), c.times([]int{i})))
			break
		}
	}
	if compared {
		c.report.Constant++
	}
}

// compareNames finds metric names which no selector covers and which pull does not have.
func (c *comparison) compareNames(pull, push *seriesSet) {
	for _, pushed := range push.sorted() {
		if pull.byKey[pushed.key] != nil || !pushed.consecutive() {
			continue
		}
		// The series that a selector covers are counted already.
		family := c.report.family(pushed)
		if len(family.Differences[OnlyInPush]) > 0 {
			continue
		}
		last := bits.Len64(pushed.present) - 1
		count := int(pushed.values[last])
		family.Push = max(family.Push, count)
		c.report.add(pushed, OnlyInPush, fmt.Sprintf("pull has no metric of this name, push has %d series of it", count))
	}
}

func (c *comparison) howOften(s *series) string {
	return fmt.Sprintf("present at %d of %d times", bits.OnesCount64(s.present), c.grid.steps)
}

func (c *comparison) times(indices []int) string {
	var times []string
	for _, i := range indices {
		times = append(times, c.grid.time(i).UTC().Format("15:04:05.999Z"))
	}
	return strings.Join(times, ", ")
}

func formatValue(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }
