// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

var _ = Describe("GardenFederation", func() {
	const (
		toGarden0 = "otlp_http/prometheus-garden-0"
		toGarden1 = "otlp_http/prometheus-garden-1"
	)

	var in GardenInput

	// told sets what the collector with the given index tells at the end of its window.
	told := func(index int, metrics collectormetrics.Metrics) {
		in.Collectors[index].Window.Observe(start, &metrics)
	}
	exporters := func(garden0, garden1 collectormetrics.Exporter) collectormetrics.Metrics {
		return collectormetrics.Metrics{Uptime: time.Hour, Exporters: map[string]collectormetrics.Exporter{toGarden0: garden0, toGarden1: garden1}}
	}
	silence := func(index int, duration time.Duration) {
		in.Collectors[index].Silence, in.Collectors[index].Unanswered = duration, errors.New("connection refused")
	}

	BeforeEach(func() {
		in = GardenInput{
			Federation: &handover.Federation{Seeds: []handover.SeedFederation{
				{Name: "a", Enabled: true, Fresh: true, Newest: start}, {Name: "b", Enabled: true, Fresh: true, Newest: start}, {Name: "c"},
			}},
			DetachedProcessor: func(replica string) string { return "filter/" + replica },
		}
		for _, name := range []string{"one", "two"} {
			c := FanOutCollector{Name: name, Window: NewWindow(2 * time.Minute)}
			c.Window.Observe(start.Add(-3*time.Minute), &collectormetrics.Metrics{Uptime: time.Hour - 3*time.Minute})
			in.Collectors = append(in.Collectors, c)
		}
	})

	DescribeTable("verdict", func(change func(), status gardencorev1beta1.ConditionStatus, reason string, message OmegaMatcher) {
		change()
		for i := range in.Collectors {
			if latest := in.Collectors[i].Window.Latest(); in.Collectors[i].Unanswered == nil && (latest == nil || latest.Uptime < time.Hour) {
				told(i, exporters(collectormetrics.Exporter{QueueCapacity: 100}, collectormetrics.Exporter{QueueCapacity: 100}))
			}
		}
		Expect(GardenFederation(in)).To(be(status, reason, message))
	},
		Entry("all is well", func() {}, gardencorev1beta1.ConditionTrue, "SamplesStored", Equal("The samples of 2 seeds get to all replicas of the garden Prometheus.")),
		Entry("not asked yet", func() { in.Federation = nil }, gardencorev1beta1.ConditionProgressing, "Observing", ContainSubstring("not been asked lately")),
		Entry("not asked, and a collector does not answer", func() { in.Federation = nil; silence(1, time.Minute) }, gardencorev1beta1.ConditionFalse, "FanOutDegraded", Not(BeEmpty())),
		Entry("a seed is new, or a replica catches up", func() { in.Federation.Seeds[1].Fresh = false }, gardencorev1beta1.ConditionProgressing, "Observing", ContainSubstring("have had the time to deliver")),
		Entry("the fan-out is watched since a moment ago", func() { in.Collectors[1].Window = NewWindow(2 * time.Minute) }, gardencorev1beta1.ConditionProgressing, "Observing", ContainSubstring("is watched since less than 2m0s ago")),
		Entry("the fan-out has never answered for minutes", func() {
			for i := range in.Collectors {
				in.Collectors[i].Window = NewWindow(2 * time.Minute)
				silence(i, 9*time.Minute)
			}
		}, gardencorev1beta1.ConditionProgressing, "CollectorStarting", Not(BeEmpty())),
		Entry("a queue was nearly full, and still is", func() {
			in.WasNearlyFull = true
			told(1, exporters(collectormetrics.Exporter{QueueCapacity: 100, QueueSize: 70}, collectormetrics.Exporter{QueueCapacity: 100}))
		}, gardencorev1beta1.ConditionFalse, "QueueNearlyFull", Not(BeEmpty())),
		Entry("a request was refused, and more than that is wrong", func() {
			told(1, exporters(collectormetrics.Exporter{}, collectormetrics.Exporter{SendFailed: 12}))
			in.Detached = []string{"prometheus-garden-1"}
			silence(0, time.Hour)
		}, gardencorev1beta1.ConditionFalse, "SomeSamplesDropped", HavePrefix("12 samples were lost for good within 2m0s")),
		Entry("a replica is detached", func() {
			metrics := exporters(collectormetrics.Exporter{QueueCapacity: 100}, collectormetrics.Exporter{QueueCapacity: 100, QueueSize: 90})
			metrics.Filtered = map[string]float64{"filter/prometheus-garden-1": 30, "filter/denied": 5}
			told(0, metrics)
			in.Detached = []string{"prometheus-garden-1"}
		}, gardencorev1beta1.ConditionFalse, "PrometheusDetached", ContainSubstring("lost for prometheus-garden-1 (30 since")),
		Entry("no collector answers", func() { silence(0, time.Minute); silence(1, time.Hour) }, gardencorev1beta1.ConditionFalse, "FanOutUnavailable", ContainSubstring("connection refused")),
		Entry("no collector answers yet", func() { silence(0, time.Second); silence(1, time.Second) }, gardencorev1beta1.ConditionProgressing, "CollectorStarting", ContainSubstring("connection refused")),
		Entry("a queue is nearly full", func() {
			told(1, exporters(collectormetrics.Exporter{QueueCapacity: 100, QueueSize: 80}, collectormetrics.Exporter{QueueCapacity: 100}))
		}, gardencorev1beta1.ConditionFalse, "QueueNearlyFull", ContainSubstring("otlp_http/prometheus-garden-0 of pod two is full by 80 %")),
		Entry("a replica does not answer", func() {
			in.Federation.Silence = map[string]time.Duration{"prometheus-garden-1": 2 * time.Minute, "prometheus-garden-0": 10 * time.Second}
		}, gardencorev1beta1.ConditionFalse, "PrometheusUnavailable", HavePrefix("prometheus-garden-1 has not answered")),
		Entry("seeds are silent", func() {
			in.Federation.Seeds[0].Stale = true
			in.Federation.Seeds[1].Stale, in.Federation.Seeds[1].Newest = true, time.Time{}
		}, gardencorev1beta1.ConditionFalse, "SeedsSilent", HavePrefix("2 of 2 seeds that have the extension deliver nothing: b (never), a (since 2026-01-01T12:00:00Z).")),
		Entry("one of the collectors does not answer", func() { silence(1, time.Minute) }, gardencorev1beta1.ConditionFalse, "FanOutDegraded", HavePrefix("1 of 2 collectors")),
		Entry("one of the collectors does not answer yet", func() { silence(1, time.Second) }, gardencorev1beta1.ConditionTrue, "SamplesStored", Not(BeEmpty())),
	)
})
