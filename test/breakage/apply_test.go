// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package breakage_test

import (
	"context"
	"fmt"

	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/kubernetes/health"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// breakage is a change that breaks the federation.
type breakage struct {
	// seedCollector changes the collector of the seed.
	seedCollector func(*otelv1beta1.Config)
	// gardenCollectors changes the fan-out collectors.
	gardenCollectors func(*otelv1beta1.Config)
	// gardenPrometheus changes the garden Prometheus.
	gardenPrometheus func(*monitoringv1.Prometheus)
	// changes are changes of the seed's corpus which are made after that.
	changes *corpus.Changes
	// families are families that must be named.
	families []string
	// intact are families that must not be named.
	intact []string
}

// apply makes the change and returns a function that undoes it.
func (b breakage) apply(ctx context.Context) func(context.Context) {
	var restores []func(context.Context)
	if b.seedCollector != nil {
		restores = append(restores, change(ctx, ls.Seed(seed), constants.SeedCollectorName, collectors(b.seedCollector, constants.SeedCollectorName)))
	}
	if b.gardenCollectors != nil {
		restores = append(restores, change(ctx, ls.Runtime(), constants.GardenCollectorName,
			collectors(b.gardenCollectors, constants.GardenCollectorName+"-0", constants.GardenCollectorName+"-1")))
	}
	if b.gardenPrometheus != nil {
		restores = append(restores, change(ctx, ls.Runtime(), "prometheus-garden", func(ctx context.Context, c client.Client) {
			prometheus := &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: "garden"}}
			update(ctx, c, prometheus, func() { b.gardenPrometheus(prometheus) })
		}))
	}
	if b.changes != nil {
		expectFederatedAnew(ctx)
		Expect(ls.ChangeCorpus(seed, *b.changes)).To(Succeed())
		restores = append(restores, func(context.Context) { Expect(ls.ChangeCorpus(seed, corpus.Changes{})).To(Succeed()) })
	}
	return func(ctx context.Context) {
		for _, restore := range restores {
			restore(ctx)
		}
	}
}

// change changes objects of a ManagedResource and returns a function that lets gardener-resource-manager undo it.
func change(ctx context.Context, c client.Client, managedResource string, do func(context.Context, client.Client)) func(context.Context) {
	ignore(ctx, c, managedResource, true)
	do(ctx, c)
	return func(ctx context.Context) { ignore(ctx, c, managedResource, false) }
}

func ignore(ctx context.Context, c client.Client, managedResource string, ignored bool) {
	object := &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: managedResource}}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%t"}}}`, resourcesv1alpha1.Ignore, ignored)
	ExpectWithOffset(2, c.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

func collectors(modify func(*otelv1beta1.Config), names ...string) func(context.Context, client.Client) {
	return func(ctx context.Context, c client.Client) {
		for _, name := range names {
			collector := &otelv1beta1.OpenTelemetryCollector{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: name}}
			before, current := podOf(name), podOf(name)
			Expect(c.Get(ctx, client.ObjectKeyFromObject(before), before)).To(Succeed())
			update(ctx, c, collector, func() { modify(&collector.Spec.Config) })
			Eventually(func(g Gomega) {
				g.Expect(c.Get(ctx, client.ObjectKeyFromObject(current), current)).To(Succeed())
				g.Expect(current.UID).NotTo(Equal(before.UID))
				g.Expect(health.CheckPod(current)).To(Succeed())
			}).Should(Succeed(), "pod %s with the changed configuration", before.Name)
		}
	}
}

func podOf(collector string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: collector + "-collector-0"}}
}

func update(ctx context.Context, c client.Client, object client.Object, modify func()) {
	Eventually(func(g Gomega) {
		g.Expect(c.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		modify()
		g.Expect(c.Update(ctx, object)).To(Succeed())
	}).Should(Succeed())
}
