// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const day = 24 * time.Hour

// keySecrets returns two signing keys that are generated once, because that takes its time.
var keySecrets = sync.OnceValue(func() []*corev1.Secret {
	var secrets []*corev1.Secret
	for i := range 2 {
		data, err := (&secretsutils.RSASecretConfig{Bits: 2048}).Generate()
		Expect(err).NotTo(HaveOccurred())
		secrets = append(secrets, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: fmt.Sprintf("otel-federation-signing-key-%d", i)},
			Data:       data.SecretData(),
		})
	}
	return secrets
})

func signingKey(i int) *credentials.SigningKey {
	GinkgoHelper()
	key, err := credentials.ParseSigningKey(keySecrets()[i])
	Expect(err).NotTo(HaveOccurred())
	return key
}

func newIssuer() *Issuer {
	GinkgoHelper()
	return &Issuer{
		Key: signingKey(0),
		Config: &credentials.IssuerConfig{
			Endpoint:                "https://otel-federation.ingress.garden.local",
			SigningKeySecretName:    keySecrets()[0].Name,
			TokenValidity:           metav1.Duration{Duration: 7 * day},
			TokenRenewAfter:         metav1.Duration{Duration: day},
			AggregatePrometheusHost: "p-seed.ingress.runtime.local",
		},
	}
}

