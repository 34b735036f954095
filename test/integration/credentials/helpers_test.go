// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"maps"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

const (
	genericTokenKubeconfig = v1beta1constants.SecretNameGenericTokenKubeconfig + "-test"
	endpoint               = "https://otel-federation.ingress.garden.example.com"
)

// createGarden creates what leads the controller to the virtual garden: by way of the proxy.
func createGarden(ctx context.Context) {
	GinkgoHelper()
	kubeconfig, err := (&secretsutils.KubeconfigSecretConfig{
		Name:        genericTokenKubeconfig,
		ContextName: "virtual-garden",
		Cluster:     clientcmdv1.Cluster{Server: "https://" + proxy.Address(), CertificateAuthorityData: virtualGarden.Config.CAData},
		AuthInfo:    clientcmdv1.AuthInfo{TokenFile: gardenerutils.PathShootToken},
	}).Generate()
	Expect(err).NotTo(HaveOccurred())
	Expect(runtimeCluster.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: genericTokenKubeconfig},
		Data:       kubeconfig.SecretData(),
	})).To(Succeed())

	garden := framework.NewGarden()
	garden.Annotations = map[string]string{v1beta1constants.AnnotationKeyGenericTokenKubeconfigSecretName: genericTokenKubeconfig}
	Expect(runtimeCluster.Client.Create(ctx, garden)).To(Succeed())
}

// createAccess does what gardener-resource-manager does for the access Secret. The ServiceAccount is one of
// VirtualGardenObjects.
func createAccess(ctx context.Context) {
	GinkgoHelper()
	Expect(runtimeCluster.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: "shoot-access-otel-federation"},
		Data:       map[string][]byte{"token": []byte(newToken(ctx))},
	})).To(Succeed())
}

// replaceServiceAccount makes all existing tokens invalid.
func replaceServiceAccount(ctx context.Context) {
	GinkgoHelper()
	Expect(virtualGarden.Client.Delete(ctx, serviceAccount())).To(Succeed())
	Expect(virtualGarden.Client.Create(ctx, serviceAccount())).To(Succeed())
}

func serviceAccount() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: constants.GardenAccessName}}
}

func newToken(ctx context.Context) string {
	GinkgoHelper()
	request := &authenticationv1.TokenRequest{}
	Expect(virtualGarden.Client.SubResource("token").Create(ctx, serviceAccount(), request)).To(Succeed())
	return request.Status.Token
}

// clientWithToken returns a client for the virtual garden that may do what the token allows.
func clientWithToken(token string) client.Client {
	GinkgoHelper()
	config := rest.AnonymousClientConfig(virtualGarden.Config)
	config.BearerToken = token
	c, err := client.New(config, client.Options{Scheme: virtualGarden.Client.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

func newIssuer(signingKeySecretName string) *credentials.IssuerConfig {
	return &credentials.IssuerConfig{
		Endpoint:             endpoint,
		SigningKeySecretName: signingKeySecretName,
		TokenValidity:        metav1.Duration{Duration: 24 * time.Hour},
		TokenRenewAfter:      metav1.Duration{Duration: 12 * time.Hour},
	}
}

// createSigningKey creates a signing key that remains until the test ends, and returns its id.
func createSigningKey(ctx context.Context, name string) string {
	GinkgoHelper()
	data, err := (&secretsutils.RSASecretConfig{Name: name, Bits: 2048}).Generate()
	Expect(err).NotTo(HaveOccurred())
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: name},
		Data:       data.SecretData(),
	}
	Expect(runtimeCluster.Client.Create(ctx, secret)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(runtimeCluster.Client.Delete(ctx, secret)).To(Succeed())
	})

	key, err := credentials.ParseSigningKey(secret)
	Expect(err).NotTo(HaveOccurred())
	return key.ID
}

// publish creates or changes the issuer configuration.
func publish(ctx context.Context, issuer *credentials.IssuerConfig) {
	GinkgoHelper()
	desired := issuer.ConfigMap(v1beta1constants.GardenNamespace)
	configMap := desired.DeepCopy()
	err := runtimeCluster.Client.Get(ctx, client.ObjectKeyFromObject(desired), configMap)
	if client.IgnoreNotFound(err) == nil && err != nil {
		Expect(runtimeCluster.Client.Create(ctx, desired)).To(Succeed())
		return
	}
	Expect(err).NotTo(HaveOccurred())
	configMap.Data = maps.Clone(desired.Data)
	Expect(runtimeCluster.Client.Update(ctx, configMap)).To(Succeed())
}

func withdraw(ctx context.Context) {
	GinkgoHelper()
	configMap := newIssuer("").ConfigMap(v1beta1constants.GardenNamespace)
	Expect(client.IgnoreNotFound(runtimeCluster.Client.Delete(ctx, configMap))).To(Succeed())
}

// createNamespace creates the Namespace of a Seed, as gardener-controller-manager does. It stays.
func createNamespace(ctx context.Context, seedName string) {
	GinkgoHelper()
	Expect(virtualGarden.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gardenerutils.ComputeGardenNamespace(seedName)}})).To(Succeed())
}

// createSeed creates a Seed that is gone with its Secret when the test ends.
func createSeed(ctx context.Context, name string) *gardencorev1beta1.Seed {
	GinkgoHelper()
	seed := framework.NewSeed(name)
	Expect(virtualGarden.Client.Create(ctx, seed)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(virtualGarden.Client.Delete(ctx, seed))).To(Succeed())
		Expect(client.IgnoreNotFound(virtualGarden.Client.Delete(ctx, emptySecret(name)))).To(Succeed())
	})
	return seed
}

func emptySecret(seedName string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: gardenerutils.ComputeGardenNamespace(seedName),
		Name:      constants.CredentialsSecretName,
	}}
}

func get(ctx context.Context, seedName string) (*corev1.Secret, error) {
	secret := emptySecret(seedName)
	return secret, virtualGarden.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret)
}

// haveCredentials returns a check that the Seed has a token which is signed with the given key and valid now.
func haveCredentials(ctx context.Context, seedName, keyID string) func(Gomega) {
	return func(g Gomega) {
		secret, err := get(ctx, seedName)
		g.Expect(err).NotTo(HaveOccurred())
		claims, usedKeyID, err := credentials.Inspect(string(secret.Data[constants.DataKeyToken]))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(usedKeyID).To(Equal(keyID))
		g.Expect(claims.Seed).To(Equal(seedName))
		g.Expect(claims.Expiry).To(BeTemporally(">", time.Now()))
	}
}

func haveNoCredentials(ctx context.Context, seedName string) func(Gomega) {
	return func(g Gomega) {
		_, err := get(ctx, seedName)
		g.Expect(err).To(BeNotFoundError())
	}
}
