// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	credentialscontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const signingKey = constants.SigningKeySecretName + "-1"

var _ = Describe("Credentials controller", func() {
	var (
		count  int
		name   string
		keyID  string
		issuer *credentials.IssuerConfig
	)

	// Each test has a Seed of its own, because Namespaces cannot be deleted without their controller.
	BeforeEach(func(ctx context.Context) {
		count++
		name = fmt.Sprintf("seed-%d", count)
		keyID = createSigningKey(ctx, signingKey)
		issuer = newIssuer(signingKey)
		publish(ctx, issuer)
		DeferCleanup(withdraw)
	})

	It("should issue credentials for a Seed as soon as it has a Namespace, and withdraw them with the Seed", func(ctx context.Context) {
		seed := createSeed(ctx, name)
		createNamespace(ctx, name)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())

		secret, err := get(ctx, name)
		Expect(err).NotTo(HaveOccurred())
		Expect(secret.Data).To(HaveLen(3))
		Expect(secret.Data).To(HaveKeyWithValue(constants.DataKeyEndpoint, []byte(endpoint)))
		Expect(secret.Data).To(HaveKeyWithValue(constants.DataKeyInstance, []byte("p-seed.ingress."+name+".example.com")))
		Expect(secret.OwnerReferences).To(ConsistOf(metav1.OwnerReference{
			APIVersion: "core.gardener.cloud/v1beta1", Kind: "Seed", Name: name, UID: seed.UID,
		}))

		// There is no garbage collector: the controller itself removes it.
		Expect(virtualGarden.Client.Delete(ctx, seed)).To(Succeed())
		Eventually(ctx, haveNoCredentials(ctx, name)).Should(Succeed())
	})

	It("should renew a token before it expires", func(ctx context.Context) {
		const validity = 8 * time.Second
		issuer.TokenValidity = metav1.Duration{Duration: validity}
		issuer.TokenRenewAfter = metav1.Duration{Duration: 3 * time.Second}
		publish(ctx, issuer)

		createNamespace(ctx, name)
		createSeed(ctx, name)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())
		Consistently(ctx, haveCredentials(ctx, name, keyID)).WithTimeout(validity + 3*time.Second).Should(Succeed())
	})

	It("should go on when the token of its access is replaced", func(ctx context.Context) {
		createNamespace(ctx, name)
		createSeed(ctx, name)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())

		By("the access becomes invalid")
		access := &corev1.Secret{}
		Expect(runtimeCluster.Client.Get(ctx, client.ObjectKey{Namespace: v1beta1constants.GardenNamespace, Name: "shoot-access-otel-federation"}, access)).To(Succeed())
		oldClient := clientWithToken(string(access.Data["token"]))
		replaceServiceAccount(ctx)
		Eventually(ctx, func() error {
			return oldClient.Get(ctx, client.ObjectKeyFromObject(emptySecret(name)), &corev1.Secret{})
		}).Should(MatchError(apierrors.IsUnauthorized, "IsUnauthorized"))

		another := name + "-b"
		createNamespace(ctx, another)
		createSeed(ctx, another)
		Consistently(ctx, haveNoCredentials(ctx, another)).Should(Succeed())

		By("the access is renewed")
		access.Data["token"] = []byte(newToken(ctx))
		Expect(runtimeCluster.Client.Update(ctx, access)).To(Succeed())
		Eventually(ctx, haveCredentials(ctx, another, keyID)).Should(Succeed())
	})

	It("should recover when the virtual garden cannot be reached for a while", func(ctx context.Context) {
		createNamespace(ctx, name)
		createSeed(ctx, name)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())

		By("the virtual garden cannot be reached")
		proxy.SetDown(true)
		DeferCleanup(func() { proxy.SetDown(false) })
		another := name + "-b"
		createNamespace(ctx, another)
		createSeed(ctx, another)
		Consistently(ctx, haveNoCredentials(ctx, another)).Should(Succeed())

		By("the virtual garden can be reached again")
		proxy.SetDown(false)
		Eventually(ctx, haveCredentials(ctx, another, keyID)).WithTimeout(40 * time.Second).Should(Succeed())
	})

	It("should end the session when the issuer configuration is withdrawn, and catch up when it is back", func(ctx context.Context) {
		createNamespace(ctx, name)
		createSeed(ctx, name)
		gone := createSeed(ctx, name+"-b")
		createNamespace(ctx, gone.Name)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())
		Eventually(ctx, haveCredentials(ctx, gone.Name, keyID)).Should(Succeed())
		Eventually(ctx, tokenMetrics).ShouldNot(BeEmpty())

		By("the issuer configuration is withdrawn")
		withdraw(ctx)
		// No metrics are left of a session that has ended.
		Eventually(ctx, tokenMetrics).Should(BeEmpty())
		removeToken(ctx, name)
		Expect(virtualGarden.Client.Delete(ctx, gone)).To(Succeed())
		Consistently(ctx, func(g Gomega) {
			secret, err := get(ctx, name)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(secret.Data).NotTo(HaveKey(constants.DataKeyToken))
			_, err = get(ctx, gone.Name)
			g.Expect(err).NotTo(HaveOccurred())
		}).Should(Succeed())

		By("the issuer configuration is back")
		publish(ctx, issuer)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())
		Eventually(ctx, haveNoCredentials(ctx, gone.Name)).Should(Succeed())
	})

	It("should follow changes of the issuer configuration", func(ctx context.Context) {
		createNamespace(ctx, name)
		createSeed(ctx, name)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())

		By("the signing key is rotated")
		newKeyID := createSigningKey(ctx, constants.SigningKeySecretName+"-2")
		issuer.SigningKeySecretName = constants.SigningKeySecretName + "-2"
		publish(ctx, issuer)
		Eventually(ctx, haveCredentials(ctx, name, newKeyID)).Should(Succeed())

		By("the Seed is denied")
		issuer.DeniedSeeds = []string{name}
		publish(ctx, issuer)
		Eventually(ctx, haveNoCredentials(ctx, name)).Should(Succeed())
	})

	It("should not touch the Secret of somebody else", func(ctx context.Context) {
		createNamespace(ctx, name)
		foreign := emptySecret(name)
		foreign.Labels = map[string]string{"app": "foreign"}
		foreign.Data = map[string][]byte{"token": []byte("foreign")}
		Expect(virtualGarden.Client.Create(ctx, foreign)).To(Succeed())
		createSeed(ctx, name)

		Consistently(ctx, func(g Gomega) {
			secret, err := get(ctx, name)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(secret.ResourceVersion).To(Equal(foreign.ResourceVersion))
		}).Should(Succeed())

		Expect(virtualGarden.Client.Delete(ctx, foreign)).To(Succeed())
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())
	})

	It("should delete the credentials of all Seeds when the extension is deleted, but nothing else", func(ctx context.Context) {
		createNamespace(ctx, name)
		createSeed(ctx, name)
		Eventually(ctx, haveCredentials(ctx, name, keyID)).Should(Succeed())
		another := name + "-b"
		createNamespace(ctx, another)
		foreign := emptySecret(another)
		Expect(virtualGarden.Client.Create(ctx, foreign)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(virtualGarden.Client.Delete(ctx, foreign)).To(Succeed()) })

		Expect(credentialscontroller.Cleanup(ctx, GinkgoLogr, runtimeCluster.Client, v1beta1constants.GardenNamespace)).To(Succeed())

		Consistently(ctx, haveNoCredentials(ctx, name)).Should(Succeed())
		_, err := get(ctx, another)
		Expect(err).NotTo(HaveOccurred())
	})
})

// tokenMetrics are the metrics of the tokens that the controller has issued.
func tokenMetrics(g Gomega) []*dto.Metric {
	families, err := metrics.Registry.Gather()
	g.Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() == "otel_federation_seed_token_expiry_timestamp_seconds" {
			return family.GetMetric()
		}
	}
	return nil
}

func removeToken(ctx context.Context, seedName string) {
	GinkgoHelper()
	secret, err := get(ctx, seedName)
	Expect(err).NotTo(HaveOccurred())
	delete(secret.Data, constants.DataKeyToken)
	Expect(virtualGarden.Client.Update(ctx, secret)).To(Succeed())
}
