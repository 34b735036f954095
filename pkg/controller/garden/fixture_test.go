// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

const (
	name             = "otel-federation-garden"
	host             = "otel-federation.ingress.garden.local"
	gatewayNamespace = "virtual-garden-istio-ingress"
)

// keys are handed out in turns instead of new ones, whose generation is slow.
var keys []*rsa.PrivateKey

var _ = BeforeSuite(func() {
	for range 5 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		Expect(err).NotTo(HaveOccurred())
		keys = append(keys, key)
	}

	generateKey, next := secretsutils.GenerateKey, 0
	secretsutils.GenerateKey = func(io.Reader, int) (*rsa.PrivateKey, error) {
		next++
		return keys[next%len(keys)], nil
	}
	DeferCleanup(func() { secretsutils.GenerateKey = generateKey })
})

func newGarden(name string) *operatorv1alpha1.Garden {
	return &operatorv1alpha1.Garden{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: operatorv1alpha1.GardenSpec{RuntimeCluster: operatorv1alpha1.RuntimeCluster{
			Ingress: operatorv1alpha1.Ingress{Domains: []operatorv1alpha1.DNSDomain{{Name: "ingress.garden.local"}, {Name: "other.local"}}},
		}},
	}
}

// prometheusIngress is what gardener-operator exposes the garden Prometheus with.
func prometheusIngress() []client.Object {
	return []client.Object{
		&istionetworkingv1beta1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Name: "virtual-garden-prometheus-garden", Namespace: "garden"},
			Spec:       istioapinetworkingv1beta1.Gateway{Selector: map[string]string{"istio": "gateway"}},
		},
		newVirtualService("virtual-garden-prometheus-garden", "prometheus.ingress.garden.local"),
	}
}

func newVirtualService(name, host string) *istionetworkingv1beta1.VirtualService {
	return &istionetworkingv1beta1.VirtualService{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "garden"},
		Spec:       istioapinetworkingv1beta1.VirtualService{Hosts: []string{host}, ExportTo: []string{gatewayNamespace}},
	}
}

// wildcard returns a wildcard certificate and the CA that signed it.
func wildcard() (*corev1.Secret, []byte) {
	GinkgoHelper()

	ca, err := (&secretsutils.CertificateSecretConfig{Name: "ca", CommonName: "ca", CertType: secretsutils.CACert, Validity: new(time.Hour)}).GenerateCertificate()
	Expect(err).NotTo(HaveOccurred())
	server, err := (&secretsutils.CertificateSecretConfig{
		Name: "server", CommonName: "server", DNSNames: []string{"*.ingress.garden.local"}, CertType: secretsutils.ServerCert, SigningCA: ca, Validity: new(time.Hour),
	}).GenerateCertificate()
	Expect(err).NotTo(HaveOccurred())

	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "wildcard", Namespace: "garden", Labels: map[string]string{"gardener.cloud/role": "garden-cert"}},
		Data:       map[string][]byte{"tls.crt": server.CertificatePEM, "tls.key": server.PrivateKeyPEM},
	}, ca.CertificatePEM
}

// resourceVersions returns the versions of everything that the actuator may write.
func resourceVersions(ctx context.Context, c client.Client) map[string]string {
	GinkgoHelper()

	out := map[string]string{}
	add := func(kind string, obj client.Object) {
		out[fmt.Sprintf("%s %s/%s", kind, obj.GetNamespace(), obj.GetName())] = obj.GetResourceVersion()
	}

	secrets, configMaps, managedResources := &corev1.SecretList{}, &corev1.ConfigMapList{}, &resourcesv1alpha1.ManagedResourceList{}
	Expect(c.List(ctx, secrets)).To(Succeed())
	Expect(c.List(ctx, configMaps)).To(Succeed())
	Expect(c.List(ctx, managedResources)).To(Succeed())
	for i := range secrets.Items {
		add("Secret", &secrets.Items[i])
	}
	for i := range configMaps.Items {
		add("ConfigMap", &configMaps.Items[i])
	}
	for i := range managedResources.Items {
		add("ManagedResource", &managedResources.Items[i])
	}
	return out
}

// ignoreEmptyPatch does what the API server does. The fake client takes a patch for a change even if it says nothing, or
// nothing but the version that it expects.
func ignoreEmptyPatch(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	if string(data) == "{}" || string(data) == fmt.Sprintf(`{"metadata":{"resourceVersion":%q}}`, obj.GetResourceVersion()) {
		return nil
	}
	return c.Patch(ctx, obj, patch, opts...)
}

// newPrometheus is the garden Prometheus as gardener-operator wants it.
func newPrometheus() *monitoringv1.Prometheus {
	return &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Name: "garden", Namespace: "garden"}}
}

// newEnabledPrometheus is the garden Prometheus as the webhook leaves it.
func newEnabledPrometheus() *monitoringv1.Prometheus {
	prometheus := newPrometheus()
	prometheus.Annotations = map[string]string{"otel-federation.extensions.gardener.cloud/out-of-order-time-window": "2h0m0s"}
	Expect(receiver.Enable(prometheus, 2*time.Hour)).To(Succeed())
	return prometheus
}

func newPrometheusManagedResource() *resourcesv1alpha1.ManagedResource {
	return &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Name: "prometheus-garden", Namespace: "garden"}}
}

// newPrometheusPod is a ready replica of the garden Prometheus, with an OTLP receiver or from before it had one.
func newPrometheusPod(replica int, receives bool) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("prometheus-garden-%d", replica), Namespace: "garden"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "prometheus"}, {Name: "config-reloader"}}},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	if receives {
		pod.Spec.Containers[0].Args = []string{"--web.enable-otlp-receiver"}
	}
	return pod
}
