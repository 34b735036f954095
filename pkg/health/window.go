// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"time"

	"github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

// Window remembers what a collector has told over a while, to know what has changed since. It survives restarts of the collector: its
// counters begin with 0 again.
type Window struct {
	length       time.Duration
	observations []observation
}

type observation struct {
	at      time.Time
	metrics *collectormetrics.Metrics
}

// NewWindow returns a window of the given length.
func NewWindow(length time.Duration) *Window {
	return &Window{length: length}
}

// Observe takes what a collector tells now.
func (w *Window) Observe(now time.Time, metrics *collectormetrics.Metrics) {
	started := now.Add(-metrics.Uptime)
	last := len(w.observations) - 1
	if last < 0 || started.After(w.observations[last].at) {
		w.observations = nil
		if metrics.Uptime < w.length {
			w.observations = append(w.observations, observation{at: started, metrics: &collectormetrics.Metrics{}})
		}
	}
	w.observations = append(w.observations, observation{at: now, metrics: metrics})

	// One that is older than the window is needed to compare with.
	for len(w.observations) > 2 && !w.observations[1].at.After(now.Add(-w.length)) {
		w.observations = w.observations[1:]
	}
}

// Latest returns what the collector has told last. It is nil if it has told nothing.
func (w *Window) Latest() *collectormetrics.Metrics {
	if len(w.observations) == 0 {
		return nil
	}
	return w.observations[len(w.observations)-1].metrics
}

// IsComplete says whether the window looks back for its whole length.
func (w *Window) IsComplete() bool {
	return len(w.observations) > 1 && w.span() >= w.length
}

func (w *Window) span() time.Duration {
	if len(w.observations) == 0 {
		return 0
	}
	return w.observations[len(w.observations)-1].at.Sub(w.observations[0].at)
}

// increase returns by how much a counter has grown in the window.
func (w *Window) increase(counter func(*collectormetrics.Metrics) float64) float64 {
	if len(w.observations) < 2 {
		return 0
	}
	return max(0, counter(w.Latest())-counter(w.observations[0].metrics))
}

// exporters returns the sum of a counter of all exporters, as a counter of the collector.
func exporters(counter func(collectormetrics.Exporter) float64) func(*collectormetrics.Metrics) float64 {
	return func(metrics *collectormetrics.Metrics) float64 {
		sum := 0.0
		for name, exporter := range metrics.Exporters {
			// It delivers everything, to the log.
			if name != collector.DebugExporter {
				sum += counter(exporter)
			}
		}
		return sum
	}
}

func sent(e collectormetrics.Exporter) float64       { return e.Sent }
func sendFailed(e collectormetrics.Exporter) float64 { return e.SendFailed }

// fullest returns the name of the exporter whose queue is the fullest, and how full that is, from 0 to 1.
func fullest(metrics *collectormetrics.Metrics) (string, float64) {
	var (
		name string
		fill float64
	)
	for exporterName, exporter := range metrics.Exporters {
		if exporter.QueueCapacity > 0 && exporter.QueueSize/exporter.QueueCapacity >= fill {
			name, fill = exporterName, exporter.QueueSize/exporter.QueueCapacity
		}
	}
	return name, fill
}
