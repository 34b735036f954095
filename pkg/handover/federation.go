// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// Federation is what the replicas of the garden Prometheus have of the seeds.
type Federation struct {
	// At is when they were asked.
	At time.Time
	// Seeds are all seeds, sorted by name.
	Seeds []SeedFederation
	// Silence tells for how long those replicas have not answered that do not answer, by name.
	Silence map[string]time.Duration
}

// SeedFederation is what they have of one seed.
type SeedFederation struct {
	// Name is the name of the Seed.
	Name string
	// State is the state of the seed between pull and push.
	State string
	// Enabled says that the seed has the extension, and that nothing speaks against its pushing.
	Enabled bool
	// Fresh says that all replicas that answer have a recent sample of it by push.
	Fresh bool
	// Stale says that the seed has been enabled for a while, and that no replica which answers has had a recent sample of it by push for as long.
	Stale bool
	// Newest is the time of its newest sample. It is zero if there is none.
	Newest time.Time
}

// Unavailable returns the names of the replicas of the garden Prometheus that have not answered for longer than the given time, sorted.
func (f *Federation) Unavailable(patience time.Duration) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.Silence)) {
		if f.Silence[name] > patience {
			names = append(names, name)
		}
	}
	return names
}

// Board is where the hand-over leaves what it has found out, for others in the same process. It implements [prometheus.Collector]. The
// zero value is an empty board.
type Board struct {
	latest atomic.Pointer[Federation]
}

// Publish replaces what is on the board. It must not be changed any more. It may be nil.
func (b *Board) Publish(federation *Federation) {
	b.latest.Store(federation)
}

// Latest returns what is on the board. It is nil if there is nothing.
func (b *Board) Latest() *Federation {
	return b.latest.Load()
}

var (
	lastSampleDescription = prometheus.NewDesc("otel_federation_seed_last_sample_timestamp_seconds",
		"Time of the newest sample of a seed that all replicas of the garden Prometheus have by push, in seconds since the epoch.", []string{constants.LabelSeed}, nil)
	stateDescription = prometheus.NewDesc("otel_federation_seed_hand_over_state",
		"State of a seed between pull and push: 1 for the state that it is in.", []string{constants.LabelSeed, "state"}, nil)
	enabledDescription = prometheus.NewDesc("otel_federation_seed_enabled",
		"Whether a seed is to push: 1 if it has the extension and nothing speaks against its pushing, 0 otherwise.", []string{constants.LabelSeed}, nil)
)

// Describe implements [prometheus.Collector].
func (b *Board) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- lastSampleDescription
	descriptions <- stateDescription
	descriptions <- enabledDescription
}

// Collect implements [prometheus.Collector].
func (b *Board) Collect(metrics chan<- prometheus.Metric) {
	federation := b.Latest()
	if federation == nil {
		return
	}
	for _, seed := range federation.Seeds {
		enabled := 0.0
		if seed.Enabled {
			enabled = 1
		}
		metrics <- prometheus.MustNewConstMetric(enabledDescription, prometheus.GaugeValue, enabled, seed.Name)
		metrics <- prometheus.MustNewConstMetric(stateDescription, prometheus.GaugeValue, 1, seed.Name, seed.State)
		if !seed.Newest.IsZero() {
			metrics <- prometheus.MustNewConstMetric(lastSampleDescription, prometheus.GaugeValue, float64(seed.Newest.UnixMilli())/1000, seed.Name)
		}
	}
}
