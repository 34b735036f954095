// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package corpus offers series of all the shapes that federation has to carry unchanged: at least one family for each of
// Gardener's federation selectors, and families that none of them selects.
//
// A scraper must honour the labels. Recorded series have neither job nor instance: to keep a scraper from adding its own they
// are exposed as empty labels, like /federate exposes them.
//
// By default no alert of Gardener fires because of the corpus. A file can hide series and add those of an incident at run time.
//
// Instead of a seed's series, those of the garden's own exporter can be offered, as far as Gardener's rules join or compare
// them with federated ones. Their scraper must not honour the labels.
package corpus

import (
	"cmp"
	"fmt"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

const (
	labelAlertName    = "alertname"
	labelAlertState   = "alertstate"
	labelContainer    = "container"
	labelInstance     = "instance"
	labelInstanceType = "instance_type"
	labelJob          = "job"
	labelNamespace    = "namespace"
	labelPod          = "pod"
	labelResource     = "resource"
	labelSeed         = "seed"
	labelShootUID     = "shoot_uid"
	// labelShape says what is special about a series.
	labelShape = "shape"

	// DefaultSeries is the default for Options.Series.
	DefaultSeries = 700
	// DefaultSeed is the default for Options.Seed.
	DefaultSeed = "local"
)

// Options configure the corpus.
type Options struct {
	// Series is the number of series in all families that are selected by federation.
	Series int
	// Seed is the name of the seed in which the corpus is exposed. Some series carry it as a label, some carry another one.
	Seed string
	// Changing lets some counters rise. Otherwise all values are constant.
	Changing bool
	// UTF8Names adds metric and label names which are only valid in UTF-8.
	UTF8Names bool
}

// Label is a label of a series.
type Label struct {
	Name, Value string
}

// Series is one series of a family.
type Series struct {
	Labels []Label
	Value  float64
}

// value is the value of a label, empty if there is none.
func (s Series) value(name string) string {
	for _, label := range s.Labels {
		if label.Name == name {
			return label.Value
		}
	}
	return ""
}

// Family is all series of a name.
type Family struct {
	Name string
	Type dto.MetricType
	// Selected tells if federation selects the family.
	Selected bool
	// Rising tells if the values rise by one per second in a changing corpus.
	Rising bool
	Series []Series
}

// Families returns the families of the corpus, always the same for the same options.
func Families(options Options) ([]Family, error) {
	options = withDefaults(options)
	families := slices.Concat(
		shapeFamilies(options), selectedFamilies(), endingFamilies(), openTelemetryFamilies(), meteringFamilies(options.Seed), alertFamilies(), risingFamilies(),
	)
	if options.UTF8Names {
		families = append(families, utf8Families()...)
	}
	for i := range families {
		families[i].Selected = true
	}

	missing := options.Series - countSeries(families)
	if missing < 0 {
		return nil, fmt.Errorf("corpus cannot have as few as %d series, ask for %d or more", options.Series, countSeries(families))
	}
	families = append(families, bulkFamilies(missing)...)
	return append(families, excludedFamilies()...), nil
}

func withDefaults(options Options) Options {
	options.Series = cmp.Or(options.Series, DefaultSeries)
	options.Seed = cmp.Or(options.Seed, DefaultSeed)
	return options
}

func countSeries(families []Family) int {
	n := 0
	for _, family := range families {
		n += len(family.Series)
	}
	return n
}

// series makes a series from names and values of labels. Without job and instance it gets empty ones.
func series(value float64, namesAndValues ...string) Series {
	result := withTargetLabels(value, namesAndValues...)
	for _, name := range []string{labelJob, labelInstance} {
		if !slices.ContainsFunc(result.Labels, func(label Label) bool { return label.Name == name }) {
			result.Labels = append(result.Labels, Label{Name: name})
		}
	}
	return result
}

// withTargetLabels makes a series that lets the scraper add its own job and instance.
func withTargetLabels(value float64, namesAndValues ...string) Series {
	result := Series{Value: value}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		result.Labels = append(result.Labels, Label{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return result
}

func gauges(name string, all ...Series) Family {
	return Family{Name: name, Type: dto.MetricType_GAUGE, Series: all}
}

func untyped(name string, all ...Series) Family {
	return Family{Name: name, Type: dto.MetricType_UNTYPED, Series: all}
}

func counters(name string, all ...Series) Family {
	return Family{Name: name, Type: dto.MetricType_COUNTER, Series: all}
}
