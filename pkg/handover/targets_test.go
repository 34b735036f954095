// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const annotationWithheld = "otel-federation.extensions.gardener.cloud/withheld-targets"

var _ = Describe("Targets", func() {
	var gardeners *monitoringv1alpha1.ScrapeConfig

	BeforeEach(func() {
		gardeners = &monitoringv1alpha1.ScrapeConfig{
			ObjectMeta: metav1.ObjectMeta{Name: "garden-prometheus-aggregate-ingress", Namespace: "garden", Labels: map[string]string{"prometheus": "garden", "foo": "bar"}},
			Spec: monitoringv1alpha1.ScrapeConfigSpec{
				MetricsPath:   new("/federate"),
				StaticConfigs: []monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"p-seed.a", "p-seed.b"}}, {Targets: []monitoringv1alpha1.Target{"p-seed.c"}}},
			},
		}
	})

	It("should have the names that Gardener gives the ScrapeConfigs", func() {
		var names []string
		for _, scrapeConfig := range gardenprometheus.CentralScrapeConfigs([]monitoringv1alpha1.Target{"a"}, []monitoringv1alpha1.Target{"b"}, secret) {
			names = append(names, "garden-"+scrapeConfig.Name)
		}
		Expect(names).To(ContainElements(ScrapeConfigNames()))
		Expect(ScrapeConfigNames()).To(HaveLen(len(names) - 1))
	})

	DescribeTable("should withhold what is noted", func(noted []string, staticConfigs []monitoringv1alpha1.StaticConfig, labels map[string]string) {
		expected := gardeners.DeepCopy()
		expected.Spec.StaticConfigs, expected.Labels = staticConfigs, labels
		SetWithheld(expected, noted)

		SetWithheld(gardeners, noted)
		Withhold(gardeners)
		Expect(gardeners).To(Equal(expected))

		Withhold(gardeners)
		Expect(gardeners).To(Equal(expected))
	},
		Entry("nothing", nil,
			[]monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"p-seed.a", "p-seed.b"}}, {Targets: []monitoringv1alpha1.Target{"p-seed.c"}}}, map[string]string{"prometheus": "garden", "foo": "bar"}),
		Entry("what is not there", []string{"p-seed"},
			[]monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"p-seed.a", "p-seed.b"}}, {Targets: []monitoringv1alpha1.Target{"p-seed.c"}}}, map[string]string{"prometheus": "garden", "foo": "bar"}),
		Entry("one", []string{"p-seed.b"},
			[]monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"p-seed.a"}}, {Targets: []monitoringv1alpha1.Target{"p-seed.c"}}}, map[string]string{"prometheus": "garden", "foo": "bar"}),
		Entry("all of one configuration", []string{"p-seed.a", "p-seed.b"},
			[]monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"p-seed.c"}}}, map[string]string{"prometheus": "garden", "foo": "bar"}),
		Entry("all, so that no empty scrape pool is left", []string{"p-seed.a", "p-seed.b", "p-seed.c"},
			nil, map[string]string{"foo": "bar"}),
	)

	It("should note what is withheld in an annotation, and keep others", func() {
		SetWithheld(gardeners, []string{"p-seed.a", "p-seed.b"})
		gardeners.Annotations["foo"] = "bar"
		Expect(gardeners.Annotations).To(Equal(map[string]string{annotationWithheld: "p-seed.a,p-seed.b", "foo": "bar"}))
		SetWithheld(gardeners, nil)
		Expect(gardeners.Annotations).To(Equal(map[string]string{"foo": "bar"}))
	})

	It("should restrict what Gardener wants, and give all of it back", func() {
		scrapeConfig := gardeners.DeepCopy()
		scrapeConfig.ResourceVersion = "7"
		scrapeConfig.Annotations = map[string]string{"resources.gardener.cloud/origin": "foo"}
		before := scrapeConfig.DeepCopy()

		Restrict(scrapeConfig, gardeners, []string{"p-seed.a", "p-seed.b", "p-seed.c"})
		Expect(Targets(scrapeConfig)).To(BeEmpty())
		Expect(scrapeConfig.Labels).NotTo(HaveKey("prometheus"))

		Restrict(scrapeConfig, gardeners, []string{"p-seed.b"})
		Expect(Targets(scrapeConfig)).To(ConsistOf("p-seed.a", "p-seed.c"))
		Expect(scrapeConfig.Labels).To(HaveKeyWithValue("prometheus", "garden"))

		Restrict(scrapeConfig, gardeners, nil)
		Expect(scrapeConfig).To(Equal(before))
		Expect(Targets(gardeners)).To(ConsistOf("p-seed.a", "p-seed.b", "p-seed.c"))
	})
})
