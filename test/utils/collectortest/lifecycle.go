// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectortest

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/component"
	"github.com/gardener/gardener/pkg/utils/retry"
	retryfake "github.com/gardener/gardener/pkg/utils/retry/fake"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"
)

// DescribeLifecycle are the specs about Destroy, Wait and WaitCleanup of the collector with the given name. The functions are
// called in the specs only.
func DescribeLifecycle(name string, getClient func() client.Client, deployer func() component.DeployWaiter) {
	var (
		ctx = context.Background()
		c   client.Client
	)

	BeforeEach(func() {
		c = getClient()

		ops := &retryfake.Ops{MaxAttempts: 2}
		until, untilTimeout := retry.Until, retry.UntilTimeout
		retry.Until, retry.UntilTimeout = ops.Until, ops.UntilTimeout
		DeferCleanup(func() { retry.Until, retry.UntilTimeout = until, untilTimeout })
	})

	Describe("#Destroy", func() {
		It("should delete the ManagedResource and its Secret", func() {
			managedResource := managedResource(name)
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "managedresource-" + name, Namespace: Namespace}}
			Expect(c.Create(ctx, managedResource)).To(Succeed())
			Expect(c.Create(ctx, secret)).To(Succeed())

			Expect(deployer().Destroy(ctx)).To(Succeed())

			Expect(c.Get(ctx, client.ObjectKeyFromObject(managedResource), managedResource)).To(BeNotFoundError())
			Expect(c.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(BeNotFoundError())
		})

		It("should succeed if there is nothing", func() {
			Expect(deployer().Destroy(ctx)).To(Succeed())
		})
	})

	Describe("#Wait", func() {
		It("should fail if there is no ManagedResource", func() {
			Expect(deployer().Wait(ctx)).To(MatchError(ContainSubstring("not found")))
		})

		It("should fail if the ManagedResource is not healthy", func() {
			Expect(c.Create(ctx, managedResource(name, gardencorev1beta1.Condition{Type: resourcesv1alpha1.ResourcesApplied, Status: gardencorev1beta1.ConditionTrue},
				gardencorev1beta1.Condition{Type: resourcesv1alpha1.ResourcesHealthy, Status: gardencorev1beta1.ConditionFalse}))).To(Succeed())

			Expect(deployer().Wait(ctx)).To(MatchError(ContainSubstring("managed resource garden/" + name + " is not healthy")))
		})

		It("should succeed if the ManagedResource is healthy", func() {
			Expect(c.Create(ctx, managedResource(name, gardencorev1beta1.Condition{Type: resourcesv1alpha1.ResourcesApplied, Status: gardencorev1beta1.ConditionTrue},
				gardencorev1beta1.Condition{Type: resourcesv1alpha1.ResourcesHealthy, Status: gardencorev1beta1.ConditionTrue}))).To(Succeed())

			Expect(deployer().Wait(ctx)).To(Succeed())
		})
	})

	Describe("#WaitCleanup", func() {
		meta := func() metav1.ObjectMeta {
			return metav1.ObjectMeta{Name: name + "-collector", Namespace: Namespace, Labels: PodSelector(name)}
		}

		It("should succeed if there is nothing", func() {
			Expect(deployer().WaitCleanup(ctx)).To(Succeed())
		})

		It("should fail as long as the ManagedResource exists", func() {
			Expect(c.Create(ctx, managedResource(name))).To(Succeed())
			Expect(deployer().WaitCleanup(ctx)).To(MatchError(And(ContainSubstring(name), ContainSubstring("still exists"))))
		})

		It("should fail as long as the OpenTelemetryCollector exists", func() {
			Expect(c.Create(ctx, &otelv1beta1.OpenTelemetryCollector{ObjectMeta: meta()})).To(Succeed())
			Expect(deployer().WaitCleanup(ctx)).To(MatchError(ContainSubstring("1 objects (*v1beta1.OpenTelemetryCollectorList) of " + name + " in namespace garden are left: is the OpenTelemetry operator running?")))
		})

		It("should fail as long as the StatefulSet exists", func() {
			Expect(c.Create(ctx, &appsv1.StatefulSet{ObjectMeta: meta()})).To(Succeed())
			Expect(deployer().WaitCleanup(ctx)).To(MatchError(ContainSubstring("1 objects (*v1.StatefulSetList) of " + name + " in namespace garden are left: is the OpenTelemetry operator running?")))
		})

		It("should fail as long as a pod exists, and keep its volume", func() {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: meta()}
			Expect(c.Create(ctx, claim)).To(Succeed())
			Expect(c.Create(ctx, &corev1.Pod{ObjectMeta: meta()})).To(Succeed())

			Expect(deployer().WaitCleanup(ctx)).To(MatchError(ContainSubstring("1 objects (*v1.PodList) of " + name + " in namespace garden are left: is the OpenTelemetry operator running?")))
			Expect(c.Get(ctx, client.ObjectKeyFromObject(claim), claim)).To(Succeed())
		})

		It("should delete the PersistentVolumeClaims of this collector and nothing else", func() {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: meta()}
			otherClaim := &corev1.PersistentVolumeClaim{ObjectMeta: meta()}
			otherClaim.Name, otherClaim.Labels = "other", PodSelector("other")
			otherNamespace := &corev1.PersistentVolumeClaim{ObjectMeta: meta()}
			otherNamespace.Namespace = "other"
			otherPod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "other", Namespace: Namespace, Labels: PodSelector("other")}}
			for _, obj := range []client.Object{claim, otherClaim, otherNamespace, otherPod} {
				Expect(c.Create(ctx, obj)).To(Succeed())
			}

			Expect(deployer().WaitCleanup(ctx)).To(Succeed())

			Expect(c.Get(ctx, client.ObjectKeyFromObject(claim), claim)).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
			for _, obj := range []client.Object{otherClaim, otherNamespace, otherPod} {
				Expect(c.Get(ctx, client.ObjectKeyFromObject(obj), obj)).To(Succeed())
			}
		})

		It("should fail as long as a PersistentVolumeClaim exists", func() {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: meta()}
			claim.Finalizers = []string{"kubernetes.io/pvc-protection"}
			Expect(c.Create(ctx, claim)).To(Succeed())

			Expect(deployer().WaitCleanup(ctx)).To(MatchError(ContainSubstring("1 objects (*v1.PersistentVolumeClaimList) of " + name + " in namespace garden are left: does a pod still use it?")))
		})
	})
}

func managedResource(name string, conditions ...gardencorev1beta1.Condition) *resourcesv1alpha1.ManagedResource {
	return &resourcesv1alpha1.ManagedResource{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace, Generation: 1},
		Status:     resourcesv1alpha1.ManagedResourceStatus{ObservedGeneration: 1, Conditions: conditions},
	}
}
