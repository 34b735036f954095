// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	operatorclient "github.com/gardener/gardener/pkg/operator/client"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
)

// fakeSessions counts the sessions and lets the test end them.
type fakeSessions struct {
	Sessions

	started atomic.Int32
	running atomic.Int32
	changed atomic.Int32
	issuer  atomic.Value
	fail    chan error
}

func newFakeSessions(clock *testclock.FakeClock) *fakeSessions {
	f := &fakeSessions{fail: make(chan error)}
	f.Sessions = NewSessions(logr.Discard(), clock, func(ctx context.Context, _ *Access, issuer func() *Issuer, changed <-chan struct{}) error {
		f.started.Add(1)
		f.running.Add(1)
		defer f.running.Add(-1)
		f.issuer.Store(issuer())
		for {
			select {
			case <-ctx.Done():
				return nil
			case err := <-f.fail:
				return err
			case <-changed:
				f.issuer.Store(issuer())
				f.changed.Add(1)
			}
		}
	})
	return f
}

func (f *fakeSessions) expect(started, running int) {
	GinkgoHelper()
	Eventually(f.started.Load).Should(BeEquivalentTo(started))
	Eventually(f.running.Load).Should(BeEquivalentTo(running))
}

var _ = Describe("Sessions", func() {
	var (
		clock    *testclock.FakeClock
		sessions *fakeSessions
		issuer   *Issuer
		access   *Access
		cancel   context.CancelFunc
		stopped  chan struct{}
	)

	ensure := func() time.Duration {
		GinkgoHelper()
		wait, err := sessions.Ensure(access, issuer)
		Expect(err).NotTo(HaveOccurred())
		return wait
	}

	BeforeEach(func() {
		clock = testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		sessions = newFakeSessions(clock)
		issuer = newIssuer()
		access = &Access{Config: &rest.Config{Host: "https://foo"}, Fingerprint: "1"}

		var ctx context.Context
		ctx, cancel = context.WithCancel(context.Background())
		stopped = make(chan struct{})
		Expect(ensure()).To(BeNumerically(">", 0), "nothing starts before the manager does")
		go func() {
			defer GinkgoRecover()
			defer close(stopped)
			Expect(sessions.Start(ctx)).To(Succeed())
		}()
		Eventually(sessions.Ended()).Should(Receive())
		DeferCleanup(func() {
			cancel()
			Eventually(stopped).Should(BeClosed())
			Expect(sessions.running.Load()).To(BeZero())
		})
	})

	It("should keep one session and tell it about changes of the issuer only", func() {
		Expect(ensure()).To(BeZero())
		sessions.expect(1, 1)
		Expect(ensure()).To(BeZero())
		Consistently(sessions.changed.Load, "50ms").Should(BeZero())

		config := *issuer.Config
		config.Endpoint = "https://elsewhere"
		issuer = &Issuer{Config: &config, Key: issuer.Key}
		Expect(ensure()).To(BeZero())
		Eventually(sessions.changed.Load).Should(BeEquivalentTo(1))
		Expect(sessions.issuer.Load()).To(Equal(issuer))

		issuer = &Issuer{Config: &config, Key: signingKey(1)}
		Expect(ensure()).To(BeZero())
		Eventually(sessions.changed.Load).Should(BeEquivalentTo(2))
		sessions.expect(1, 1)
	})

	It("should restart the session when the address or CA changes", func() {
		ensure()
		sessions.expect(1, 1)
		access = &Access{Config: access.Config, Fingerprint: "2"}
		ensure()
		sessions.expect(2, 1)
	})

	It("should stop the session and start a new one", func() {
		ensure()
		sessions.expect(1, 1)
		Expect(sessions.Stop()).To(Succeed())
		sessions.expect(1, 0)
		Expect(sessions.Stop()).To(Succeed())
		ensure()
		sessions.expect(2, 1)
	})

	It("should restart a failed session with a growing delay, which starts anew after a long run", func() {
		fail := func() time.Duration {
			GinkgoHelper()
			Expect(ensure()).To(BeZero())
			Eventually(sessions.running.Load).Should(BeEquivalentTo(1))
			for len(sessions.Ended()) > 0 {
				<-sessions.Ended()
			}
			sessions.fail <- errors.New("foo")
			Eventually(sessions.Ended()).Should(Receive())
			wait := ensure()
			Expect(sessions.running.Load()).To(BeZero())
			clock.Step(wait)
			return wait
		}

		Expect(fail()).To(Equal(SessionMinBackoff))
		Expect(fail()).To(Equal(2 * SessionMinBackoff))
		Expect(fail()).To(Equal(4 * SessionMinBackoff))
		for range 20 {
			Expect(fail()).To(BeNumerically("<=", 5*time.Minute))
		}
		Expect(fail()).To(Equal(5 * time.Minute))

		Expect(ensure()).To(BeZero())
		Eventually(sessions.running.Load).Should(BeEquivalentTo(1))
		clock.Step(SessionStableAfter)
		Expect(fail()).To(Equal(SessionMinBackoff))
	})
})

