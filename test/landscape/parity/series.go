// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

const (
	labelName = model.MetricNameLabel
	labelJob  = model.JobLabel
)

// label is a label of a series. Series keep their labels in a slice because maps take several times the memory.
type label struct {
	name, value string
}

// series is a series with its values at the evaluation times.
type series struct {
	// labels are sorted by name.
	labels []label
	// key identifies the series.
	key string
	// values are those at the evaluation times. They are only valid where the series is present.
	values []float64
	// present has a bit for each evaluation time.
	present uint64
	// ambiguous says that series with different values have been merged into this one.
	ambiguous bool
}

func (s *series) at(i int) bool { return s.present&(1<<i) != 0 }

// consecutive says whether the series is present at three evaluation times in a row. The phase cannot explain then that another
// Prometheus does not have it at all.
func (s *series) consecutive() bool { return s.present&(s.present>>1)&(s.present>>2) != 0 }

// complete says whether the series is present at all evaluation times.
func (s *series) complete() bool { return s.present == 1<<len(s.values)-1 }

// constant says whether the series has the same value at all evaluation times.
func (s *series) constant() bool {
	return s.complete() && !s.ambiguous && !slices.ContainsFunc(s.values, func(value float64) bool { return !sameValue(value, s.values[0]) })
}

func (s *series) label(name string) string {
	if i, found := s.find(name); found {
		return s.labels[i].value
	}
	return ""
}

func (s *series) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.labels, name, func(l label, name string) int { return cmp.Compare(l.name, name) })
}

// keyWithout identifies the series when it is deprived of a label.
func (s *series) keyWithout(name string) string {
	i, found := s.find(name)
	if !found {
		return s.key
	}
	return key(slices.Delete(slices.Clone(s.labels), i, i+1))
}

// String quotes the label set in the way of PromQL.
func (s *series) String() string {
	var labels []string
	name := s.label(labelName)
	if !model.LegacyValidation.IsValidMetricName(name) && name != "" {
		labels, name = append(labels, strconv.Quote(name)), ""
	}
	for _, l := range s.labels {
		if l.name == labelName {
			continue
		}
		labels = append(labels, quoteName(l.name)+"="+strconv.Quote(l.value))
	}
	if len(labels) == 0 && name != "" {
		return name
	}
	return name + "{" + strings.Join(labels, ", ") + "}"
}

func quoteName(name string) string {
	if model.LegacyValidation.IsValidLabelName(name) {
		return name
	}
	return strconv.Quote(name)
}

// sameValue says whether two values are the same sample to a user: NaN has many bit patterns which cannot be told apart by PromQL,
// while 0 and -0 can.
func sameValue(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Float64bits(a) == math.Float64bits(b)
}

// key joins labels by a byte that does not occur in UTF-8.
func key(labels []label) string {
	size := 0
	for _, l := range labels {
		size += len(l.name) + len(l.value) + 2
	}
	var b strings.Builder
	b.Grow(size)
	for _, l := range labels {
		b.WriteString(l.name)
		b.WriteByte(0xff)
		b.WriteString(l.value)
		b.WriteByte(0xff)
	}
	return b.String()
}

// seriesSet are series by their key.
type seriesSet struct {
	steps    int
	byKey    map[string]*series
	interned map[string]string
}

func newSeriesSet(steps int) *seriesSet {
	return &seriesSet{steps: steps, byKey: map[string]*series{}, interned: map[string]string{}}
}

// add adds a series. If the set has it already, because two selectors match it or because a label has been removed, both are merged.
func (s *seriesSet) add(stream *model.SampleStream, g grid) error {
	labels := make([]label, 0, len(stream.Metric))
	for name, value := range stream.Metric {
		if value != "" {
			labels = append(labels, label{s.intern(string(name)), s.intern(string(value))})
		}
	}
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.name, b.name) })
	added := &series{labels: labels, values: make([]float64, s.steps)}
	if len(stream.Histograms) > 0 {
		return fmt.Errorf("series %s is a native histogram, which cannot be compared: use selectors that do not match it", added)
	}
	for _, sample := range stream.Values {
		i, ok := g.index(sample.Timestamp)
		if !ok {
			return fmt.Errorf("series %s has a sample at %s, for which nobody asked: is something between which changes the queries?", added, formatTime(sample.Timestamp.Time()))
		}
		added.present |= 1 << i
		added.values[i] = float64(sample.Value)
	}

	k := key(labels)
	if existing, ok := s.byKey[k]; ok {
		existing.merge(added)
		return nil
	}
	added.key = k
	s.byKey[k] = added
	return nil
}

func (s *series) merge(other *series) {
	for i := range s.values {
		switch {
		case !other.at(i):
		case !s.at(i):
			s.values[i] = other.values[i]
		case !sameValue(s.values[i], other.values[i]):
			s.ambiguous = true
		}
	}
	s.present |= other.present
}

func (s *seriesSet) intern(text string) string {
	if interned, ok := s.interned[text]; ok {
		return interned
	}
	s.interned[text] = text
	return text
}

func (s *seriesSet) anyComplete() bool {
	for _, one := range s.byKey {
		if one.complete() {
			return true
		}
	}
	return false
}

func (s *seriesSet) countConstant() int {
	count := 0
	for _, one := range s.byKey {
		if one.constant() {
			count++
		}
	}
	return count
}

// sorted returns the series in a fixed order.
func (s *seriesSet) sorted() []*series {
	all := make([]*series, 0, len(s.byKey))
	for _, one := range s.byKey {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *series) int { return cmp.Compare(a.key, b.key) })
	return all
}
