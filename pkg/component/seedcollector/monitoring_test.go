// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/sets"

	componenttest "github.com/gardener/gardener/pkg/component/test"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("Monitoring", func() {
	var values Values

	BeforeEach(func() {
		values = defaultValues()
	})

	Describe("the rules", func() {
		It("should fire when they must, and not otherwise", func() {
			rule := PrometheusRule(collectortest.Namespace, values)
			componenttest.PrometheusRule(rule, "testdata/aggregate-otel-federation-seed.prometheusrule.test.yaml")
			collectortest.ExpectDocumentedRules(rule)
		})

		It("should be for the aggregate Prometheus", func() {
			rule := PrometheusRule(collectortest.Namespace, values)
			Expect(rule.Name).To(Equal("aggregate-otel-federation-seed"))
			Expect(rule.Namespace).To(Equal("garden"))
			Expect(rule.Labels).To(Equal(map[string]string{"prometheus": "aggregate"}))
		})

		It("should record nothing that is federated", func() {
			for _, r := range PrometheusRule(collectortest.Namespace, values).Spec.Groups[0].Rules {
				Expect(r.Record).To(Or(BeEmpty(), HavePrefix("otel_federation:")))
			}
		})

		DescribeTable("should follow the scrape interval", func(interval time.Duration, evaluation, window, pending string) {
			values.ScrapeInterval = interval
			group := PrometheusRule(collectortest.Namespace, values).Spec.Groups[0]
			Expect(group.Interval).To(HaveValue(BeEquivalentTo(evaluation)))
			alerts := sets.New[string]()
			for _, r := range group.Rules {
				alerts.Insert(r.Alert)
				switch r.Alert {
				case "OTelFederationCollectorDown":
					Expect(r.For).To(HaveValue(BeEquivalentTo(window)))
				case "OTelFederationCollectorNothingDelivered", "OTelFederationCollectorQueueFilling", "OTelFederationCollectorScrapeFailing":
					Expect(r.For).To(HaveValue(BeEquivalentTo(pending)))
				case "OTelFederationCollectorSamplesDropped":
					Expect(r.For).To(BeNil())
					Expect(r.Expr.String()).To(ContainSubstring("[" + window + "]"))
				default:
					Expect(r.Record).NotTo(BeEmpty())
				}
			}
			Expect(alerts.Delete("")).To(HaveLen(5))
		},
			Entry("the default", time.Minute, "1m", "5m", "2m"),
			Entry("five seconds", 5*time.Second, "5s", "25s", "10s"),
			Entry("one and a half seconds", 1500*time.Millisecond, "1s500ms", "7s500ms", "3s"),
			Entry("ten minutes", 10*time.Minute, "1m", "50m", "2m"),
		)
	})

	Describe("the dashboard", func() {
		It("should be for Plutono in the seed, and for that of the garden where there is no other", func() {
			configMap, err := Dashboard(collectortest.Namespace, values)
			Expect(err).NotTo(HaveOccurred())
			Expect(configMap.Name).To(Equal("otel-federation-seed-dashboard"))
			Expect(configMap.Labels).To(And(
				HaveKeyWithValue("dashboard.monitoring.gardener.cloud/seed", "true"),
				HaveKeyWithValue("dashboard.monitoring.gardener.cloud/garden", "true"),
			))
			Expect(configMap.Data).To(HaveLen(1))
			collectortest.ExpectDashboard(configMap, "prometheus-aggregate")
		})
	})
})
