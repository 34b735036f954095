// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

var _ = Describe("Webhook for the garden Prometheus", func() {
	var (
		extension *extensionsv1alpha1.Extension
		// desired is what Gardener wants.
		desired *monitoringv1.Prometheus
	)

	BeforeEach(func() {
		extension = newExtension()
		desired = newPrometheus(constants.GardenPrometheusName)
	})

	// createEnabled creates the Prometheus, and waits until the replicas have seen the Extension, which they cache.
	createEnabled := func(ctx context.Context) {
		GinkgoHelper()
		create(ctx, extension)
		create(ctx, desired.DeepCopy())
		Eventually(ctx, func(g Gomega) {
			g.Expect(apply(ctx, g, desired)).To(Satisfy(enabled))
		}).Should(Succeed())
	}

	It("should be registered such that uninstalling the extension removes it", func(ctx context.Context) {
		releaseNamespaceObject := &corev1.Namespace{}
		Expect(cluster.Client.Get(ctx, client.ObjectKey{Name: releaseNamespace}, releaseNamespaceObject)).To(Succeed())

		Eventually(ctx, func(g Gomega) {
			g.Expect(configuration(ctx, g).OwnerReferences).To(ConsistOf(metav1.OwnerReference{
				APIVersion: "v1", Kind: "Namespace", Name: releaseNamespace, UID: releaseNamespaceObject.UID, Controller: new(true), BlockOwnerDeletion: new(false),
			}))
		}).Should(Succeed())
	})

	It("should enable the receiver of a new Prometheus", func(ctx context.Context) {
		createEnabled(ctx)
		Expect(cluster.Client.Delete(ctx, desired)).To(Succeed())

		p := desired.DeepCopy()
		create(ctx, p)
		Expect(p).To(Satisfy(enabled))
	})

	It("should enable the receiver as soon as there is an Extension and somebody touches the Prometheus", func(ctx context.Context) {
		p := desired.DeepCopy()
		create(ctx, p)
		Expect(p).To(Satisfy(untouched))
		Expect(apply(ctx, Default, desired)).To(Satisfy(untouched))

		create(ctx, extension)
		Eventually(ctx, func(g Gomega) {
			g.Expect(cluster.Client.Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte("{}")))).To(Succeed())
			g.Expect(p).To(Satisfy(enabled))
		}).Should(Succeed())
		Expect(p.Spec.Replicas).To(HaveValue(Equal(int32(2))))
		Expect(p.Spec.EvaluationInterval).To(Equal(monitoringv1.Duration("1m")))
	})

	It("should not let Gardener's version through, and cause no write", func(ctx context.Context) {
		createEnabled(ctx)
		before := apply(ctx, Default, desired)

		for range 5 {
			p := apply(ctx, Default, desired)
			Expect(p).To(Satisfy(enabled))
			Expect(p.ResourceVersion).To(Equal(before.ResourceVersion))
			Expect(p.Generation).To(Equal(before.Generation))
		}
	})

	It("should use the window that is noted, and never lower one", func(ctx context.Context) {
		createEnabled(ctx)
		p := apply(ctx, Default, desired)
		annotate(ctx, p, constants.AnnotationOutOfOrderTimeWindow, "6h0m0s")
		Expect(p.Spec.TSDB.OutOfOrderTimeWindow).To(HaveValue(Equal(monitoringv1.Duration("6h"))))

		desired.Spec.TSDB = &monitoringv1.TSDBSpec{OutOfOrderTimeWindow: new(monitoringv1.Duration("1d"))}
		Expect(apply(ctx, Default, desired).Spec.TSDB.OutOfOrderTimeWindow).To(HaveValue(Equal(monitoringv1.Duration("1d"))))
	})

	It("should merge with what Gardener sets", func(ctx context.Context) {
		create(ctx, extension)
		desired.Spec.OTLP = &monitoringv1.OTLPConfig{PromoteResourceAttributes: []string{"foo"}}
		create(ctx, desired.DeepCopy())
		Eventually(ctx, func(g Gomega) {
			p := apply(ctx, g, desired)
			g.Expect(p).To(Satisfy(enabled))
			g.Expect(p.Spec.OTLP.PromoteResourceAttributes).To(ConsistOf("foo", "prometheus", "prometheus_replica"))
		}).Should(Succeed())
	})

	It("should leave other Prometheis alone", func(ctx context.Context) {
		createEnabled(ctx)

		longterm := newPrometheus("longterm")
		create(ctx, longterm)
		Expect(longterm).To(Satisfy(untouched))
		Expect(apply(ctx, Default, newPrometheus("longterm"))).To(Satisfy(untouched))

		imitation := newPrometheus("imitation")
		imitation.Labels = desired.Labels
		create(ctx, imitation)
		Expect(imitation).To(Satisfy(untouched))

		elsewhere := newPrometheus(constants.GardenPrometheusName)
		elsewhere.Namespace = "default"
		create(ctx, elsewhere)
		Expect(elsewhere).To(Satisfy(untouched))
	})

	It("should give the Prometheus back only once the Extension has released it", func(ctx context.Context) {
		createEnabled(ctx)

		Expect(cluster.Client.Delete(ctx, extension)).To(Succeed())
		Consistently(ctx, func(g Gomega) {
			g.Expect(apply(ctx, g, desired)).To(Satisfy(enabled))
		}).Should(Succeed())

		annotate(ctx, extension, constants.AnnotationReleased, "2026-01-01T00:00:00Z")
		Eventually(ctx, func(g Gomega) {
			g.Expect(apply(ctx, g, desired)).To(Satisfy(untouched))
		}).Should(Succeed())
		before := apply(ctx, Default, desired)
		Expect(apply(ctx, Default, desired).ResourceVersion).To(Equal(before.ResourceVersion))
	})

	Describe("replicas", func() {
		AfterEach(func() {
			for _, replica := range replicas {
				if replica.result == nil {
					replica.start()
				}
			}
		})

		It("should serve with one of them, let nothing through without any, and resume", func(ctx context.Context) {
			createEnabled(ctx)
			longterm := newPrometheus("longterm")
			create(ctx, longterm.DeepCopy())
			before := apply(ctx, Default, desired)
			bundle := caBundle(ctx, Default)

			By("stopping one")
			replicas[0].stop()
			Expect(apply(ctx, Default, desired).ResourceVersion).To(Equal(before.ResourceVersion))

			By("stopping the other one")
			replicas[1].stop()
			p := before.DeepCopy()
			p.Spec = desired.Spec
			err := cluster.Client.Update(ctx, p)
			Expect(err).To(MatchError(apierrors.IsInternalError, "IsInternalError"))
			Expect(err).To(MatchError(ContainSubstring(`failed calling webhook "prometheus.otel-federation-runtime.extensions.gardener.cloud"`)))
			longterm.Spec.Replicas = new(int32(1))
			Expect(apply(ctx, Default, longterm).Spec.Replicas).To(HaveValue(Equal(int32(1))))

			By("removing the Prometheus, which must not depend on the webhook")
			Expect(cluster.Client.Get(ctx, keyOf(before), p)).To(Succeed())
			Expect(p.ResourceVersion).To(Equal(before.ResourceVersion))
			Expect(cluster.Client.Delete(ctx, p, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
			Expect(cluster.Client.Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
			Expect(cluster.Client.Get(ctx, keyOf(before), p)).To(MatchError(apierrors.IsNotFound, "IsNotFound"))

			By("starting one again")
			replicas[1].start()
			create(ctx, desired.DeepCopy())
			Expect(apply(ctx, Default, desired)).To(Satisfy(enabled))
			Expect(caBundle(ctx, Default)).To(Equal(bundle))
		}, NodeTimeout(2*time.Minute))
	})
})
