// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
)

var _ = Describe("Predicates", func() {
	updated := func(p predicate.Predicate, before, after client.Object) bool {
		return p.Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after})
	}
	onlyUpdates := func(p predicate.Predicate, obj client.Object) {
		GinkgoHelper()
		Expect(p.Create(event.CreateEvent{Object: obj})).To(BeFalse())
		Expect(p.Generic(event.GenericEvent{Object: obj})).To(BeFalse())
		Expect(updated(p, &corev1.Pod{}, obj)).To(BeFalse(), "object of another kind")
		Expect(updated(p, obj, &corev1.Pod{})).To(BeFalse(), "object of another kind")
	}

	Describe("of the Garden", func() {
		var before, after *operatorv1alpha1.Garden

		BeforeEach(func() {
			before = newGarden("local")
			after = before.DeepCopy()
		})

		It("should admit nothing else", func() {
			after.Labels = map[string]string{"foo": "bar"}
			after.Status.ObservedGeneration++
			Expect(updated(GardenPredicate(), before, after)).To(BeFalse())
			Expect(GardenPredicate().Delete(event.DeleteEvent{Object: after})).To(BeFalse())
			onlyUpdates(GardenPredicate(), after)
		})

		DescribeTable("should admit", func(change func()) {
			change()
			Expect(updated(GardenPredicate(), before, after)).To(BeTrue())
			Expect(updated(GardenPredicate(), after, after.DeepCopy())).To(BeFalse())
		},
			Entry("another ingress domain", func() { after.Spec.RuntimeCluster.Ingress.Domains[0].Name = "foo" }),
			Entry("the next phase of the rotation of the CAs", func() {
				after.Status.Credentials = &operatorv1alpha1.Credentials{Rotation: &operatorv1alpha1.CredentialsRotation{
					CertificateAuthorities: &gardencorev1beta1.CARotation{Phase: gardencorev1beta1.RotationPreparing},
				}}
			}),
			Entry("the end of an operation", func() {
				before.Status.LastOperation = &gardencorev1beta1.LastOperation{State: gardencorev1beta1.LastOperationStateProcessing}
				after.Status.LastOperation = &gardencorev1beta1.LastOperation{State: gardencorev1beta1.LastOperationStateSucceeded}
			}),
		)
	})

	Describe("of the StatefulSets of the fan-out", func() {
		var before, after *appsv1.StatefulSet

		BeforeEach(func() {
			before = &appsv1.StatefulSet{Status: appsv1.StatefulSetStatus{Replicas: 1, UpdatedReplicas: 1}}
			after = before.DeepCopy()
			after.Status.ReadyReplicas = 1
		})

		It("should admit one that has become ready", func() {
			Expect(updated(RolloutPredicate(), before, after)).To(BeTrue())
			onlyUpdates(RolloutPredicate(), after)
		})

		It("should admit one that has been changed and is ready at once", func() {
			before = after.DeepCopy()
			after.Generation, after.Status.ObservedGeneration = 1, 1
			Expect(updated(RolloutPredicate(), before, after)).To(BeTrue())
		})

		It("should not admit one that stays as it was, or is not ready", func() {
			Expect(updated(RolloutPredicate(), after, after.DeepCopy())).To(BeFalse())
			Expect(updated(RolloutPredicate(), after, before)).To(BeFalse())
		})
	})

	Describe("of the Extension", func() {
		withStatus := func(status string) *extensionsv1alpha1.Extension {
			ex := &extensionsv1alpha1.Extension{Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}}}
			ex.Status.ProviderStatus = &runtime.RawExtension{Raw: []byte(
				`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationStatus"` + status + `}`)}
			return ex
		}
		const detached = `,"fanOut":{"detachedReplicas":[{"name":"prometheus-garden-1","since":"2026-01-01T00:00:00Z"}]}`

		It("should admit a replica of the garden Prometheus that is detached, or attached again", func() {
			Expect(updated(FanOutPredicate(), withStatus(""), withStatus(detached))).To(BeTrue())
			Expect(updated(FanOutPredicate(), withStatus(detached), withStatus(""))).To(BeTrue())
			onlyUpdates(FanOutPredicate(), withStatus(detached))
		})

		It("should not admit what the hand-over writes, nor other Extensions", func() {
			Expect(updated(FanOutPredicate(), withStatus(""), withStatus(`,"seeds":[{"name":"foo","state":"Push"}]`))).To(BeFalse())
			other := withStatus(detached)
			other.Spec.Class = new(extensionsv1alpha1.ExtensionClassSeed)
			Expect(updated(FanOutPredicate(), withStatus(""), other)).To(BeFalse())
		})
	})
})
