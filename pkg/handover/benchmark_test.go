// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

// BenchmarkStep takes the answers of both replicas of the garden Prometheus and decides about all seeds, which happens every few seconds.
func BenchmarkStep(b *testing.B) {
	for _, seeds := range []int{10, 1000} {
		b.Run(fmt.Sprintf("seeds=%d", seeds), func(b *testing.B) {
			var (
				replicas = []string{"prometheus-garden-0", "prometheus-garden-1"}
				tracker  = handover.NewTracker(replicas...)
				now      = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
				cfg      = config.HandOverConfiguration{
					Mode: config.HandOverModeAutomatic, FreshFor: &metav1.Duration{Duration: 5 * time.Minute}, ReturnAfter: &metav1.Duration{Duration: 2 * time.Minute},
				}
				series []handover.Series
			)
			for i := range seeds {
				series = append(series, handover.Series{Way: handover.Push, Seed: fmt.Sprintf("seed-%d", i), Instance: "prometheus-aggregate"})
			}

			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(5 * time.Second)
				observations := map[string]*handover.Observation{}
				for _, replica := range replicas {
					observation := &handover.Observation{Identity: "one", Scraped: map[handover.Series]time.Time{}, Pulled: map[string]time.Time{}}
					for _, one := range series {
						observation.Scraped[one] = now
					}
					observations[replica] = observation
				}
				tracker.Observe(now, observations)
				for _, one := range series {
					in := handover.Input{
						Now: now, Since: now, Config: cfg, Enabled: true, Pullable: true, ReceiverReady: true,
						Push: tracker.Freshness(now, one, cfg.ReturnAfter.Duration),
					}
					if state, message := handover.Step(push, in); state != push {
						b.Fatal(state, message)
					}
				}
			}
		})
	}
}
