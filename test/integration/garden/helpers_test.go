// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/resourcemanager/controller/garbagecollector/references"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

// gatewaySelector are the labels of the ingress gateway.
var gatewaySelector = map[string]string{"istio": "ingressgateway", "istio-role": "garden"}

// exposeGardenPrometheus creates what gardener-operator creates for the garden Prometheus, until the test ends.
func exposeGardenPrometheus(ctx context.Context) {
	GinkgoHelper()
	objectMeta := metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: "virtual-garden-prometheus-garden"}
	for _, object := range []client.Object{
		&istionetworkingv1beta1.Gateway{
			ObjectMeta: objectMeta,
			Spec:       istioapinetworkingv1beta1.Gateway{Selector: gatewaySelector},
		},
		&istionetworkingv1beta1.VirtualService{
			ObjectMeta: objectMeta,
			Spec:       istioapinetworkingv1beta1.VirtualService{ExportTo: []string{ingressNamespace}},
		},
	} {
		Expect(cluster.Client.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(cluster.Client.Delete(ctx, object)).To(Succeed())
		})
	}
}

// runGardenPrometheus creates the garden Prometheus, as the webhook leaves it, and its replicas until the test ends.
func runGardenPrometheus(ctx context.Context) {
	GinkgoHelper()
	prometheus := &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: constants.GardenPrometheusName}}
	Expect(receiver.Enable(prometheus, receiver.DefaultOutOfOrderTimeWindow)).To(Succeed())
	objects := []client.Object{prometheus}
	for i := range 2 {
		objects = append(objects, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: fmt.Sprintf("prometheus-garden-%d", i)},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "prometheus", Image: "prometheus", Args: []string{"--web.enable-otlp-receiver"}}}},
		})
	}
	for _, object := range objects {
		Expect(cluster.Client.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(cluster.Client.Delete(ctx, object, client.GracePeriodSeconds(0))).To(Succeed())
		})
		if pod, ok := object.(*corev1.Pod); ok {
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			Expect(cluster.Client.Status().Update(ctx, pod)).To(Succeed())
		}
	}
}

// createWildcardCertificate creates the wildcard certificate of the garden until the test ends, and returns its CA.
func createWildcardCertificate(ctx context.Context) string {
	GinkgoHelper()
	ca, err := (&secretsutils.CertificateSecretConfig{Name: "ca", CommonName: "ca", CertType: secretsutils.CACert}).GenerateCertificate()
	Expect(err).NotTo(HaveOccurred())
	certificate, err := (&secretsutils.CertificateSecretConfig{
		Name:       "wildcard",
		CommonName: "*.ingress.garden.example.com",
		DNSNames:   []string{"*.ingress.garden.example.com"},
		CertType:   secretsutils.ServerCert,
		SigningCA:  ca,
	}).GenerateCertificate()
	Expect(err).NotTo(HaveOccurred())

	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1beta1constants.GardenNamespace,
			Name:      "wildcard",
			Labels:    map[string]string{v1beta1constants.GardenRole: v1beta1constants.GardenRoleGardenWildcardCert},
		},
		Type: corev1.SecretTypeTLS,
		Data: certificate.SecretData(),
	}
	Expect(cluster.Client.Create(ctx, secret)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(cluster.Client.Delete(ctx, secret)).To(Succeed())
	})
	return string(ca.CertificatePEM)
}

func gateway(ctx context.Context, g Gomega) *istionetworkingv1beta1.Gateway {
	GinkgoHelper()
	return framework.ObjectOf[*istionetworkingv1beta1.Gateway](ctx, g, cluster.Client, constants.GardenCollectorName)
}

func ingressCondition(ctx context.Context, g Gomega, extension *framework.Extension) gardencorev1beta1.ConditionStatus {
	GinkgoHelper()
	condition := v1beta1helper.GetCondition(extension.Get(ctx, g).Status.Conditions, conditions.TypeIngressReady)
	g.Expect(condition).NotTo(BeNil())
	return condition.Status
}

func issuer(ctx context.Context, g Gomega) *credentials.IssuerConfig {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{}
	g.Expect(cluster.Client.Get(ctx, client.ObjectKey{Namespace: v1beta1constants.GardenNamespace, Name: constants.IssuerConfigMapName}, configMap)).To(Succeed())
	config, err := credentials.ParseIssuerConfig(configMap)
	g.Expect(err).NotTo(HaveOccurred())
	return config
}

func setLastOperation(ctx context.Context, garden *operatorv1alpha1.Garden, state gardencorev1beta1.LastOperationState) {
	GinkgoHelper()
	patch := client.MergeFrom(garden.DeepCopy())
	garden.Status.LastOperation = &gardencorev1beta1.LastOperation{
		LastUpdateTime: metav1.Now(),
		State:          state,
		Type:           gardencorev1beta1.LastOperationTypeReconcile,
	}
	Expect(cluster.Client.Status().Patch(ctx, garden, patch)).To(Succeed())
}

func changeGarden(ctx context.Context, garden *operatorv1alpha1.Garden, change func()) {
	GinkgoHelper()
	patch := client.MergeFrom(garden.DeepCopy())
	change()
	Expect(cluster.Client.Patch(ctx, garden, patch)).To(Succeed())
}

// versions returns the versions of the extension's objects by their kind and name, but for those Secrets of ManagedResources
// that gardener-resource-manager would have collected as garbage.
func versions(ctx context.Context) map[string]string {
	GinkgoHelper()
	var (
		result     = map[string]string{}
		referenced = map[string]bool{}
	)

	managedResources := &resourcesv1alpha1.ManagedResourceList{}
	secrets := &corev1.SecretList{}
	for kind, list := range map[string]client.ObjectList{
		"ConfigMap":             &corev1.ConfigMapList{},
		"ManagedResource":       managedResources,
		"PersistentVolumeClaim": &corev1.PersistentVolumeClaimList{},
		"Secret":                secrets,
	} {
		Expect(cluster.Client.List(ctx, list, client.InNamespace(v1beta1constants.GardenNamespace))).To(Succeed())
		Expect(meta.EachListItem(list, func(object runtime.Object) error {
			accessor, err := meta.Accessor(object)
			result[kind+" "+accessor.GetName()] = accessor.GetResourceVersion()
			return err
		})).To(Succeed())
	}

	for _, managedResource := range managedResources.Items {
		for _, ref := range managedResource.Spec.SecretRefs {
			referenced[ref.Name] = true
		}
	}
	for _, secret := range secrets.Items {
		if secret.Labels[references.LabelKeyGarbageCollectable] == references.LabelValueGarbageCollectable && !referenced[secret.Name] {
			delete(result, "Secret "+secret.Name)
		}
	}
	return result
}

// deleteLeftovers does what the garbage collection of gardener-resource-manager does.
func deleteLeftovers(ctx context.Context) {
	GinkgoHelper()
	Expect(cluster.Client.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(v1beta1constants.GardenNamespace),
		client.MatchingLabels{references.LabelKeyGarbageCollectable: references.LabelValueGarbageCollectable})).To(Succeed())
}
