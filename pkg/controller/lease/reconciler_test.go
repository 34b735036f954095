// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("Reconciler", func() {
	var (
		ctx = context.Background()
		f   *fixture
	)

	BeforeEach(func() {
		f = newFixture()
	})

	Context("a live Extension", func() {
		It("should create the Lease", func() {
			Expect(f.run()).To(Equal(30 * time.Second))
			f.expectLease(now, nil)
		})

		It("should renew it every 30 seconds, and write nothing in between", func() {
			f.run()
			f.clock.Step(29 * time.Second)
			Expect(f.run()).To(Equal(time.Second))
			Expect(f.writes).To(Equal(1))
			f.expectLease(now, nil)

			f.clock.Step(time.Second)
			Expect(f.run()).To(Equal(30 * time.Second))
			Expect(f.writes).To(Equal(2))
			f.expectLease(now.Add(30*time.Second), nil)
		})

		DescribeTable("should renew it at once", func(renewed *metav1.MicroTime) {
			f.run()
			lease := f.get()
			lease.Spec.RenewTime = renewed
			Expect(f.garden.Update(ctx, lease)).To(Succeed())

			Expect(f.run()).To(Equal(30 * time.Second))
			f.expectLease(now, nil)
		},
			Entry("if it was never renewed", nil),
			Entry("if it was renewed by a clock that is fast", new(metav1.NewMicroTime(now.Add(time.Hour)))),
		)

		It("should tell which bundle the collector verifies the garden by, once that has been rolled out", func() {
			set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "otel-federation-seed-collector", Labels: collectortest.PodSelector("otel-federation-seed")}}
			set.Spec.Template.Annotations = map[string]string{caBundle: "first"}
			set.Status = appsv1.StatefulSetStatus{Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1}
			Expect(f.seed.Create(ctx, set)).To(Succeed())
			f.run()
			f.expectLease(now, map[string]string{caBundle: "first"})

			By("It is being rolled")
			set.Spec.Template.Annotations = map[string]string{caBundle: "second"}
			Expect(f.seed.Update(ctx, set)).To(Succeed())
			set.Status.UpdatedReplicas = 0
			Expect(f.seed.Status().Update(ctx, set)).To(Succeed())
			f.run()
			f.expectLease(now, map[string]string{caBundle: "first"})

			By("It has been rolled")
			set.Status.UpdatedReplicas = 1
			Expect(f.seed.Status().Update(ctx, set)).To(Succeed())
			f.run()
			f.expectLease(now, map[string]string{caBundle: "second"})
		})

		It("should restore what somebody has changed, and keep what is not its own", func() {
			f.run()
			lease := f.get()
			delete(lease.Labels, "app.kubernetes.io/name")
			metav1.SetMetaDataAnnotation(&lease.ObjectMeta, "foo", "bar")
			lease.Spec.HolderIdentity = new("somebody")
			lease.Spec.LeaseDurationSeconds = new(int32(1))
			Expect(f.garden.Update(ctx, lease)).To(Succeed())

			f.run()
			f.expectLease(now, map[string]string{"foo": "bar"})
		})

		It("should restore a Lease that is gone", func() {
			f.run()
			Expect(f.garden.Delete(ctx, f.get())).To(Succeed())
			f.run()
			f.expectLease(now, nil)
		})

		It("should not keep an answer to nothing", func() {
			f.run()
			f.answer()
			f.run()
			f.expectLease(now, nil)
		})
	})

	Context("an Extension that is being deleted", func() {
		It("should tell since when, and go on renewing", func() {
			f.run()
			f.clock.Step(5 * time.Second)
			since := f.leave()
			Expect(f.run()).To(Equal(30 * time.Second))
			f.expectLease(now.Add(5*time.Second), map[string]string{leavingSince: since})

			f.clock.Step(30 * time.Second)
			f.run()
			f.expectLease(now.Add(35*time.Second), map[string]string{leavingSince: since})
			Expect(f.writes).To(Equal(3))
		})

		It("should tell the same after a restart, and keep the answer", func() {
			f.run()
			since := f.leave()
			f.run()
			f.answer()

			f.clock.Step(time.Hour)
			f.start()
			f.run()
			f.expectLease(now.Add(time.Hour), map[string]string{leavingSince: since, pulledSince: "2026-01-01T00:00:07Z"})
		})

		It("should not write upon the answer", func() {
			f.run()
			f.leave()
			f.run()
			f.answer()
			Expect(f.run()).To(Equal(30 * time.Second))
			Expect(f.writes).To(BeZero())
		})

		It("should create the Lease if there is none yet", func() {
			since := f.leave()
			f.run()
			f.expectLease(now, map[string]string{leavingSince: since})
		})

		It("should take back what it said, and the answer, when there is a new Extension", func() {
			f.run()
			f.leave()
			f.run()
			f.answer()
			f.vanish()
			f.create()

			f.run()
			Expect(f.writes).To(Equal(1), "both at the same time")
			f.expectLease(now, nil)
		})

		It("should not keep the answer to an earlier deletion", func() {
			f.run()
			lease := f.get()
			metav1.SetMetaDataAnnotation(&lease.ObjectMeta, leavingSince, "2025-12-24T00:00:00Z")
			Expect(f.garden.Update(ctx, lease)).To(Succeed())
			f.answer()
			since := f.leave()

			f.run()
			Expect(f.writes).To(Equal(1), "both at the same time")
			f.expectLease(now, map[string]string{leavingSince: since})
		})

		It("should prefer a live Extension", func() {
			f.leave()
			f.extension = f.extension.DeepCopy()
			f.extension.ObjectMeta = metav1.ObjectMeta{Namespace: "garden", Name: "a-live-one"}
			Expect(f.seed.Create(ctx, f.extension)).To(Succeed())
			f.run()
			f.expectLease(now, nil)
		})
	})

	Context("no need for a Lease", func() {
		remove := func() {
			GinkgoHelper()
			f.leave()
			f.vanish()
		}
		override := func() {
			GinkgoHelper()
			f.configure(overrideConfig)
		}

		for description, abandon := range map[string]func(){
			"without an Extension":                                   remove,
			"if the providerConfig overrides the endpoint":           override,
			"if the Extension with the override is being deleted":    func() { override(); f.leave() },
			"if the Extension is of another class or type than ours": func() { remove(); createForeignExtensions(ctx, f.seed) },
		} {
			It("should delete it "+description, func() {
				f.run()
				abandon()
				Expect(f.run()).To(BeZero())
				f.expectNoLease()
			})

			It("should create none "+description, func() {
				abandon()
				Expect(f.run()).To(BeZero())
				Expect(f.writes).To(BeZero())
			})

			It("should not touch that of somebody else "+description, func() {
				lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
				Expect(f.garden.Create(ctx, lease)).To(Succeed())
				abandon()
				Expect(f.run()).To(BeZero())
				Expect(f.get()).To(Equal(lease))
			})
		}

		It("should create it again without the override", func() {
			override()
			f.run()
			f.extension.Spec.ProviderConfig = nil
			Expect(f.seed.Update(ctx, f.extension)).To(Succeed())
			f.run()
			f.expectLease(now, nil)
		})
	})

	Context("a providerConfig that is invalid", func() {
		It("should create nothing", func() {
			f.configure(invalidConfig)
			Expect(f.run()).To(BeZero())
			f.leave()
			Expect(f.run()).To(BeZero())
			f.expectNoLease()
		})

		It("should go on with the Lease that there is", func() {
			f.run()
			f.configure(invalidConfig)
			f.clock.Step(30 * time.Second)
			Expect(f.run()).To(Equal(30 * time.Second))
			f.expectLease(now.Add(30*time.Second), nil)

			since := f.leave()
			f.run()
			f.expectLease(now.Add(30*time.Second), map[string]string{leavingSince: since})
		})
	})
})