var _ = Describe("Reconciler", func() {
	var (
		ctx        = context.Background()
		fakeClient client.Client
		sessions   *fakeSessions
		reconciler *Reconciler
		configMap  *corev1.ConfigMap
		key        *corev1.Secret
		token      *corev1.Secret

		request = reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "garden", Name: "otel-federation-issuer"}}
	)

	run := func() reconcile.Result {
		GinkgoHelper()
		result, err := reconciler.Reconcile(ctx, request)
		Expect(err).NotTo(HaveOccurred())
		return result
	}

	BeforeEach(func() {
		fakeClient = fakeclient.NewClientBuilder().WithScheme(operatorclient.RuntimeScheme).Build()
		sessions = newFakeSessions(testclock.NewFakeClock(time.Now()))
		reconciler = NewReconciler(fakeClient, "garden", sessions.Sessions)

		configMap = newIssuer().Config.ConfigMap("garden")
		key = keySecrets()[0].DeepCopy()
		garden, kubeconfig, access := accessObjects("https://virtual-garden-kube-apiserver", []byte("ca"), "sesame")
		token = access
		for _, obj := range []client.Object{configMap, key, garden, kubeconfig, token} {
			Expect(fakeClient.Create(ctx, obj)).To(Succeed())
		}

		sessionsCtx, cancel := context.WithCancel(ctx)
		DeferCleanup(cancel)
		go func() { _ = sessions.Start(sessionsCtx) }()
		Eventually(sessions.Ended()).Should(Receive())
	})

	It("should start a session when everything is there", func() {
		Expect(run().RequeueAfter).To(Equal(5 * time.Minute))
		sessions.expect(1, 1)
		run()
		sessions.expect(1, 1)
	})

	DescribeTable("should stop the session when something vanishes and start it when it comes back", func(get func() client.Object, expectRequeue bool) {
		run()
		sessions.expect(1, 1)

		obj := get()
		Expect(fakeClient.Delete(ctx, obj)).To(Succeed())
		requeues := run().RequeueAfter > 0
		Expect(requeues).To(Equal(expectRequeue))
		sessions.expect(1, 0)

		obj.SetResourceVersion("")
		Expect(fakeClient.Create(ctx, obj)).To(Succeed())
		run()
		sessions.expect(2, 1)
	},
		Entry("the issuer configuration", func() client.Object { return configMap }, false),
		Entry("the signing key", func() client.Object { return key }, true),
		Entry("the access Secret", func() client.Object { return token }, true),
	)

	It("should forget the expiry of the tokens when the issuer configuration vanishes", func() {
		TokenExpiry.WithLabelValues("foo").Set(1)
		Expect(fakeClient.Delete(ctx, configMap)).To(Succeed())
		run()
		Expect(TokenExpiry.DeleteLabelValues("foo")).To(BeFalse())
	})

	It("should report a bad configuration and leave the session running", func() {
		run()
		sessions.expect(1, 1)

		configMap.Data["config.yaml"] = "{}"
		Expect(fakeClient.Update(ctx, configMap)).To(Succeed())
		_, err := reconciler.Reconcile(ctx, request)
		Expect(err).To(MatchError(ContainSubstring("the issuer configuration in ConfigMap garden/otel-federation-issuer is invalid")))
		sessions.expect(1, 1)
	})

	It("should report a bad signing key and leave the session running", func() {
		run()
		sessions.expect(1, 1)

		key.Data = map[string][]byte{"id_rsa": []byte("sesame")}
		Expect(fakeClient.Update(ctx, key)).To(Succeed())
		_, err := reconciler.Reconcile(ctx, request)
		Expect(err).To(MatchError(And(ContainSubstring("is no PEM-encoded RSA private key"), Not(ContainSubstring("sesame")))))
		sessions.expect(1, 1)
	})

	It("should hand a change of the configuration to the session", func() {
		run()
		sessions.expect(1, 1)

		config := newIssuer().Config
		config.TokenRenewAfter = metav1.Duration{Duration: time.Hour}
		configMap.Data = config.ConfigMap("garden").Data
		Expect(fakeClient.Update(ctx, configMap)).To(Succeed())
		run()
		Eventually(sessions.changed.Load).Should(BeEquivalentTo(1))
		sessions.expect(1, 1)
	})
})
