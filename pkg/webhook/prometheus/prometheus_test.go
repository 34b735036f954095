// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package prometheus_test

import (
	"context"
	"errors"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/webhook/prometheus"
)

var _ = Describe("Mutator", func() {
	var (
		ctx       = context.Background()
		failure   error
		logged    string
		c         client.Client
		mutator   extensionswebhook.Mutator
		extension *extensionsv1alpha1.Extension
		p         *monitoringv1.Prometheus
	)

	BeforeEach(func() {
		failure, logged = nil, ""
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if failure != nil {
					return failure
				}
				return c.List(ctx, list, opts...)
			},
		}).Build()
		mutator = NewMutator(funcr.New(func(_, args string) { logged += args }, funcr.Options{}), c)

		extension = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden-otel-federation"},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}},
		}
		p = &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden"}}
	})

	expectUnchanged := func() {
		GinkgoHelper()
		before := p.DeepCopy()
		Expect(mutator.Mutate(ctx, p, nil)).To(Succeed())
		Expect(p).To(Equal(before))
	}

	It("should enable the receiver for an Extension", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		Expect(mutator.Mutate(ctx, p, nil)).To(Succeed())
		Expect(receiver.Enabled(p, receiver.DefaultOutOfOrderTimeWindow)).To(BeTrue())
		Expect(logged).To(BeEmpty())
	})

	It("should change nothing that is enabled", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		Expect(mutator.Mutate(ctx, p, nil)).To(Succeed())
		expectUnchanged()
	})

	It("should use the window that the controller has noted", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		p.Annotations = map[string]string{"otel-federation.extensions.gardener.cloud/out-of-order-time-window": "6h0m0s"}
		Expect(mutator.Mutate(ctx, p, nil)).To(Succeed())
		Expect(p.Spec.TSDB.OutOfOrderTimeWindow).To(HaveValue(Equal(monitoringv1.Duration("6h"))))
	})

	It("should use the default window and say so if it cannot read what is noted", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		p.Annotations = map[string]string{"otel-federation.extensions.gardener.cloud/out-of-order-time-window": "soon"}
		Expect(mutator.Mutate(ctx, p, nil)).To(Succeed())
		Expect(p.Spec.TSDB.OutOfOrderTimeWindow).To(HaveValue(Equal(monitoringv1.Duration("2h"))))
		Expect(logged).To(ContainSubstring("Using the default out-of-order time window"))
	})

	It("should change nothing of a Prometheus that is too old, and say so", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		p.Spec.Version = "v3.3.0"
		expectUnchanged()
		Expect(logged).To(ContainSubstring("upgrade Gardener"))
	})

	It("should change nothing without an Extension", func() {
		expectUnchanged()
	})

	It("should change nothing for an Extension in another namespace", func() {
		extension.Namespace = "foo"
		Expect(c.Create(ctx, extension)).To(Succeed())
		expectUnchanged()
	})

	It("should change nothing that is being deleted", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		p.DeletionTimestamp = new(metav1.Now())
		failure = errors.New("fake")
		expectUnchanged()
	})

	It("should refuse the request if it cannot tell whether there is an Extension", func() {
		failure = errors.New("fake")
		Expect(mutator.Mutate(ctx, p, nil)).To(MatchError(And(ContainSubstring("Prometheus garden/garden"), MatchRegexp("fake: try again$"))))
	})

	It("should refuse the request if it cannot read the window that is set", func() {
		Expect(c.Create(ctx, extension)).To(Succeed())
		p.Spec.TSDB = &monitoringv1.TSDBSpec{OutOfOrderTimeWindow: new(monitoringv1.Duration("soon"))}
		Expect(mutator.Mutate(ctx, p, nil)).To(MatchError(ContainSubstring("spec.tsdb.outOfOrderTimeWindow of Prometheus garden/garden")))
	})

	It("should refuse objects of another kind", func() {
		Expect(NewMutator(logr.Discard(), c).Mutate(ctx, &corev1.Pod{}, nil)).To(MatchError(ContainSubstring("*v1.Pod")))
	})
})
