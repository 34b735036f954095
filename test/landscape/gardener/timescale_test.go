// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("Time scale", func() {
	DescribeTable("for how long an alert must be pending",
		func(scrapeInterval time.Duration, pending, expected string) {
			rule := &monitoringv1.PrometheusRule{Spec: monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{{
				Interval: new(monitoringv1.Duration("30s")),
				Rules:    []monitoringv1.Rule{{Record: "a"}, {Alert: "B", For: new(monitoringv1.Duration(pending))}},
			}}}}
			Expect((&Landscape{ScrapeInterval: scrapeInterval}).scaleTime([]client.Object{rule})).To(Succeed())
			Expect(rule.Spec.Groups[0].Interval).To(BeNil())
			Expect(rule.Spec.Groups[0].Rules[0].For).To(BeNil())
			Expect(rule.Spec.Groups[0].Rules[1].For).To(HaveValue(Equal(monitoringv1.Duration(expected))))
		},
		Entry("a twelfth", 5*time.Second, "5m", "25s"),
		Entry("a fraction of a second", 5*time.Second, "3s", "250ms"),
		Entry("a fourth", 15*time.Second, "1h", "15m"),
		Entry("real time", time.Minute, "10m", "10m"),
	)

	It("should name the alert whose time cannot be understood", func() {
		rule := &monitoringv1.PrometheusRule{Spec: monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{{
			Rules: []monitoringv1.Rule{{Alert: "B", For: new(monitoringv1.Duration("soon"))}},
		}}}}
		rule.Name = "rules"
		Expect((&Landscape{ScrapeInterval: time.Second}).scaleTime([]client.Object{rule})).To(MatchError(ContainSubstring("PrometheusRule rules: failed to parse `for` of alert B")))
	})

	It("should scale intervals, timeouts and the lookback", func() {
		prometheus := &monitoringv1.Prometheus{}
		Expect((&Landscape{ScrapeInterval: 20 * time.Second}).scaleTime([]client.Object{prometheus})).To(Succeed())
		Expect(prometheus.Spec.ScrapeInterval).To(BeEquivalentTo("20s"))
		Expect(prometheus.Spec.EvaluationInterval).To(BeEquivalentTo("20s"))
		Expect(prometheus.Spec.ScrapeTimeout).To(BeEquivalentTo("19s"))
		Expect(prometheus.Spec.Query.LookbackDelta).To(HaveValue(Equal("1m40s")))
	})

	It("should scale how often files are looked at", func() {
		Expect(ReloadInterval(5 * time.Second)).To(Equal(15 * time.Second))
	})

	DescribeTable("lookback",
		func(scrapeInterval, expected time.Duration) { Expect(Lookback(scrapeInterval)).To(Equal(expected)) },
		Entry("not shorter than pods take to start", 5*time.Second, time.Minute),
		Entry("real time", time.Minute, 5*time.Minute),
	)
})
