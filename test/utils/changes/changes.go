// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package changes lets tests change what gardener-resource-manager has applied in a running landscape.
package changes

import (
	"context"
	"fmt"

	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/kubernetes/health"
)

// To changes objects of a ManagedResource in the namespace garden and returns a function that lets gardener-resource-manager undo it.
func To(ctx context.Context, c client.Client, managedResource string, do func(context.Context, client.Client)) func(context.Context) {
	ignore(ctx, c, managedResource, true)
	do(ctx, c)
	return func(ctx context.Context) { ignore(ctx, c, managedResource, false) }
}

func ignore(ctx context.Context, c client.Client, managedResource string, ignored bool) {
	object := &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: managedResource}}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%t"}}}`, resourcesv1alpha1.Ignore, ignored)
	ExpectWithOffset(2, c.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

// Collectors changes the configuration of OpenTelemetryCollectors and waits until they run with it.
func Collectors(modify func(*otelv1beta1.Config), names ...string) func(context.Context, client.Client) {
	return func(ctx context.Context, c client.Client) {
		for _, name := range names {
			collector := &otelv1beta1.OpenTelemetryCollector{ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: name}}
			before := podOf(name)
			Expect(c.Get(ctx, client.ObjectKeyFromObject(before), before)).To(Succeed())
			Update(ctx, c, collector, func() { modify(&collector.Spec.Config) })
			ExpectReplaced(ctx, c, before)
		}
	}
}

// ExpectReplaced waits until a pod has been replaced by a healthy one of the same name.
func ExpectReplaced(ctx context.Context, c client.Client, before *corev1.Pod) {
	current := &corev1.Pod{}
	Eventually(ctx, func(g Gomega) {
		g.Expect(c.Get(ctx, client.ObjectKeyFromObject(before), current)).To(Succeed())
		g.Expect(current.UID).NotTo(Equal(before.UID))
		g.Expect(health.CheckPod(current)).To(Succeed())
	}).Should(Succeed(), "pod %s with the changed configuration", before.Name)
}

func podOf(collector string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: collector + "-collector-0"}}
}

// Update changes an object, again if somebody else has changed it meanwhile.
func Update(ctx context.Context, c client.Client, object client.Object, modify func()) {
	Eventually(ctx, func(g Gomega) {
		g.Expect(c.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		modify()
		g.Expect(c.Update(ctx, object)).To(Succeed())
	}).Should(Succeed())
}
