// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	operatorclient "github.com/gardener/gardener/pkg/operator/client"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
)

// accessObjects returns the objects by which the virtual garden is reached.
func accessObjects(server string, ca []byte, token string) (*operatorv1alpha1.Garden, *corev1.Secret, *corev1.Secret) {
	GinkgoHelper()

	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.CurrentContext = "garden"
	kubeconfig.Contexts["garden"] = &clientcmdapi.Context{Cluster: "garden", AuthInfo: "garden"}
	kubeconfig.Clusters["garden"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	kubeconfig.AuthInfos["garden"] = &clientcmdapi.AuthInfo{TokenFile: "/does/not/exist"}
	raw, err := clientcmd.Write(*kubeconfig)
	Expect(err).NotTo(HaveOccurred())

	return &operatorv1alpha1.Garden{ObjectMeta: metav1.ObjectMeta{
			Name:        "garden",
			Annotations: map[string]string{"generic-token-kubeconfig.secret.gardener.cloud/name": "generic-token-kubeconfig-1234"},
		}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "generic-token-kubeconfig-1234"},
			Data:       map[string][]byte{"kubeconfig": raw},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "shoot-access-otel-federation"},
			Data:       map[string][]byte{"token": []byte(token)},
		}
}

var _ = Describe("Access to the virtual garden", func() {
	var (
		ctx                        = context.Background()
		fakeClient                 client.Client
		garden                     *operatorv1alpha1.Garden
		kubeconfigSecret, tokenRef *corev1.Secret
	)

	create := func() {
		GinkgoHelper()
		for _, obj := range []client.Object{garden, kubeconfigSecret, tokenRef} {
			if obj.GetName() != "" {
				Expect(fakeClient.Create(ctx, obj)).To(Succeed())
			}
		}
	}

	BeforeEach(func() {
		fakeClient = fakeclient.NewClientBuilder().WithScheme(operatorclient.RuntimeScheme).Build()
		garden, kubeconfigSecret, tokenRef = accessObjects("https://virtual-garden-kube-apiserver", []byte("ca"), "sesame")
	})

	DescribeTable("should qualify the address of a Service only", func(server, expected string) {
		garden, kubeconfigSecret, tokenRef = accessObjects(server, []byte("ca"), "sesame")
		create()
		access, err := VirtualGardenAccess(ctx, fakeClient, "garden")
		Expect(err).NotTo(HaveOccurred())
		Expect(access.Config.Host).To(Equal(expected))
		Expect(access.Config.CAData).To(Equal([]byte("ca")))
		Expect(access.Config.BearerToken).To(BeEmpty())
		Expect(access.Config.BearerTokenFile).To(BeEmpty())
	},
		Entry("Service", "https://virtual-garden-kube-apiserver", "https://virtual-garden-kube-apiserver.garden.svc"),
		Entry("Service with port", "https://virtual-garden-kube-apiserver:443", "https://virtual-garden-kube-apiserver.garden.svc:443"),
		Entry("domain", "https://api.virtual-garden.local.gardener.cloud", "https://api.virtual-garden.local.gardener.cloud"),
		Entry("IPv4", "https://198.18.1.1:6443", "https://198.18.1.1:6443"),
		Entry("IPv6", "https://[::1]:6443", "https://[::1]:6443"),
		Entry("localhost", "https://localhost:6443", "https://localhost:6443"),
	)

	It("should have a fingerprint that changes with the address and the CA, but not with the token", func() {
		fingerprint := func(server, ca, token string) string {
			GinkgoHelper()
			fakeClient = fakeclient.NewClientBuilder().WithScheme(operatorclient.RuntimeScheme).Build()
			garden, kubeconfigSecret, tokenRef = accessObjects(server, []byte(ca), token)
			create()
			access, err := VirtualGardenAccess(ctx, fakeClient, "garden")
			Expect(err).NotTo(HaveOccurred())
			return access.Fingerprint
		}

		reference := fingerprint("https://foo", "ca", "token")
		Expect(fingerprint("https://foo", "ca", "other")).To(Equal(reference))
		Expect(fingerprint("https://bar", "ca", "token")).NotTo(Equal(reference))
		Expect(fingerprint("https://foo", "ca2", "token")).NotTo(Equal(reference))
	})

	DescribeTable("should say what is missing", func(change func(), message string) {
		change()
		create()
		_, err := VirtualGardenClient(ctx, fakeClient, "garden")
		Expect(err).To(MatchError(ErrNoAccess))
		Expect(err).To(MatchError(ContainSubstring(message)))
	},
		Entry("Garden", func() { garden.Name = "" }, "there are 0 Gardens"),
		Entry("annotation", func() { garden.Annotations = nil }, "Garden garden has no annotation"),
		Entry("kubeconfig", func() { kubeconfigSecret.Name = "" }, "Secret garden/generic-token-kubeconfig-1234 does not exist"),
		Entry("access Secret", func() { tokenRef.Name = "" }, "Secret garden/shoot-access-otel-federation does not exist"),
		Entry("token", func() { tokenRef.Data = nil }, "Secret garden/shoot-access-otel-federation has no token yet"),
	)

	It("should refuse a server without TLS", func() {
		garden, kubeconfigSecret, tokenRef = accessObjects("http://foo", nil, "sesame")
		create()
		_, err := VirtualGardenAccess(ctx, fakeClient, "garden")
		Expect(err).To(MatchError(ContainSubstring("its server is no https URL")))
	})

	It("should send the token of the access Secret, and the new one after a rotation, with the same client", func() {
		var accepted atomic.Value
		accepted.Store("Bearer first")
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != accepted.Load() {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		DeferCleanup(server.Close)
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		garden, kubeconfigSecret, tokenRef = accessObjects(server.URL, ca, "first")
		create()

		access, err := VirtualGardenAccess(ctx, fakeClient, "garden")
		Expect(err).NotTo(HaveOccurred())
		httpClient, err := rest.HTTPClientFor(access.Config)
		Expect(err).NotTo(HaveOccurred())
		status := func() int {
			GinkgoHelper()
			response, err := httpClient.Get(access.Config.Host)
			Expect(err).NotTo(HaveOccurred())
			Expect(response.Body.Close()).To(Succeed())
			return response.StatusCode
		}
		Expect(status()).To(Equal(http.StatusOK))

		tokenRef.Data["token"] = []byte("second")
		Expect(fakeClient.Update(ctx, tokenRef)).To(Succeed())
		Expect(status()).To(Equal(http.StatusOK), "the token is remembered for some seconds")

		accepted.Store("Bearer second")
		Expect(status()).To(Equal(http.StatusUnauthorized))
		Expect(status()).To(Equal(http.StatusOK), "a refused token is forgotten")
	})
})

var _ = Describe("#VirtualGardenObjects", func() {
	It("should allow no more than necessary", func() {
		objects := VirtualGardenObjects()
		Expect(objects).To(HaveLen(3))

		serviceAccount, ok := objects[0].(*corev1.ServiceAccount)
		Expect(ok).To(BeTrue())
		Expect(client.ObjectKeyFromObject(serviceAccount)).To(Equal(client.ObjectKey{Namespace: "kube-system", Name: "otel-federation"}))
		Expect(serviceAccount.AutomountServiceAccountToken).To(HaveValue(BeFalse()))

		role, ok := objects[1].(*rbacv1.ClusterRole)
		Expect(ok).To(BeTrue())
		Expect(role.Rules).To(ConsistOf(
			rbacv1.PolicyRule{APIGroups: []string{"core.gardener.cloud"}, Resources: []string{"seeds"}, Verbs: []string{"list", "watch"}},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"otel-federation"}, Verbs: []string{"list", "watch", "update", "delete"}},
			rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{"otel-federation"}, Verbs: []string{"list", "watch", "patch"}},
		))

		binding, ok := objects[2].(*rbacv1.ClusterRoleBinding)
		Expect(ok).To(BeTrue())
		Expect(binding.RoleRef.Name).To(Equal(role.Name))
		Expect(binding.Subjects).To(ConsistOf(rbacv1.Subject{Kind: "ServiceAccount", Namespace: "kube-system", Name: "otel-federation"}))
	})
})

var _ = Describe("#AddToManagerWithOptions", func() {
	It("should refuse to run for other classes than garden", func() {
		for _, classes := range [][]extensionsv1alpha1.ExtensionClass{nil, {"seed"}, {"garden", "seed"}} {
			Expect(AddToManagerWithOptions(context.Background(), nil, AddOptions{ExtensionClasses: classes})).
				To(MatchError(ContainSubstring(`works only for the extension class "garden"`)))
		}
	})
})
