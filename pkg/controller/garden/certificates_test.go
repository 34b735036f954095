// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certutil "k8s.io/client-go/util/cert"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

var _ = Describe("Rotation of the CA", func() {
	var (
		ctx    = context.Background()
		c      client.Client
		ex     *extensionsv1alpha1.Extension
		garden *operatorv1alpha1.Garden
		clock  *testclock.FakeClock
		a      extension.Actuator
	)

	BeforeEach(func() {
		clock = testclock.NewFakeClock(time.Now().Truncate(time.Second))
		ex = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden", CreationTimestamp: metav1.NewTime(clock.Now())},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}},
		}
		garden = newGarden("local")
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).
			WithObjects(ex, garden, newEnabledPrometheus(), newPrometheusPod(0, true), newPrometheusPod(1, true)).WithObjects(prometheusIngress()...).
			WithStatusSubresource(ex).WithInterceptorFuncs(interceptor.Funcs{
			Patch: ignoreEmptyPatch,
			// The secrets manager tells old CAs apart by this, which the fake client does not set.
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				obj.SetCreationTimestamp(metav1.NewTime(clock.Now()))
				return c.Create(ctx, obj, opts...)
			},
		}).Build()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		a = NewActuator(c, c, nil, clock)
	})

	// reconcile returns the bundle that the seeds are to trust.
	reconcile := func() []byte {
		GinkgoHelper()
		Expect(a.Reconcile(ctx, logr.Discard(), ex)).To(Succeed())
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		configMap := &corev1.ConfigMap{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "otel-federation-issuer"}, configMap)).To(Succeed())
		issuer, err := credentials.ParseIssuerConfig(configMap)
		Expect(err).NotTo(HaveOccurred())
		return []byte(issuer.CABundle)
	}
	// serverTrustedBy says whether the server certificate, of which there must be one, is signed by a CA of the bundle.
	serverTrustedBy := func(bundle []byte) bool {
		GinkgoHelper()
		secrets := &corev1.SecretList{}
		Expect(c.List(ctx, secrets, client.MatchingLabels{"name": "otel-federation-server"})).To(Succeed())
		Expect(secrets.Items).To(HaveLen(1))
		chain, err := certutil.ParseCertsPEM(secrets.Items[0].Data["tls.crt"])
		Expect(err).NotTo(HaveOccurred())
		pool := x509.NewCertPool()
		Expect(pool.AppendCertsFromPEM(bundle)).To(BeTrue())
		_, err = chain[0].Verify(x509.VerifyOptions{Roots: pool})
		return err == nil
	}
	// cas are the names of the Secrets with CAs. Their keys must not get into the output of a test that fails.
	cas := func() []string {
		GinkgoHelper()
		secrets := &corev1.SecretList{}
		Expect(c.List(ctx, secrets, client.MatchingLabels{"name": "ca-otel-federation"})).To(Succeed())
		var names []string
		for _, secret := range secrets.Items {
			names = append(names, secret.Name)
		}
		return names
	}
	rotate := func(phase gardencorev1beta1.CredentialsRotationPhase) {
		GinkgoHelper()
		garden.Status.Credentials = &operatorv1alpha1.Credentials{Rotation: &operatorv1alpha1.CredentialsRotation{
			CertificateAuthorities: &gardencorev1beta1.CARotation{Phase: phase, LastInitiationTime: new(metav1.NewTime(clock.Now()))},
		}}
		Expect(c.Update(ctx, garden)).To(Succeed())
	}
	// trust lets the seeds tell by which bundle they verify the garden.
	trust := func(bundles map[string][]byte) {
		GinkgoHelper()
		status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
		Expect(err).NotTo(HaveOccurred())
		status.Seeds = nil
		for _, seed := range []string{"a", "b"} {
			status.Seeds = append(status.Seeds, configv1alpha1.SeedFederationStatus{
				Name: seed, State: configv1alpha1.SeedFederationStatePush, Since: metav1.NewTime(clock.Now()), CABundle: fmt.Sprintf("%x", sha256.Sum256(bundles[seed])),
			})
		}
		status.Seeds = append(status.Seeds, configv1alpha1.SeedFederationStatus{Name: "without-extension", State: configv1alpha1.SeedFederationStatePull, Since: metav1.NewTime(clock.Now())})
		ex.Status.ProviderStatus, err = loader.EncodeGardenFederationStatus(status)
		Expect(err).NotTo(HaveOccurred())
		Expect(c.Status().Update(ctx, ex)).To(Succeed())
	}
	ingressMessage := func() string {
		for _, condition := range ex.Status.Conditions {
			if condition.Type == "IngressReady" {
				return condition.Message
			}
		}
		return ""
	}

	DescribeTable("should let the server change its CA only when all seeds trust the new one", func(phase gardencorev1beta1.CredentialsRotationPhase) {
		before := reconcile()
		Expect(serverTrustedBy(before)).To(BeTrue())
		trust(map[string][]byte{"a": before, "b": before})

		By("The rotation begins")
		clock.Step(time.Minute)
		rotate(gardencorev1beta1.RotationPreparing)
		both := reconcile()
		Expect(both).NotTo(Equal(before))
		Expect(serverTrustedBy(before)).To(BeTrue())

		By("It is completed before a seed has told that it trusts the new CA")
		garden.Status.Credentials.Rotation.CertificateAuthorities.Phase = phase
		Expect(c.Update(ctx, garden)).To(Succeed())
		trust(map[string][]byte{"a": both, "b": before})
		Expect(reconcile()).To(Equal(both))
		Expect(serverTrustedBy(before)).To(BeTrue())
		Expect(ingressMessage()).To(HaveSuffix("The old CA is kept until 1 seeds trust the new one: b."))

		By("The seed has told")
		trust(map[string][]byte{"a": both, "b": both})
		after := reconcile()
		Expect(serverTrustedBy(before)).To(BeFalse())
		Expect(serverTrustedBy(both)).To(BeTrue(), "by those who do not know yet that the old one is gone")
		Expect(serverTrustedBy(after)).To(BeTrue())
		Expect(after).NotTo(Equal(both))
		Expect(ingressMessage()).NotTo(ContainSubstring("old CA"))
		Expect(reconcile()).To(Equal(after))
	},
		Entry("while the Garden completes its rotation", gardencorev1beta1.RotationCompleting),
		Entry("after the Garden has completed it", gardencorev1beta1.RotationCompleted),
	)

	DescribeTable("should let the server keep its CA if the rotation is noticed late", func(phase gardencorev1beta1.CredentialsRotationPhase) {
		before := reconcile()
		trust(map[string][]byte{"a": before, "b": before})

		clock.Step(time.Minute)
		rotate(phase)
		Expect(reconcile()).NotTo(Equal(before))
		Expect(serverTrustedBy(before)).To(BeTrue())
		Expect(cas()).To(HaveLen(2), "the old CA and the new one")
		Expect(ingressMessage()).To(HaveSuffix("The old CA is kept until 2 seeds trust the new one: a, b."))
	},
		Entry("while the Garden completes it", gardencorev1beta1.RotationCompleting),
		Entry("after the Garden has completed it", gardencorev1beta1.RotationCompleted),
	)

	It("should create one CA in a Garden whose CAs were rotated before", func() {
		rotate(gardencorev1beta1.RotationCompleted)
		bundle := reconcile()
		Expect(cas()).To(HaveLen(1))
		Expect(serverTrustedBy(bundle)).To(BeTrue())
		Expect(reconcile()).To(Equal(bundle))
	})
})
