// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func credentialsCondition(ex *extensionsv1alpha1.Extension) gardencorev1beta1.Condition {
	condition := v1beta1helper.GetCondition(ex.Status.Conditions, conditions.TypeCredentialsValid)
	if condition == nil {
		return gardencorev1beta1.Condition{}
	}
	return *condition
}

func collector(ctx context.Context, g Gomega) *otelv1beta1.OpenTelemetryCollector {
	GinkgoHelper()
	return framework.ObjectOf[*otelv1beta1.OpenTelemetryCollector](ctx, g, cluster.Client, constants.SeedCollectorName)
}

func configOf(collector *otelv1beta1.OpenTelemetryCollector) (string, error) {
	config, err := json.Marshal(&collector.Spec.Config)
	return string(config), err
}

func managedResource(ctx context.Context, g Gomega) *resourcesv1alpha1.ManagedResource {
	GinkgoHelper()
	object := &resourcesv1alpha1.ManagedResource{}
	g.Expect(cluster.Client.Get(ctx, client.ObjectKey{Namespace: v1beta1constants.GardenNamespace, Name: constants.SeedCollectorName}, object)).To(Succeed())
	return object
}

func exists(object client.Object) func(Gomega, context.Context) bool {
	return func(g Gomega, ctx context.Context) bool {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object))
		g.Expect(client.IgnoreNotFound(err)).To(Succeed())
		return !apierrors.IsNotFound(err)
	}
}

func changeCredentials(ctx context.Context, secret *corev1.Secret, key, value string) {
	GinkgoHelper()
	patch := client.MergeFrom(secret.DeepCopy())
	secret.Data[key] = []byte(value)
	Expect(cluster.Client.Patch(ctx, secret, patch)).To(Succeed())
}

// deleteCollector does what gardener-resource-manager does once the ManagedResource is deleted.
func deleteCollector(ctx context.Context) {
	GinkgoHelper()
	Expect(cluster.Client.Delete(ctx, &otelv1beta1.OpenTelemetryCollector{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: constants.SeedCollectorName},
	})).To(Succeed())
}

// createPod creates a pod like those that come from a collector with the given labels.
func createPod(ctx context.Context, labels map[string]string) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1beta1constants.GardenNamespace,
			Name:      "otel-federation-seed-collector-0",
			// The OpenTelemetry operator hands the labels of the collector down.
			Labels: labels,
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "otc-container", Image: "collector"}}},
	}
	create(ctx, pod)
	return pod
}

// createForeignClaim creates a volume that belongs to another collector.
func createForeignClaim(ctx context.Context) *corev1.PersistentVolumeClaim {
	GinkgoHelper()
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1beta1constants.GardenNamespace,
			Name:      "another-collector",
			Labels:    map[string]string{"app": "another-collector", "app.kubernetes.io/component": "opentelemetry-collector"},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	create(ctx, claim)
	return claim
}

// queueClaim returns the volume of the collector's queue.
func queueClaim(ctx context.Context, g Gomega) *corev1.PersistentVolumeClaim {
	GinkgoHelper()
	for _, volume := range collector(ctx, g).Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			claim := &corev1.PersistentVolumeClaim{}
			g.Expect(cluster.Client.Get(ctx, client.ObjectKey{Namespace: v1beta1constants.GardenNamespace, Name: volume.PersistentVolumeClaim.ClaimName}, claim)).To(Succeed())
			return claim
		}
	}
	g.Expect(collector(ctx, g).Spec.Volumes).To(ContainElement(HaveField("PersistentVolumeClaim", Not(BeNil()))))
	return nil
}

// bind does what the controller of PersistentVolumes does.
func bind(ctx context.Context, claim *corev1.PersistentVolumeClaim) {
	GinkgoHelper()
	claim.Spec.VolumeName = "volume"
	Expect(cluster.Client.Update(ctx, claim)).To(Succeed())
	claim.Status.Phase = corev1.ClaimBound
	claim.Status.Capacity = claim.Spec.Resources.Requests
	Expect(cluster.Client.Status().Update(ctx, claim)).To(Succeed())
}

// create creates an object that is gone when the test ends.
func create(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Expect(cluster.Client.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(cluster.Client.Delete(ctx, object))).To(Succeed())
	})
}
