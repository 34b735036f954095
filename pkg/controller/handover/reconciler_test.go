// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const (
	pull      = configv1alpha1.SeedFederationStatePull
	shadow    = configv1alpha1.SeedFederationStateShadow
	push      = configv1alpha1.SeedFederationStatePush
	returning = configv1alpha1.SeedFederationStateReturning
)

var _ = Describe("Reconciler", func() {
	var (
		ctx = context.Background()
		f   *fixture

		pushLocal = handover.Series{Way: handover.Push, Seed: "local", Instance: "prometheus-aggregate"}
		pushOther = handover.Series{Way: handover.Push, Seed: "other", Instance: "p-seed.ingress.other"}
		pullLocal = handover.Series{Way: handover.Pull, Instance: "prometheus-aggregate"}
		pullOther = handover.Series{Way: handover.Pull, Instance: "p-seed.ingress.other"}
	)

	BeforeEach(func() {
		f = newFixture(ctx)
	})

	condition := func() *gardencorev1beta1.Condition {
		GinkgoHelper()
		f.read(ctx)
		return v1beta1helper.GetCondition(f.extension.Status.Conditions, "HandOverHealthy")
	}

	It("should hand over one seed after the other once their samples have been fresh for long enough", func() {
		f.pass(ctx, 4*time.Minute+50*time.Second, pushLocal, pullLocal, pullOther)
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": pull, "other": pull}))
		Expect(f.targets(ctx)).To(ConsistOf("prometheus-aggregate", "p-seed.ingress.other"))
		Expect(f.rules(ctx)).To(BeEmpty())

		f.pass(ctx, 20*time.Second, pushLocal, pullLocal, pullOther)
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": pull}))
		Expect(f.targets(ctx)).To(ConsistOf("p-seed.ingress.other"))
		Expect(f.rules(ctx)).To(ConsistOf(HavePrefix("vector(1) # ")))
		Expect(condition()).To(And(HaveField("Status", gardencorev1beta1.ConditionTrue), HaveField("Message", "Of 2 seeds: Push 1, Returning 0, Shadow 0, Pull 1.")))

		before := f.rules(ctx)
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther, pullOther)
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": push}))
		Expect(f.targets(ctx)).To(BeEmpty())
		for _, name := range []string{nameTargets, nameIngress} {
			Expect(f.scrapeConfig(ctx, name).Annotations).To(HaveKeyWithValue(annotationWithheld, "p-seed.ingress.other,prometheus-aggregate"))
			Expect(f.scrapeConfig(ctx, name).Labels).NotTo(HaveKey("prometheus"))
		}
		Expect(f.rules(ctx)).NotTo(Equal(before))
		Expect(f.told()).To(ConsistOf(HavePrefix("Normal HandOver Seed local: Push instead of Pull."), HavePrefix("Normal HandOver Seed other: Push instead of Pull.")))
	})

	It("should tell others what the replicas have of the seeds", func() {
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
		federation := f.board.Latest()
		Expect(federation.Unavailable(0)).To(BeEmpty())
		Expect(federation.Seeds).To(HaveExactElements(
			And(HaveField("Name", "local"), HaveField("State", "Push"), HaveField("Enabled", true), HaveField("Stale", false), HaveField("Newest", BeTemporally("~", f.clock.Now(), time.Minute))),
			And(HaveField("Name", "other"), HaveField("Stale", false)),
		))

		f.replicas["10.0.0.1"].down = true
		f.pass(ctx, 3*time.Minute, pushLocal)
		federation = f.board.Latest()
		Expect(federation.Unavailable(time.Minute)).To(ConsistOf(HavePrefix("prometheus-garden-")))
		Expect(federation.Unavailable(4 * time.Minute)).To(BeEmpty())
		Expect(federation.Seeds).To(HaveExactElements(HaveField("Stale", false), HaveField("Stale", true)))

		By("The extension leaves")
		Expect(f.runtimeClient.Delete(ctx, f.extension)).To(Succeed())
		f.read(ctx)
		f.extension.Finalizers = nil
		Expect(f.runtimeClient.Update(ctx, f.extension)).To(Succeed())
		f.reconcile(ctx)
		Expect(f.board.Latest()).To(BeNil())
	})

	It("should write nothing as long as nothing changes, and the times of samples once a minute", func() {
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
		writes, version := f.statusWrites, f.scrapeConfig(ctx, nameIngress).ResourceVersion
		f.pass(ctx, 2*time.Minute, pushLocal, pushOther)
		Expect(f.statusWrites - writes).To(Equal(2))
		Expect(f.scrapeConfig(ctx, nameIngress).ResourceVersion).To(Equal(version))
		Expect(f.statusOf(ctx).Seeds[0].LastSample.Time).To(BeTemporally("~", f.clock.Now(), time.Minute))
	})

	It("should bring pull back for a seed that stops pushing, nudge until it is pulled, and hand it over again", func() {
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
		nudges := f.podAnnotations

		f.pass(ctx, 2*time.Minute, pushLocal)
		Expect(f.states(ctx)).To(HaveKeyWithValue("other", push))
		f.pass(ctx, 10*time.Second, pushLocal)
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": returning}))
		Expect(f.targets(ctx)).To(ConsistOf("p-seed.ingress.other"))
		Expect(f.statusOf(ctx).Seeds[1].Message).To(ContainSubstring("for longer than 2m0s"))
		changed := f.rules(ctx)

		Expect(f.reconcile(ctx).RequeueAfter).To(Equal(time.Second))
		f.pass(ctx, 10*time.Second, pushLocal)
		Expect(f.podAnnotations-nudges).To(Equal(2), "one for each replica")
		Expect(f.rules(ctx)).NotTo(Equal(changed))
		Expect(f.states(ctx)).To(HaveKeyWithValue("other", returning))

		f.pass(ctx, 10*time.Second, pushLocal, pullOther)
		Expect(f.states(ctx)).To(HaveKeyWithValue("other", pull))
		nudges = f.podAnnotations
		f.pass(ctx, 6*time.Minute, pushLocal, pullOther, pushOther)
		Expect(f.states(ctx)).To(HaveKeyWithValue("other", push))
		Expect(f.podAnnotations).To(Equal(nudges))
	})

	It("should give up nudging a garden Prometheus that does not pull", func() {
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
		f.pass(ctx, time.Hour, pushLocal)
		Expect(f.podAnnotations).To(Equal(2 * 6))
		Expect(f.reconcile(ctx).RequeueAfter).To(Equal(10 * time.Second))
	})

	It("should neither hand over nor bring back because of a replica that does not answer", func() {
		f.replicas["10.0.0.1"].down = true
		f.pass(ctx, 10*time.Minute, pushLocal, pullLocal)
		Expect(f.states(ctx)).To(HaveKeyWithValue("local", pull))
		Expect(f.statusOf(ctx).Seeds[0].Message).To(ContainSubstring("prometheus-garden-1 does not answer"))

		f.replicas["10.0.0.1"].down = false
		f.pass(ctx, 6*time.Minute, pushLocal)
		Expect(f.states(ctx)).To(HaveKeyWithValue("local", push))
		f.replicas["10.0.0.1"].down = true
		f.pass(ctx, 10*time.Minute, pushLocal)
		Expect(f.states(ctx)).To(HaveKeyWithValue("local", push))
	})

	It("should not hand over while a replica refuses what is pushed", func() {
		f.replicas["10.0.0.0"].rejected = true
		f.pass(ctx, 10*time.Minute, pushLocal)
		Expect(f.states(ctx)).To(HaveKeyWithValue("local", pull))
		f.replicas["10.0.0.0"].rejected = false
		f.pass(ctx, 10*time.Second, pushLocal)
		Expect(f.states(ctx)).To(HaveKeyWithValue("local", push))
	})

	It("should not believe a seed that pretends to be another one's target", func() {
		f.pass(ctx, 10*time.Minute, handover.Series{Way: handover.Push, Seed: "other", Instance: "prometheus-aggregate"})
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": pull, "other": pull}))
	})

	It("should gain a seed that Gardener has no target for", func() {
		seed := &gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: "private"}}
		Expect(f.garden.Create(ctx, seed)).To(Succeed())
		f.enable(ctx, "private")
		f.pass(ctx, 10*time.Second, handover.Series{Way: handover.Push, Seed: "private", Instance: "prometheus-aggregate"})
		Expect(f.states(ctx)).To(HaveKeyWithValue("private", push))
		Expect(f.targets(ctx)).To(ConsistOf("prometheus-aggregate", "p-seed.ingress.other"))
	})

	It("should go on after a restart where it was", func() {
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
		before := f.statusOf(ctx)
		f.newReconciler()
		f.pass(ctx, time.Minute, pushLocal, pushOther)
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": push}))
		Expect(f.statusOf(ctx).Seeds[0].Since).To(Equal(before.Seeds[0].Since))
		Expect(f.targets(ctx)).To(BeEmpty())
	})

	It("should not take targets away before the state is written down", func() {
		f.pass(ctx, 4*time.Minute+50*time.Second, pushLocal)
		f.failStatus = errors.New("fake")
		f.clock.Step(20 * time.Second)
		f.scrape(pushLocal)
		_, err := f.reconciler.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(ContainSubstring("failed to write the states of the seeds")))
		Expect(f.targets(ctx)).To(ContainElement("prometheus-aggregate"))

		f.failStatus = nil
		f.reconcile(ctx)
		Expect(f.targets(ctx)).NotTo(ContainElement("prometheus-aggregate"))
	})

	It("should put back what somebody else has written", func() {
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
		scrapeConfig := f.scrapeConfig(ctx, nameIngress)
		scrapeConfig.Spec.StaticConfigs = gardenersScrapeConfigs()[2].Spec.StaticConfigs
		scrapeConfig.Labels = map[string]string{"prometheus": "garden"}
		scrapeConfig.Annotations = nil
		Expect(f.runtimeClient.Update(ctx, scrapeConfig)).To(Succeed())
		f.pass(ctx, 10*time.Second, pushLocal, pushOther)
		Expect(f.targets(ctx)).To(BeEmpty())
	})

	Describe("leaving", func() {
		It("should let a seed go only when it is pulled again", func() {
			f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
			f.leave(ctx, "other")
			f.pass(ctx, 10*time.Second, pushLocal, pushOther)
			Expect(f.states(ctx)).To(HaveKeyWithValue("other", returning))
			Expect(f.lease(ctx, "other").Annotations).NotTo(HaveKey(annotationPulledSince))

			f.pass(ctx, 10*time.Second, pushLocal, pushOther, pullOther)
			Expect(f.states(ctx)).To(HaveKeyWithValue("other", pull))
			Expect(f.lease(ctx, "other").Annotations).To(HaveKeyWithValue(annotationPulledSince, f.clock.Now().Format(time.RFC3339)))
			Expect(f.lease(ctx, "local").Annotations).To(BeEmpty())

			f.pass(ctx, 10*time.Minute, pushLocal, pushOther, pullOther)
			Expect(f.states(ctx)).To(HaveKeyWithValue("other", pull))
		})

		It("should not take the last samples of a collector that has gone for those of the next", func() {
			f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
			f.leave(ctx, "other")
			f.pass(ctx, 10*time.Second, pushLocal, pushOther)
			f.pass(ctx, 10*time.Second, pushLocal, pushOther, pullOther)
			Expect(f.states(ctx)).To(HaveKeyWithValue("other", pull))

			Expect(f.garden.Delete(ctx, f.lease(ctx, "other"))).To(Succeed())
			f.pass(ctx, 10*time.Second, pushLocal, pullOther)
			Expect(f.states(ctx)).To(HaveKeyWithValue("other", pull))

			f.enable(ctx, "other")
			for range 6 {
				f.pass(ctx, 10*time.Second, pushLocal, pullOther)
				Expect(f.states(ctx)).To(HaveKeyWithValue("other", pull))
			}
			f.pass(ctx, 4*time.Minute, pushLocal, pullOther, pushOther)
			Expect(f.states(ctx)).To(HaveKeyWithValue("other", pull))
			f.pass(ctx, 2*time.Minute, pushLocal, pullOther, pushOther)
			Expect(f.states(ctx)).To(HaveKeyWithValue("other", push))
		})

		It("should let a seed go at once that is pulled, or does not push", func() {
			f.leave(ctx, "other")
			f.pass(ctx, 10*time.Second, pullOther)
			Expect(f.lease(ctx, "other").Annotations).To(HaveKey(annotationPulledSince))

			f.pass(ctx, 6*time.Minute, pushLocal)
			Expect(f.states(ctx)).To(HaveKeyWithValue("local", push))
			f.leave(ctx, "local")
			f.pass(ctx, 2*time.Minute+10*time.Second)
			Expect(f.states(ctx)).To(HaveKeyWithValue("local", returning))
			Expect(f.lease(ctx, "local").Annotations).To(HaveKey(annotationPulledSince))
		})

		It("should bring pull back for all seeds when the Extension is being deleted", func() {
			f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
			Expect(f.runtimeClient.Delete(ctx, f.extension)).To(Succeed())
			f.pass(ctx, 10*time.Second, pushLocal, pushOther)
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": returning, "other": returning}))
			Expect(f.targets(ctx)).To(ConsistOf("prometheus-aggregate", "p-seed.ingress.other"))
			f.pass(ctx, 10*time.Second, pushLocal, pushOther, pullLocal, pullOther)
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": pull, "other": pull}))
			Expect(f.rules(ctx)).To(BeEmpty())
			Expect(f.scrapeConfig(ctx, nameIngress).Annotations).To(BeEmpty())
		})

		It("should clear away what an Extension has left that was removed by force", func() {
			f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
			f.read(ctx)
			f.extension.Finalizers = nil
			Expect(f.runtimeClient.Update(ctx, f.extension)).To(Succeed())
			Expect(f.runtimeClient.Delete(ctx, f.extension)).To(Succeed())
			Expect(f.reconcile(ctx).RequeueAfter).To(BeZero())
			Expect(f.targets(ctx)).To(ConsistOf("prometheus-aggregate", "p-seed.ingress.other"))
			Expect(f.rules(ctx)).To(BeEmpty())

			Expect(f.runtimeClient.Delete(ctx, &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus-garden"}})).To(Succeed())
			f.reconcile(ctx)
		})
	})

	Describe("configuration", func() {
		It("should hand over at once in mode Push where the extension is, once the receiver is ready", func() {
			f.configure(ctx, `{"mode":"Push"}`)
			Expect(f.garden.Delete(ctx, f.lease(ctx, "other"))).To(Succeed())
			f.reconcile(ctx)
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": pull, "other": pull}))

			f.read(ctx)
			f.extension.Status.Conditions = append(f.extension.Status.Conditions, gardencorev1beta1.Condition{Type: "ReceiverReady", Status: gardencorev1beta1.ConditionTrue})
			Expect(f.runtimeClient.Status().Update(ctx, f.extension)).To(Succeed())
			f.reconcile(ctx)
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": pull}))
		})

		It("should pull all seeds in mode Shadow", func() {
			f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
			f.configure(ctx, `{"mode":"Shadow"}`)
			f.pass(ctx, 10*time.Second, pushLocal, pushOther)
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": returning, "other": returning}))
			f.pass(ctx, 10*time.Second, pullLocal, pullOther)
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": pull, "other": pull}))
			f.pass(ctx, 10*time.Second, pullLocal, pullOther, handover.Series{Way: handover.Shadow, Seed: "local", Instance: "prometheus-aggregate"})
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": shadow, "other": pull}))
		})

		It("should poll more often if pull must return sooner", func() {
			Expect(f.reconcile(ctx).RequeueAfter).To(Equal(10 * time.Second))
			f.configure(ctx, `{"returnAfter":"16s"}`)
			Expect(f.reconcile(ctx).RequeueAfter).To(Equal(2 * time.Second))
			f.configure(ctx, `{"returnAfter":"1s"}`)
			Expect(f.reconcile(ctx).RequeueAfter).To(Equal(time.Second))
		})

		It("should go on with the last valid configuration, and stand still without one", func() {
			f.pass(ctx, time.Minute, pushLocal)
			f.configure(ctx, `{"mode":"foo"}`)
			f.pass(ctx, 5*time.Minute, pushLocal)
			Expect(f.states(ctx)).To(HaveKeyWithValue("local", push))

			f.newReconciler()
			f.clock.Step(time.Hour)
			Expect(f.reconcile(ctx).RequeueAfter).To(BeZero())
			Expect(f.states(ctx)).To(HaveKeyWithValue("local", push))
		})

		It("should not use seeds that are denied", func() {
			f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
			f.connected = false
			f.pass(ctx, time.Minute, pushLocal, pushOther)
			f.connected = true
			f.deny(ctx, "other")
			f.pass(ctx, 10*time.Second, pushLocal, pushOther)
			Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": returning}))
			Expect(f.statusOf(ctx).Seeds[1].Message).To(ContainSubstring("denied or not selected"))
		})
	})

	It("should change nothing because the virtual garden cannot be reached, but bring pull back if push stops meanwhile", func() {
		f.pass(ctx, 6*time.Minute, pushLocal, pushOther)
		f.connected = false
		f.newReconciler()
		f.pass(ctx, 10*time.Minute, pushLocal, pushOther)
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": push}))
		f.pass(ctx, 3*time.Minute, pushLocal)
		Expect(f.states(ctx)).To(Equal(map[string]configv1alpha1.SeedFederationState{"local": push, "other": returning}))
	})

	It("should wait for the garden Prometheus for a while, and say after it that it fails, and why", func() {
		Expect(f.runtimeClient.Delete(ctx, &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus-garden"}})).To(Succeed())
		Expect(f.reconcile(ctx).RequeueAfter).To(Equal(10 * time.Second))
		Expect(condition()).To(BeNil())
		f.clock.Step(time.Minute)
		f.reconcile(ctx)
		Expect(condition()).To(And(HaveField("Status", gardencorev1beta1.ConditionProgressing), HaveField("Reason", "HandOverWaiting"),
			HaveField("Message", ContainSubstring("ManagedResource garden/prometheus-garden, which gardener-operator deploys"))))
		f.clock.Step(14 * time.Minute)
		f.reconcile(ctx)
		Expect(condition()).To(And(HaveField("Status", gardencorev1beta1.ConditionFalse), HaveField("Reason", "HandOverFailing"),
			HaveField("Message", ContainSubstring("ManagedResource garden/prometheus-garden, which gardener-operator deploys"))))
	})

	It("should refuse to run for other classes than garden, or without a connection", func() {
		Expect(AddToManagerWithOptions(ctx, nil, AddOptions{ExtensionClasses: []extensionsv1alpha1.ExtensionClass{"seed"}})).To(MatchError(ContainSubstring(`works only for the extension class "garden"`)))
		Expect(AddToManagerWithOptions(ctx, nil, AddOptions{ExtensionClasses: []extensionsv1alpha1.ExtensionClass{"garden"}})).To(MatchError(ContainSubstring("needs the connection")))
	})
})