var _ = Describe("SeedReconciler", func() {
	var (
		ctx          = context.Background()
		fakeClient   client.Client
		fakeClock    *testclock.FakeClock
		writes       int
		issuer       *Issuer
		issuerExists bool
		reconciler   *SeedReconciler
		events       []string
		seed         *gardencorev1beta1.Seed

		request = reconcile.Request{NamespacedName: types.NamespacedName{Name: "seed-2"}}
		key     = client.ObjectKey{Namespace: "seed-seed-2", Name: "otel-federation"}
	)

	run := func() reconcile.Result {
		GinkgoHelper()
		result, err := reconciler.Reconcile(ctx, request)
		Expect(err).NotTo(HaveOccurred())
		return result
	}
	get := func() *corev1.Secret {
		GinkgoHelper()
		secret := &corev1.Secret{}
		Expect(fakeClient.Get(ctx, key, secret)).To(Succeed())
		return secret
	}
	expectNoSecret := func() {
		GinkgoHelper()
		Expect(fakeClient.Get(ctx, key, &corev1.Secret{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
	}
	claimsOf := func(secret *corev1.Secret) credentials.Claims {
		GinkgoHelper()
		claims, _, err := credentials.Inspect(string(secret.Data["token"]))
		Expect(err).NotTo(HaveOccurred())
		return claims
	}

	BeforeEach(func() {
		TokenExpiry.Reset()
		writes = 0
		issuer = newIssuer()
		issuerExists = true
		fakeClock = testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		fakeClient = fakeclient.NewClientBuilder().WithScheme(kubernetes.GardenScheme).WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				writes++
				return c.Create(ctx, obj, opts...)
			},
			Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				writes++
				return c.Update(ctx, obj, opts...)
			},
			Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
				writes++
				return c.Delete(ctx, obj, opts...)
			},
		}).Build()

		seed = &gardencorev1beta1.Seed{
			ObjectMeta: metav1.ObjectMeta{Name: "seed-2", UID: "uid", Labels: map[string]string{"federate": "yes"}},
			Spec:       gardencorev1beta1.SeedSpec{Ingress: &gardencorev1beta1.Ingress{Domain: "ingress.seed-2.local"}},
		}
		Expect(fakeClient.Create(ctx, seed)).To(Succeed())
		Expect(fakeClient.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}})).To(Succeed())

		reconciler = &SeedReconciler{
			Client:       fakeClient,
			APIReader:    fakeClient,
			Clock:        fakeClock,
			Issuer:       func() *Issuer { return issuer },
			IssuerExists: func(context.Context) (bool, error) { return issuerExists, nil },
			Tell: func(_ context.Context, _, eventType, reason, message string) {
				events = append(events, eventType+" "+reason+" "+message)
			},
		}
		events = nil
	})

	It("should tell of credentials that are new, and of those that were renewed late", func() {
		run()
		Expect(events).To(ConsistOf("Normal CredentialsIssued Seed seed-2 got its first credentials."))
		issued := fakeClock.Now()
		fakeClock.Step(day)
		run()
		Expect(events).To(HaveLen(1), "that it was renewed in time is no news")

		fakeClock.Step(4 * day)
		run()
		Expect(events).To(HaveLen(2))
		Expect(events[1]).To(And(HavePrefix("Warning CredentialsRenewedLate The token of seed seed-2, which was issued at "+issued.Add(day).UTC().Format(time.RFC3339)), ContainSubstring("would have expired at")))

		fakeClock.Step(8 * day)
		run()
		Expect(events[2]).To(ContainSubstring("had expired at"))
		Expect(events).To(HaveEach(Not(ContainSubstring(string(get().Data["token"])))))
	})

	It("should issue credentials and come back before they are due for renewal", func() {
		result := run()
		Expect(result.RequeueAfter).To(And(BeNumerically("<=", day), BeNumerically(">=", day*9/10)))

		secret := get()
		Expect(secret.Type).To(Equal(corev1.SecretTypeOpaque))
		Expect(secret.Labels).To(Equal(map[string]string{
			"app.kubernetes.io/name":       "otel-federation",
			"app.kubernetes.io/managed-by": "gardener-extension-otel-federation",
		}))
		Expect(secret.OwnerReferences).To(ConsistOf(metav1.OwnerReference{APIVersion: "core.gardener.cloud/v1beta1", Kind: "Seed", Name: "seed-2", UID: "uid"}))
		Expect(secret.Data).To(And(
			HaveLen(3),
			HaveKeyWithValue("endpoint", []byte("https://otel-federation.ingress.garden.local")),
			HaveKeyWithValue("instance", []byte("p-seed.ingress.seed-2.local")),
		))

		claims := claimsOf(secret)
		Expect(claims.Seed).To(Equal("seed-2"))
		Expect(claims.Expiry).To(Equal(fakeClock.Now().Add(7 * day)))
		Expect(testutil.ToFloat64(TokenExpiry.WithLabelValues("seed-2"))).To(Equal(float64(claims.Expiry.Unix())))
	})

	It("should deliver the CA bundle if there is one", func() {
		issuer.Config.CABundle = "bundle"
		run()
		Expect(get().Data).To(HaveKeyWithValue("bundle.crt", []byte("bundle")))
	})

	It("should deliver the instance of the runtime cluster", func() {
		seed.Spec.Ingress.Domain = "ingress.runtime.local"
		Expect(fakeClient.Update(ctx, seed)).To(Succeed())
		run()
		Expect(get().Data).To(HaveKeyWithValue("instance", []byte("prometheus-aggregate")))
	})

	It("should write nothing when nothing has changed", func() {
		run()
		before, writesBefore := get(), writes

		fakeClock.Step(day / 2)
		result := run()
		Expect(result.RequeueAfter).To(And(BeNumerically("<=", day/2), BeNumerically(">=", day*4/10)))
		Expect(writes).To(Equal(writesBefore))
		Expect(get()).To(Equal(before))
	})

	It("should renew the token when it is due, exactly when it said it would", func() {
		result := run()
		before := get()

		fakeClock.Step(result.RequeueAfter - time.Second)
		Expect(run().RequeueAfter).To(Equal(time.Second))
		Expect(get()).To(Equal(before))

		fakeClock.Step(time.Second)
		Expect(run().RequeueAfter).To(Equal(result.RequeueAfter))
		Expect(claimsOf(get()).IssuedAt).To(Equal(fakeClock.Now()))
	})

	It("should spread the renewals", func() {
		delays := map[time.Duration]struct{}{}
		for i := range 20 {
			name := fmt.Sprintf("s%d", i)
			Expect(fakeClient.Create(ctx, &gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
			Expect(fakeClient.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "seed-" + name}})).To(Succeed())
			result, err := reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(And(BeNumerically("<=", day), BeNumerically(">=", day*9/10)))
			delays[result.RequeueAfter.Round(10*time.Minute)] = struct{}{}
		}
		Expect(len(delays)).To(BeNumerically(">=", 8))
	})

	It("should sign with the new key when the key changes", func() {
		run()
		issuer = &Issuer{Config: issuer.Config, Key: signingKey(1)}
		run()
		_, keyID, err := credentials.Inspect(string(get().Data["token"]))
		Expect(err).NotTo(HaveOccurred())
		Expect(keyID).To(Equal(signingKey(1).ID))
	})

	It("should change the endpoint and keep the token", func() {
		run()
		before := get()
		issuer.Config.Endpoint = "https://elsewhere"
		run()
		Expect(get().Data).To(And(
			HaveKeyWithValue("endpoint", []byte("https://elsewhere")),
			HaveKeyWithValue("token", before.Data["token"]),
		))
	})

	It("should repair what somebody has changed, but leave labels alone that do no harm", func() {
		run()
		secret := get()
		secret.Labels["foo"] = "bar"
		secret.Labels["gardener.cloud/role"] = "global-monitoring"
		secret.OwnerReferences = nil
		secret.Data["token"] = []byte("sesame")
		secret.Data["foo"] = []byte("bar")
		Expect(fakeClient.Update(ctx, secret)).To(Succeed())

		run()
		secret = get()
		Expect(secret.Labels).To(And(HaveLen(3), HaveKeyWithValue("foo", "bar"), Not(HaveKey("gardener.cloud/role"))))
		Expect(secret.OwnerReferences).To(HaveLen(1))
		Expect(secret.Data).NotTo(HaveKey("foo"))
		Expect(claimsOf(secret).Seed).To(Equal("seed-2"))
	})

	It("should take over ownership when the Seed was created anew", func() {
		run()
		secret := get()
		secret.OwnerReferences[0].UID = "old"
		Expect(fakeClient.Update(ctx, secret)).To(Succeed())
		run()
		Expect(get().OwnerReferences).To(ConsistOf(HaveField("UID", types.UID("uid"))))
	})

	Context("a Secret of that name that is not ours", func() {
		BeforeEach(func() {
			Expect(fakeClient.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
				Data:       map[string][]byte{"token": []byte("sesame")},
			})).To(Succeed())
			writes = 0
		})

		It("should not be overwritten", func() {
			_, err := reconciler.Reconcile(ctx, request)
			Expect(err).To(MatchError("Secret seed-seed-2/otel-federation exists, but was not created by this extension: delete or rename it so that Seed seed-2 can get its credentials"))
			Expect(writes).To(BeZero())
		})

		It("should not be deleted", func() {
			issuer.Config.DeniedSeeds = []string{"seed-2"}
			run()
			Expect(writes).To(BeZero())
			Expect(fakeClient.Delete(ctx, seed)).To(Succeed())
			writes = 0
			run()
			Expect(writes).To(BeZero())
			Expect(get().Data).To(HaveKeyWithValue("token", []byte("sesame")))
		})
	})

	It("should delete the credentials of a seed that is denied, and issue none", func() {
		run()
		issuer.Config.DeniedSeeds = []string{"seed-2"}
		Expect(run()).To(Equal(reconcile.Result{}))
		expectNoSecret()
		Expect(testutil.CollectAndCount(TokenExpiry)).To(BeZero())
		run()
		expectNoSecret()
	})

	It("should delete the credentials of a seed that is not selected any more", func() {
		issuer.Config.SeedSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"federate": "yes"}}
		run()
		get()
		seed.Labels = nil
		Expect(fakeClient.Update(ctx, seed)).To(Succeed())
		run()
		expectNoSecret()
	})

	It("should delete the credentials of a seed that does not exist any more", func() {
		run()
		Expect(fakeClient.Delete(ctx, seed)).To(Succeed())
		Expect(SecretToSeed(ctx, get())).To(ConsistOf(request))
		run()
		expectNoSecret()
		Expect(testutil.CollectAndCount(TokenExpiry)).To(BeZero())
	})

	It("should ignore Secrets outside of the namespaces of seeds", func() {
		Expect(SecretToSeed(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "garden-foo"}})).To(BeEmpty())
	})

	Context("a Seed that is being deleted", func() {
		leave := func() {
			seed.Finalizers = []string{"gardener"}
			Expect(fakeClient.Update(ctx, seed)).To(Succeed())
			Expect(fakeClient.Delete(ctx, seed)).To(Succeed())
		}

		It("should get no credentials", func() {
			leave()
			run()
			expectNoSecret()
		})

		It("should keep valid ones until it is gone", func() {
			run()
			leave()
			fakeClock.Step(2 * day)
			run()
			Expect(claimsOf(get()).IssuedAt).To(Equal(fakeClock.Now()))
		})
	})

	It("should wait for the namespace without an error", func() {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}
		Expect(fakeClient.Delete(ctx, namespace)).To(Succeed())
		writes = 0
		Expect(run().RequeueAfter).To(Equal(10 * time.Second))
		Expect(writes).To(BeZero())

		namespace.ResourceVersion = ""
		namespace.Finalizers = []string{"foo"}
		Expect(fakeClient.Create(ctx, namespace)).To(Succeed())
		Expect(fakeClient.Delete(ctx, namespace)).To(Succeed())
		Expect(run().RequeueAfter).To(Equal(10 * time.Second))
		expectNoSecret()
	})

	It("should not bring credentials back while they are being cleaned up", func() {
		issuerExists = false
		run()
		expectNoSecret()
	})
})
