// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"fmt"
	"testing"
	"time"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

// BenchmarkGardenFederation judges a garden with many seeds that all deliver, which happens with each health check.
func BenchmarkGardenFederation(b *testing.B) {
	for _, seeds := range []int{10, 1000} {
		b.Run(fmt.Sprintf("seeds=%d", seeds), func(b *testing.B) {
			in := health.GardenInput{Federation: &handover.Federation{At: start}}
			for i := range seeds {
				in.Federation.Seeds = append(in.Federation.Seeds, handover.SeedFederation{Name: fmt.Sprintf("seed-%d", i), Enabled: true, Fresh: true, Newest: start})
			}
			for _, name := range []string{"one", "two"} {
				c := health.FanOutCollector{Name: name, Window: health.NewWindow(2 * time.Minute)}
				for i := range 19 {
					observe(c.Window, i, 1e6)
				}
				in.Collectors = append(in.Collectors, c)
			}
			b.ReportAllocs()
			for b.Loop() {
				if verdict := health.GardenFederation(in); verdict.Status != gardencorev1beta1.ConditionTrue {
					b.Fatal(verdict)
				}
			}
		})
	}
}

// BenchmarkSeedFederation takes what a seed's collector tells and judges it, which happens every few seconds.
func BenchmarkSeedFederation(b *testing.B) {
	in := health.SeedInput{Interval: time.Minute, Window: health.NewWindow(health.SeedWindow(time.Minute)), Certificate: func() string { return "" }}
	i := 0
	for range 20 {
		observe(in.Window, i, 1e4)
		i++
	}
	b.ReportAllocs()
	for b.Loop() {
		observe(in.Window, i, 1e4)
		i++
		if verdict := health.SeedFederation(in); verdict.Status != gardencorev1beta1.ConditionTrue {
			b.Fatal(verdict)
		}
	}
}

// observe lets a collector tell for the i-th time, every ten seconds, that it has delivered further samples.
func observe(window *health.Window, i int, samples float64) {
	total := float64(i) * samples
	uptime := time.Hour + time.Duration(i)*10*time.Second
	window.Observe(start.Add(uptime), &collectormetrics.Metrics{
		Uptime: uptime, Accepted: total,
		Exporters: map[string]collectormetrics.Exporter{
			"otlp_http/prometheus-garden-0": {QueueCapacity: 1e6, Sent: total}, "otlp_http/prometheus-garden-1": {QueueCapacity: 1e6, Sent: total},
		},
	})
}
