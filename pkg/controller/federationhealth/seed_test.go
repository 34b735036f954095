// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package federationhealth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/federationhealth"
)

var _ = Describe("SeedReconciler", func() {
	const day = 24 * time.Hour

	var (
		ctx        = context.Background()
		clock      *testclock.FakeClock
		c          client.Client
		ex         *extensionsv1alpha1.Extension
		secret     *corev1.Secret
		pod        *corev1.Pod
		plays      *collector
		recorder   *events.FakeRecorder
		reconciler *SeedReconciler
	)

	BeforeEach(func() {
		clock = testclock.NewFakeClock(start)
		ex = newExtension(extensionsv1alpha1.ExtensionClassSeed)
		secret = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "otel-federation"},
			Data:       map[string][]byte{"endpoint": []byte(endpoint), "token": newToken("foo", start)},
		}
		pod = newPod("otel-federation-seed", "otel-federation-seed-collector-0", "10.0.0.1")
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithStatusSubresource(ex).WithObjects(ex, secret, pod).Build()
		plays = &collector{started: start.Add(-time.Hour)}
		recorder = events.NewFakeRecorder(100)
		reconciler = &SeedReconciler{
			Client: c, Reader: c, Clock: clock, Recorder: recorder, Namespace: namespace, SeedName: "foo",
			HTTPClient: &http.Client{Transport: &collectors{clock: clock, byIP: map[string]*collector{"10.0.0.1": plays}}},
		}
	})

	works := func() { plays.accepted += 100; plays.sent += 100 }
	federation := func() *gardencorev1beta1.Condition { return conditionOf(ctx, c, ex, "FederationHealthy") }
	token := func() *gardencorev1beta1.Condition { return conditionOf(ctx, c, ex, "CredentialsValid") }

	It("should write once a minute of what only the message changes", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, works)
		breaks := func() { plays.accepted += 100; plays.full++ }
		pass(ctx, clock, reconciler, 5*time.Minute, breaks)
		Expect(federation().Reason).To(Equal("GardenUnreachable"))

		var (
			written []time.Time
			version = ex.ResourceVersion
		)
		pass(ctx, clock, reconciler, 10*time.Minute, func() {
			breaks()
			_ = federation()
			if ex.ResourceVersion != version {
				written, version = append(written, clock.Now()), ex.ResourceVersion
			}
		})
		Expect(len(written)).To(BeNumerically("~", 10, 1))
		for i := 1; i < len(written); i++ {
			Expect(written[i].Sub(written[i-1])).To(BeNumerically(">=", time.Minute))
		}
	})

	It("should say that all is well, and write nothing more", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, works)
		Expect(federation()).To(be("True", "SamplesDelivered", ContainSubstring(endpoint)))
		Expect(token()).To(be("True", "CredentialsAvailable", ContainSubstring("(6 days left)")))
		Expect(told(recorder)).To(BeEmpty())

		before := ex.ResourceVersion
		pass(ctx, clock, reconciler, 10*time.Minute, works)
		_ = federation()
		Expect(ex.ResourceVersion).To(Equal(before))
	})

	It("should say what is wrong, since when, and tell it once", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, works)
		broke := clock.Now()
		pass(ctx, clock, reconciler, 10*time.Minute, func() { plays.accepted += 100; plays.full++ })
		Expect(federation()).To(be("False", "GardenUnreachable", ContainSubstring("It is not healthy since 2026-01-01T12:0")))
		Expect(federation().LastTransitionTime.Time).To(BeTemporally("~", broke, 2*time.Minute+10*time.Second))
		Expect(told(recorder)).To(ConsistOf(HavePrefix("Warning GardenUnreachable Nothing was delivered")))

		pass(ctx, clock, reconciler, time.Minute, works)
		Expect(federation()).To(be("True", "SamplesDelivered", Not(ContainSubstring("since"))))
		Expect(told(recorder)).To(ConsistOf(HavePrefix("Normal SamplesDelivered")))
	})

	It("should keep what it has said when the collector or the extension starts anew", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, works)
		plays.started = clock.Now().Add(-time.Second)
		pass(ctx, clock, reconciler, time.Minute, works)
		Expect(federation().Status).To(Equal(gardencorev1beta1.ConditionTrue))

		pass(ctx, clock, reconciler, 5*time.Minute, func() { plays.accepted += 100; plays.full++ })
		reconciler = &SeedReconciler{Client: c, Reader: c, Clock: clock, Recorder: recorder, Namespace: namespace, SeedName: "foo", HTTPClient: reconciler.HTTPClient}
		pass(ctx, clock, reconciler, time.Minute, func() { plays.accepted += 100; plays.full++ })
		Expect(federation().Reason).To(Equal("GardenUnreachable"))
		Expect(told(recorder)).To(HaveLen(1))
	})

	It("should say that the token has expired, and that it has been renewed", func() {
		// wait lets days pass in which nobody looks.
		wait := func(days int) {
			clock.Step(time.Duration(days) * day)
			plays.accepted += float64(days * 24 * 60 * 100)
		}
		pass(ctx, clock, reconciler, 3*time.Minute, works)
		wait(4)
		pass(ctx, clock, reconciler, time.Minute, works)
		Expect(token()).To(be("False", "TokenRenewalOverdue", ContainSubstring("(2 days left)")))
		wait(3)
		pass(ctx, clock, reconciler, time.Minute, works)
		Expect(token()).To(be("False", "TokenExpired", ContainSubstring("Secret seed-foo/otel-federation")))

		secret.Data["token"] = newToken("foo", clock.Now())
		Expect(c.Update(ctx, secret)).To(Succeed())
		pass(ctx, clock, reconciler, time.Minute, works)
		Expect(token().Status).To(Equal(gardencorev1beta1.ConditionTrue))
		Expect(told(recorder)).To(ConsistOf(HavePrefix("Warning TokenRenewalOverdue"), HavePrefix("Warning TokenExpired"), HavePrefix("Normal CredentialsAvailable")))
		for _, condition := range ex.Status.Conditions {
			Expect(condition.Message).NotTo(ContainSubstring(string(secret.Data["token"])))
		}
	})

	It("should wait for credentials", func() {
		Expect(c.Delete(ctx, secret)).To(Succeed())
		Expect(c.Delete(ctx, pod)).To(Succeed())
		pass(ctx, clock, reconciler, time.Minute, works)
		Expect(token()).To(be("Progressing", "CredentialsMissing", ContainSubstring("Credentials for seed foo")))
		Expect(federation()).To(be("Progressing", "CredentialsMissing", Not(ContainSubstring("goes on"))))
	})

	It("should tell a pod that starts from one that is away", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, works)
		plays.down = true
		pass(ctx, clock, reconciler, 30*time.Second, works)
		Expect(federation()).To(be("Progressing", "CollectorStarting", ContainSubstring("connection refused")))
		pass(ctx, clock, reconciler, 51*time.Second, works)
		Expect(federation()).To(be("False", "CollectorUnreachable", ContainSubstring("pod garden/otel-federation-seed-collector-0")))

		Expect(c.Delete(ctx, pod)).To(Succeed())
		pass(ctx, clock, reconciler, time.Minute, works)
		Expect(federation()).To(be("False", "CollectorUnreachable", ContainSubstring("does not exist")))
	})

	It("should look why nothing is delivered", func() {
		server := httptest.NewTLSServer(http.NotFoundHandler())
		DeferCleanup(server.Close)
		secret.Data["endpoint"] = []byte(server.URL)
		Expect(c.Update(ctx, secret)).To(Succeed())
		pass(ctx, clock, reconciler, 3*time.Minute, func() { plays.accepted += 100; plays.full++ })
		Expect(federation()).To(be("False", "GardenCertificateRefused", ContainSubstring("certificate signed by unknown authority")))

		secret.Data["bundle.crt"] = []byte("none")
		Expect(c.Update(ctx, secret)).To(Succeed())
		pass(ctx, clock, reconciler, 61*time.Second, func() { plays.accepted += 100; plays.full++ })
		Expect(federation()).To(be("False", "GardenCertificateRefused", ContainSubstring("the bundle of CAs has no certificate")))
	})

	It("should say nothing if the providerConfig is wrong, or if there is no Extension", func() {
		ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"kind":"Foo"}`)}
		Expect(c.Update(ctx, ex)).To(Succeed())
		pass(ctx, clock, reconciler, 3*time.Minute, works)
		Expect(federation()).To(BeNil())

		Expect(c.Delete(ctx, ex)).To(Succeed())
		Expect(reconciler.Reconcile(ctx, reconcile.Request{})).To(Equal(reconcile.Result{RequeueAfter: 10 * time.Second}))
	})
})
