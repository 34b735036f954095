// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

var _ = Describe("IssuerConfig", func() {
	var config *IssuerConfig

	BeforeEach(func() {
		config = &IssuerConfig{
			Endpoint:                "https://otel-federation.ingress.garden.local",
			CABundle:                string(caPEM()),
			SigningKeySecretName:    "otel-federation-signing-key-12345678",
			TokenValidity:           metav1.Duration{Duration: 7 * 24 * time.Hour},
			TokenRenewAfter:         metav1.Duration{Duration: 24 * time.Hour},
			SeedSelector:            &metav1.LabelSelector{MatchLabels: map[string]string{"federate": "yes"}},
			DeniedSeeds:             []string{"bad"},
			AggregatePrometheusHost: "p-seed.ingress.local",
		}
	})

	Describe("#ConfigMap, #ParseIssuerConfig", func() {
		It("should read what was written", func() {
			configMap := config.ConfigMap("garden")
			Expect(configMap.Name).To(Equal("otel-federation-issuer"))
			Expect(configMap.Namespace).To(Equal("garden"))

			Expect(ParseIssuerConfig(configMap)).To(Equal(config))
		})

		It("should refuse a ConfigMap without the key", func() {
			configMap := config.ConfigMap("garden")
			delete(configMap.Data, "config.yaml")

			_, err := ParseIssuerConfig(configMap)
			Expect(err).To(MatchError(`ConfigMap garden/otel-federation-issuer has no key "config.yaml"`))
		})

		It("should refuse unknown fields", func() {
			configMap := config.ConfigMap("garden")
			configMap.Data["config.yaml"] += "foo: bar\n"

			_, err := ParseIssuerConfig(configMap)
			Expect(err).To(MatchError(ContainSubstring(`unknown field "foo"`)))
		})

		It("should refuse an invalid configuration and name all that is wrong", func() {
			_, err := ParseIssuerConfig((&IssuerConfig{}).ConfigMap("garden"))
			Expect(err).To(MatchError(And(
				ContainSubstring("endpoint: must not be empty"),
				ContainSubstring("signingKeySecretName: must not be empty"),
				ContainSubstring("tokenRenewAfter: must be positive"),
				ContainSubstring("tokenValidity: 0s must be longer"),
			)))
		})
	})

	DescribeTable("#Validate", func(change func(), matcher OmegaMatcher) {
		change()
		Expect(config.Validate()).To(matcher)
	},
		Entry("complete", func() {}, Succeed()),
		Entry("only what is required", func() {
			config.CABundle, config.SeedSelector, config.DeniedSeeds, config.AggregatePrometheusHost = "", nil, nil, ""
		}, Succeed()),
		Entry("endpoint with a port", func() { config.Endpoint = "https://foo:4318" }, Succeed()),
		Entry("endpoint without TLS", func() { config.Endpoint = "http://foo" }, MatchError(HavePrefix("endpoint:"))),
		Entry("endpoint without a host", func() { config.Endpoint = "https://" }, MatchError(HavePrefix("endpoint:"))),
		Entry("endpoint with a path", func() { config.Endpoint = "https://foo/v1/metrics" }, MatchError(HavePrefix("endpoint:"))),
		Entry("endpoint with a user", func() { config.Endpoint = "https://a:secret@foo" },
			MatchError(And(HavePrefix("endpoint:"), Not(ContainSubstring("secret"))))),
		Entry("bundle that is no PEM", func() { config.CABundle = "foo" }, MatchError(HavePrefix("caBundle:"))),
		Entry("renewal not before the end", func() { config.TokenRenewAfter = config.TokenValidity }, MatchError(HavePrefix("tokenValidity:"))),
		Entry("bad selector", func() {
			config.SeedSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Foo"}}
		}, MatchError(HavePrefix("seedSelector:"))),
	)

	DescribeTable("#Wants", func(name string, labels map[string]string, change func(), expected bool) {
		change()
		Expect(config.Wants(&gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})).To(Equal(expected))
	},
		Entry("selected", "good", map[string]string{"federate": "yes"}, func() {}, true),
		Entry("not selected", "good", nil, func() {}, false),
		Entry("denied", "bad", map[string]string{"federate": "yes"}, func() {}, false),
		Entry("no selector", "good", nil, func() { config.SeedSelector = nil }, true),
		Entry("empty selector", "good", nil, func() { config.SeedSelector = &metav1.LabelSelector{} }, true),
	)
})
