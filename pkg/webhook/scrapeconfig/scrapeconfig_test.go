// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package scrapeconfig_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/webhook/scrapeconfig"
)

var _ = Describe("Mutator", func() {
	var (
		ctx          = context.Background()
		failure      error
		c            client.Client
		mutator      extensionswebhook.Mutator
		extension    *extensionsv1alpha1.Extension
		scrapeConfig *monitoringv1alpha1.ScrapeConfig
	)

	BeforeEach(func() {
		failure = nil
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if failure != nil {
					return failure
				}
				return c.List(ctx, list, opts...)
			},
		}).Build()
		mutator = NewMutator(c)

		extension = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden-otel-federation"},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}},
		}
		scrapeConfig = &monitoringv1alpha1.ScrapeConfig{
			ObjectMeta: metav1.ObjectMeta{
				Namespace:   "garden",
				Name:        "garden-prometheus-aggregate-ingress",
				Labels:      map[string]string{"prometheus": "garden"},
				Annotations: map[string]string{"otel-federation.extensions.gardener.cloud/withheld-targets": "p-seed.one,p-seed.three"},
			},
			Spec: monitoringv1alpha1.ScrapeConfigSpec{
				StaticConfigs: []monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"p-seed.one", "p-seed.two"}}},
			},
		}
	})

	expectUnchanged := func() {
		GinkgoHelper()
		before := scrapeConfig.DeepCopy()
		Expect(mutator.Mutate(ctx, scrapeConfig, nil)).To(Succeed())
		Expect(scrapeConfig).To(Equal(before))
	}

	It("should withhold the targets that are noted as long as there is an Extension", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		Expect(mutator.Mutate(ctx, scrapeConfig, nil)).To(Succeed())
		Expect(handover.Targets(scrapeConfig)).To(ConsistOf("p-seed.two"))
		expectUnchanged()
	})

	It("should change nothing on which nothing is noted", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		scrapeConfig.Annotations = nil
		expectUnchanged()
	})

	It("should change nothing without an Extension", func() {
		expectUnchanged()
	})

	It("should change nothing for an Extension that has released the garden Prometheus", func() {
		extension.Finalizers = []string{"test"}
		extension.Annotations = map[string]string{"otel-federation.extensions.gardener.cloud/released": "2026-01-01T00:00:00Z"}
		Expect(c.Create(ctx, extension)).To(Succeed())
		Expect(c.Delete(ctx, extension)).To(Succeed())
		expectUnchanged()
	})

	It("should change nothing that is being deleted", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		scrapeConfig.DeletionTimestamp = new(metav1.Now())
		failure = errors.New("fake")
		expectUnchanged()
	})

	It("should refuse the request if it cannot tell whether there is an Extension", func() {
		failure = errors.New("fake")
		Expect(mutator.Mutate(ctx, scrapeConfig, nil)).To(MatchError(And(ContainSubstring("ScrapeConfig garden/garden-prometheus-aggregate-ingress"), MatchRegexp("fake: try again$"))))
	})

	It("should refuse objects of another kind", func() {
		Expect(mutator.Mutate(ctx, &corev1.Pod{}, nil)).To(MatchError(ContainSubstring("*v1.Pod")))
	})
})
