// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/intstr"

	componenttest "github.com/gardener/gardener/pkg/component/test"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
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
			componenttest.PrometheusRule(rule, "testdata/garden-otel-federation-garden.prometheusrule.test.yaml")
			collectortest.ExpectDocumentedRules(rule)
		})

		It("should fire for samples of the future", func() {
			rule := PrometheusRule(collectortest.Namespace, values)
			moved := 0
			for i, r := range rule.Spec.Groups[0].Rules {
				if r.Alert == "OTelFederationSeedClockFast" {
					Expect(r.Expr.String()).To(ContainSubstring("offset -10m"))
					rule.Spec.Groups[0].Rules[i].Expr = intstr.FromString(strings.ReplaceAll(r.Expr.String(), "offset -10m", "offset 10m"))
					moved++
				}
			}
			Expect(moved).To(Equal(1))
			componenttest.PrometheusRule(rule, "testdata/clock.prometheusrule.test.yaml")
		})

		It("should be for the garden Prometheus", func() {
			rule := PrometheusRule(collectortest.Namespace, values)
			Expect(rule.Name).To(Equal("garden-otel-federation-garden"))
			Expect(rule.Namespace).To(Equal("garden"))
			Expect(rule.Labels).To(Equal(map[string]string{"prometheus": "garden"}))
		})

		It("should record what a comparison of push with pull leaves out", func() {
			for _, r := range PrometheusRule(collectortest.Namespace, values).Spec.Groups[0].Rules {
				Expect(r.Record).To(Or(BeEmpty(), HavePrefix("garden:otel_federation_")))
			}
		})

		DescribeTable("should follow returnAfter", func(returnAfter time.Duration, evaluation, window, pending, age string) {
			values.ReturnAfter = returnAfter
			group := PrometheusRule(collectortest.Namespace, values).Spec.Groups[0]
			Expect(group.Interval).To(HaveValue(BeEquivalentTo(evaluation)))
			found := 0
			for _, r := range group.Rules {
				switch r.Alert {
				case "OTelFederationSeedSilent":
					Expect(r.For).To(HaveValue(BeEquivalentTo(evaluation)))
					Expect(r.Expr.String()).To(ContainSubstring("> " + age + " and on (seed)"))
				case "OTelFederationReplicaUnreachable":
					Expect(r.For).To(HaveValue(BeEquivalentTo(pending)))
				case "OTelFederationSamplesDropped":
					Expect(r.For).To(BeNil())
					Expect(r.Expr.String()).To(ContainSubstring("[" + window + "]"))
				default:
					continue
				}
				found++
			}
			Expect(found).To(Equal(3))
		},
			Entry("the default", 2*time.Minute, "1m", "5m", "2m", "120"),
			Entry("ten seconds", 10*time.Second, "5s", "25s", "10s", "10"),
			Entry("a tenth of a second", 100*time.Millisecond, "1s", "5s", "2s", "0.1"),
			Entry("an hour", time.Hour, "1m", "5m", "2m", "3600"),
		)
	})

	Describe("the dashboard", func() {
		It("should be for Plutono in the garden", func() {
			configMap, err := Dashboard(collectortest.Namespace, values)
			Expect(err).NotTo(HaveOccurred())
			Expect(configMap.Name).To(Equal("otel-federation-garden-dashboard"))
			Expect(configMap.Labels).To(HaveKeyWithValue("dashboard.monitoring.gardener.cloud/garden", "true"))
			Expect(configMap.Labels).NotTo(HaveKey("dashboard.monitoring.gardener.cloud/seed"))
			Expect(configMap.Data).To(HaveLen(1))
			collectortest.ExpectDashboard(configMap, "prometheus-garden")
		})
	})
})
