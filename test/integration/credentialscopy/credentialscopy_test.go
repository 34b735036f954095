// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentialscopy_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

var _ = Describe("Credentials copy controller", func() {
	var (
		extension *framework.Extension
		source    *corev1.Secret
	)

	BeforeEach(func() {
		extension = framework.NewSeedExtension(seedCluster.Client)
		source = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: seedNamespace, Name: constants.CredentialsSecretName},
			Data: map[string][]byte{
				constants.DataKeyEndpoint: []byte("https://otel-federation.ingress.garden.example.com"),
				constants.DataKeyInstance: []byte("p-seed.ingress.seed-1.example.com"),
				constants.DataKeyToken:    []byte("token-1"),
			},
		}

		DeferCleanup(func(ctx context.Context) {
			extension.Delete(ctx)
			extension.WaitUntilDeleted(ctx)
			Expect(client.IgnoreNotFound(virtualGarden.Client.Delete(ctx, source))).To(Succeed())
			Expect(client.IgnoreNotFound(seedCluster.Client.Delete(ctx, emptyCopy()))).To(Succeed())
		})
	})

	It("should copy the credentials and follow their changes", func(ctx context.Context) {
		extension.Deploy(ctx, "SeedFederationConfig", nil)
		Consistently(ctx, haveNoCopy).Should(Succeed())

		Expect(virtualGarden.Client.Create(ctx, source)).To(Succeed())
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())

		renew(ctx, source, "token-2")
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())
	})

	It("should copy nothing without an Extension", func(ctx context.Context) {
		Expect(virtualGarden.Client.Create(ctx, source)).To(Succeed())
		Consistently(ctx, haveNoCopy).Should(Succeed())

		extension.Deploy(ctx, "SeedFederationConfig", nil)
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())
	})

	It("should keep the copy when the credentials vanish", func(ctx context.Context) {
		extension.Deploy(ctx, "SeedFederationConfig", nil)
		Expect(virtualGarden.Client.Create(ctx, source)).To(Succeed())
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())

		Expect(virtualGarden.Client.Delete(ctx, source)).To(Succeed())
		Consistently(ctx, haveCopyOf(source)).Should(Succeed())
	})

	It("should restore a copy that is gone at the latest when the token is renewed", func(ctx context.Context) {
		extension.Deploy(ctx, "SeedFederationConfig", nil)
		Expect(virtualGarden.Client.Create(ctx, source)).To(Succeed())
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())

		Expect(seedCluster.Client.Delete(ctx, emptyCopy())).To(Succeed())
		renew(ctx, source, "token-2")
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())
	})

	It("should not copy credentials that no collector could work with", func(ctx context.Context) {
		extension.Deploy(ctx, "SeedFederationConfig", nil)
		Expect(virtualGarden.Client.Create(ctx, source)).To(Succeed())
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())
		good := source.DeepCopy()

		renew(ctx, source, "")
		Consistently(ctx, haveCopyOf(good)).Should(Succeed())

		renew(ctx, source, "token-3")
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())
	})

	It("should not touch the Secret of somebody else", func(ctx context.Context) {
		foreign := emptyCopy()
		foreign.Labels = map[string]string{"app": "foreign"}
		foreign.Data = map[string][]byte{"token": []byte("foreign")}
		Expect(seedCluster.Client.Create(ctx, foreign)).To(Succeed())
		extension.Deploy(ctx, "SeedFederationConfig", nil)
		Expect(virtualGarden.Client.Create(ctx, source)).To(Succeed())

		Consistently(ctx, haveCopyOf(foreign)).Should(Succeed())
		Expect(seedCluster.Client.Delete(ctx, foreign)).To(Succeed())
		Eventually(ctx, haveCopyOf(source)).Should(Succeed())
	})
})

func emptyCopy() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: constants.CredentialsSecretName}}
}

func haveNoCopy(g Gomega, ctx context.Context) { //nolint:revive // Gomega wants itself to come first.
	secret := emptyCopy()
	g.Expect(seedCluster.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(BeNotFoundError())
}

func haveCopyOf(source *corev1.Secret) func(Gomega, context.Context) {
	return func(g Gomega, ctx context.Context) { //nolint:revive // Gomega wants itself to come first.
		secret := emptyCopy()
		g.Expect(seedCluster.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		g.Expect(secret.Data).To(Equal(source.Data))
	}
}

func renew(ctx context.Context, source *corev1.Secret, token string) {
	GinkgoHelper()
	patch := client.MergeFrom(source.DeepCopy())
	source.Data[constants.DataKeyToken] = []byte(token)
	Expect(virtualGarden.Client.Patch(ctx, source, patch)).To(Succeed())
}
