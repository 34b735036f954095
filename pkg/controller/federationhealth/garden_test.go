// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package federationhealth_test

import (
	"context"
	"fmt"
	"net/http"
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

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/federationhealth"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

var _ = Describe("GardenReconciler", func() {
	var (
		ctx           = context.Background()
		clock         *testclock.FakeClock
		c             client.Client
		virtualGarden client.Client
		connected     bool
		ex            *extensionsv1alpha1.Extension
		configMap     *corev1.ConfigMap
		plays         []*collector
		board         *handover.Board
		handOver      func()
		recorder      *events.FakeRecorder
		reconciler    *GardenReconciler
	)

	newSecret := func(seedName string, issued time.Time) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "seed-" + seedName, Name: "otel-federation", Labels: credentials.ObjectLabels()},
			Data:       map[string][]byte{"token": newToken(seedName, issued)},
		}
	}

	BeforeEach(func() {
		clock = testclock.NewFakeClock(start)
		ex = newExtension(extensionsv1alpha1.ExtensionClassGarden)
		configMap = (&credentials.IssuerConfig{
			Endpoint: endpoint, SigningKeySecretName: "key", DeniedSeeds: []string{"denied"},
			TokenValidity: metav1.Duration{Duration: 7 * 24 * time.Hour}, TokenRenewAfter: metav1.Duration{Duration: 24 * time.Hour},
		}).ConfigMap(namespace)
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithStatusSubresource(ex).WithObjects(
			ex, configMap,
			newPod("otel-federation-garden", "otel-federation-garden-0-collector-0", "10.0.0.0"),
			newPod("otel-federation-garden", "otel-federation-garden-1-collector-0", "10.0.0.1"),
		).Build()
		virtualGarden = fakeclient.NewClientBuilder().WithScheme(kubernetes.GardenScheme).WithObjects(
			&gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, &gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: "b"}},
			&gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: "denied"}},
			newSecret("a", start), newSecret("b", start),
		).Build()
		connected = true
		plays = []*collector{{started: start.Add(-time.Hour)}, {started: start.Add(-time.Hour)}}
		board = &handover.Board{}
		handOver = func() {
			board.Publish(&handover.Federation{At: clock.Now(), Seeds: []handover.SeedFederation{{Name: "a", Enabled: true, Fresh: true, Newest: start}, {Name: "b", Enabled: true, Fresh: true, Newest: start}}})
		}
		recorder = events.NewFakeRecorder(100)
		reconciler = &GardenReconciler{
			Client: c, Reader: c, Clock: clock, Recorder: recorder, Board: board, Namespace: namespace,
			VirtualGarden: func() (client.Client, bool) { return virtualGarden, connected },
			HTTPClient:    &http.Client{Transport: &collectors{clock: clock, byIP: map[string]*collector{"10.0.0.0": plays[0], "10.0.0.1": plays[1]}}},
		}
	})

	nothing := func() { handOver() }
	federation := func() *gardencorev1beta1.Condition { return conditionOf(ctx, c, ex, "FederationHealthy") }
	tokens := func() *gardencorev1beta1.Condition { return conditionOf(ctx, c, ex, "CredentialsValid") }

	It("should say that all is well", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, nothing)
		Expect(federation()).To(be("True", "SamplesStored", ContainSubstring("2 seeds")))
		Expect(tokens()).To(be("True", "CredentialsAvailable", HavePrefix("All 2 seeds have a token.")))
		Expect(told(recorder)).To(BeEmpty())
	})

	It("should say nothing by what the hand-over found long ago", func() {
		handOver()
		pass(ctx, clock, reconciler, 3*time.Minute, func() {})
		Expect(federation()).To(be("Progressing", "Observing", Not(BeEmpty())))
	})

	It("should keep a loss in mind for two minutes", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, nothing)
		plays[1].failed = 12
		pass(ctx, clock, reconciler, 10*time.Second, nothing)
		Expect(federation()).To(be("False", "SomeSamplesDropped", HavePrefix("12 samples")))
		pass(ctx, clock, reconciler, 100*time.Second, nothing)
		Expect(federation().Status).To(Equal(gardencorev1beta1.ConditionFalse))
		pass(ctx, clock, reconciler, 20*time.Second, nothing)
		Expect(federation().Status).To(Equal(gardencorev1beta1.ConditionTrue))
		Expect(told(recorder)).To(ConsistOf(HavePrefix("Warning SomeSamplesDropped 12 samples"), HavePrefix("Normal SamplesStored")))
	})

	DescribeTable("should keep a loss in mind for as long as push may be stale, within bounds",
		func(returnAfter, expected time.Duration) {
			ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: fmt.Appendf(nil, `{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationConfig","handOver":{"returnAfter":%q,"freshFor":"10m"}}`, returnAfter)}
			Expect(c.Update(ctx, ex)).To(Succeed())
			pass(ctx, clock, reconciler, 6*time.Minute, nothing)
			plays[1].failed = 12
			pass(ctx, clock, reconciler, 10*time.Second, nothing)
			Expect(federation().Status).To(Equal(gardencorev1beta1.ConditionFalse))
			pass(ctx, clock, reconciler, expected-20*time.Second, nothing)
			Expect(federation().Status).To(Equal(gardencorev1beta1.ConditionFalse))
			pass(ctx, clock, reconciler, 20*time.Second, nothing)
			Expect(federation().Status).To(Equal(gardencorev1beta1.ConditionTrue))
		},
		Entry("very short", 10*time.Second, 20*time.Second),
		Entry("in between", time.Minute, time.Minute),
		Entry("very long", 5*time.Minute, 2*time.Minute),
	)

	It("should say that no collector answers, after a minute", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, nothing)
		plays[0].down, plays[1].down = true, true
		pass(ctx, clock, reconciler, 50*time.Second, nothing)
		Expect(federation()).To(be("Progressing", "CollectorStarting", Not(BeEmpty())))
		pass(ctx, clock, reconciler, 20*time.Second, nothing)
		Expect(federation()).To(be("False", "FanOutUnavailable", ContainSubstring("pod garden/otel-federation-garden-0-collector-0")))
	})

	It("should say that a replica of the garden Prometheus is detached", func() {
		var err error
		ex.Status.ProviderStatus, err = loader.EncodeGardenFederationStatus(&configv1alpha1.GardenFederationStatus{FanOut: &configv1alpha1.FanOutStatus{
			DetachedReplicas: []configv1alpha1.DetachedReplica{{Name: "prometheus-garden-1", Since: metav1.NewTime(start)}},
		}})
		Expect(err).NotTo(HaveOccurred())
		Expect(c.Status().Update(ctx, ex)).To(Succeed())
		pass(ctx, clock, reconciler, time.Minute, nothing)
		Expect(federation()).To(be("False", "PrometheusDetached", ContainSubstring("prometheus-garden-1")))
	})

	It("should name the seeds without a token, and with one that is too old", func() {
		Expect(virtualGarden.Create(ctx, &gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: "c"}})).To(Succeed())
		pass(ctx, clock, reconciler, time.Minute, nothing)
		Expect(tokens()).To(be("Progressing", "CredentialsMissing", HavePrefix("1 of 3 seeds have no token yet: c.")))

		clock.Step(4 * 24 * time.Hour)
		Expect(virtualGarden.Update(ctx, newSecret("b", clock.Now()))).To(Succeed())
		pass(ctx, clock, reconciler, time.Minute, nothing)
		Expect(tokens()).To(be("False", "TokenRenewalOverdue", HavePrefix("The tokens of 1 of 3 seeds have not been renewed in time: a;")))
	})

	It("should say after a minute that the virtual garden cannot be asked", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, nothing)
		connected = false
		pass(ctx, clock, reconciler, time.Minute, nothing)
		Expect(tokens().Status).To(Equal(gardencorev1beta1.ConditionTrue))
		pass(ctx, clock, reconciler, 10*time.Second, nothing)
		Expect(tokens()).To(be("Unknown", "VirtualGardenUnreachable", Not(BeEmpty())))
		Expect(federation().Status).To(Equal(gardencorev1beta1.ConditionTrue))
	})

	It("should say how the samples are though the tokens cannot be judged", func() {
		pass(ctx, clock, reconciler, 3*time.Minute, nothing)
		configMap.Data = nil
		Expect(c.Update(ctx, configMap)).To(Succeed())
		plays[0].failed = 12
		_, err := reconciler.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(ContainSubstring("ConfigMap garden/otel-federation-issuer")))
		Expect(federation()).To(be("False", "SomeSamplesDropped", HavePrefix("12 samples")))
		Expect(tokens().Status).To(Equal(gardencorev1beta1.ConditionTrue))
	})

	It("should say what is waited for before credentials are issued", func() {
		Expect(c.Delete(ctx, configMap)).To(Succeed())
		pass(ctx, clock, reconciler, time.Minute, nothing)
		Expect(tokens()).To(be("Progressing", "CredentialsMissing", ContainSubstring("conditions IngressReady and ReceiverReady")))
	})
})
