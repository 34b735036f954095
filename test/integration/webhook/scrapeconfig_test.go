// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

var _ = Describe("Webhook for the ScrapeConfigs", func() {
	var (
		extension *extensionsv1alpha1.Extension
		// desired is what Gardener wants.
		desired *monitoringv1alpha1.ScrapeConfig
	)

	BeforeEach(func() {
		extension = newExtension()
		desired = newScrapeConfig(constants.PullIngressScrapeConfigName)
	})

	// createWithheld creates the ScrapeConfig with a note of what is withheld, and waits until the replicas have seen the Extension.
	createWithheld := func(ctx context.Context, targets ...string) {
		GinkgoHelper()
		create(ctx, extension)
		noted := desired.DeepCopy()
		handover.SetWithheld(noted, targets)
		create(ctx, noted)
		Eventually(ctx, func(g Gomega) {
			g.Expect(handover.Targets(applyScrapeConfig(ctx, g, desired))).NotTo(ContainElements(targets))
		}).Should(Succeed())
	}

	It("should keep targets from coming back, and cause no write", func(ctx context.Context) {
		createWithheld(ctx, "p-seed.a")
		before := applyScrapeConfig(ctx, Default, desired)
		Expect(handover.Targets(before)).To(ConsistOf("p-seed.b"))
		for range 5 {
			Expect(applyScrapeConfig(ctx, Default, desired).ResourceVersion).To(Equal(before.ResourceVersion))
		}
	})

	It("should take a ScrapeConfig out of the selection of which no target is left", func(ctx context.Context) {
		createWithheld(ctx, "p-seed.a", "p-seed.b")
		before := applyScrapeConfig(ctx, Default, desired)
		Expect(before.Spec.StaticConfigs).To(BeEmpty())
		Expect(before.Labels).NotTo(HaveKey("prometheus"))
		Expect(applyScrapeConfig(ctx, Default, desired).ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("should leave other ScrapeConfigs alone", func(ctx context.Context) {
		createWithheld(ctx, "p-seed.a")
		other := newScrapeConfig("garden-other")
		handover.SetWithheld(other, []string{"p-seed.a"})
		create(ctx, other)
		Expect(handover.Targets(other)).To(ConsistOf("p-seed.a", "p-seed.b"))
	})

	It("should give everything back once the Extension has released it", func(ctx context.Context) {
		createWithheld(ctx, "p-seed.a")
		Expect(cluster.Client.Delete(ctx, extension)).To(Succeed())
		Consistently(ctx, func(g Gomega) {
			g.Expect(handover.Targets(applyScrapeConfig(ctx, g, desired))).To(ConsistOf("p-seed.b"))
		}).Should(Succeed())
		annotate(ctx, extension, constants.AnnotationReleased, "2026-01-01T00:00:00Z")
		Eventually(ctx, func(g Gomega) {
			g.Expect(handover.Targets(applyScrapeConfig(ctx, g, desired))).To(ConsistOf("p-seed.a", "p-seed.b"))
		}).Should(Succeed())
	})

	It("should keep nobody from writing while no replica serves", func(ctx context.Context) {
		createWithheld(ctx, "p-seed.a")
		for _, replica := range replicas {
			replica.stop()
		}
		DeferCleanup(func() {
			for _, replica := range replicas {
				replica.start()
			}
		})
		Expect(handover.Targets(applyScrapeConfig(ctx, Default, desired))).To(ConsistOf("p-seed.a", "p-seed.b"))
	}, NodeTimeout(2*time.Minute))
})

func newScrapeConfig(name string) *monitoringv1alpha1.ScrapeConfig {
	return &monitoringv1alpha1.ScrapeConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"prometheus": "garden"}},
		Spec: monitoringv1alpha1.ScrapeConfigSpec{
			StaticConfigs: []monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"p-seed.a", "p-seed.b"}}},
		},
	}
}

// applyScrapeConfig writes Gardener's version over the one that exists, as gardener-resource-manager does, and returns the result.
func applyScrapeConfig(ctx context.Context, g Gomega, desired *monitoringv1alpha1.ScrapeConfig) *monitoringv1alpha1.ScrapeConfig {
	GinkgoHelper()
	scrapeConfig := &monitoringv1alpha1.ScrapeConfig{}
	g.Expect(cluster.Client.Get(ctx, keyOf(desired), scrapeConfig)).To(Succeed())
	scrapeConfig.Spec = *desired.Spec.DeepCopy()
	metav1.SetMetaDataLabel(&scrapeConfig.ObjectMeta, "prometheus", "garden")
	g.Expect(cluster.Client.Update(ctx, scrapeConfig)).To(Succeed())
	return scrapeConfig
}
