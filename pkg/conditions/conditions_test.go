// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package conditions_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
)

var _ = Describe("#Set", func() {
	var (
		ctx      = context.Background()
		clock    *testclock.FakeClock
		c        client.Client
		ex       *extensionsv1alpha1.Extension
		patchErr error
		started  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.Local)
	)

	BeforeEach(func() {
		patchErr = nil
		clock = testclock.NewFakeClock(started)
		ex = &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden"}}
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex).WithStatusSubresource(ex).WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, subResource string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				if patchErr != nil {
					return patchErr
				}
				return c.SubResource(subResource).Patch(ctx, obj, patch, opts...)
			},
		}).Build()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
	})

	set := func(status gardencorev1beta1.ConditionStatus, reason, message string) {
		GinkgoHelper()
		Expect(Set(ctx, c, clock, ex, TypeCredentialsValid, status, reason, message)).To(Succeed())
	}
	stored := func() *extensionsv1alpha1.Extension {
		GinkgoHelper()
		obj := &extensionsv1alpha1.Extension{}
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), obj)).To(Succeed())
		return obj
	}

	It("should add a condition and keep the others", func() {
		other := gardencorev1beta1.Condition{Type: "Other", Status: gardencorev1beta1.ConditionTrue}
		ex.Status.Conditions = []gardencorev1beta1.Condition{other}
		Expect(c.Status().Update(ctx, ex)).To(Succeed())

		set(gardencorev1beta1.ConditionProgressing, ReasonCredentialsMissing, "none")

		Expect(stored().Status.Conditions).To(ConsistOf(other, gardencorev1beta1.Condition{
			Type:               "CredentialsValid",
			Status:             gardencorev1beta1.ConditionProgressing,
			Reason:             "CredentialsMissing",
			Message:            "none",
			LastTransitionTime: metav1.NewTime(started),
			LastUpdateTime:     metav1.NewTime(started),
		}))
	})

	It("should tell when the status changed", func() {
		set(gardencorev1beta1.ConditionProgressing, ReasonCredentialsMissing, "none")
		clock.Step(time.Minute)
		set(gardencorev1beta1.ConditionTrue, ReasonCredentialsAvailable, "there")

		Expect(stored().Status.Conditions).To(ConsistOf(gardencorev1beta1.Condition{
			Type:               "CredentialsValid",
			Status:             gardencorev1beta1.ConditionTrue,
			Reason:             "CredentialsAvailable",
			Message:            "there",
			LastTransitionTime: metav1.NewTime(started.Add(time.Minute)),
			LastUpdateTime:     metav1.NewTime(started.Add(time.Minute)),
		}))
	})

	It("should not write if nothing changes", func() {
		set(gardencorev1beta1.ConditionTrue, ReasonCredentialsAvailable, "there")
		before := stored()
		clock.Step(time.Minute)
		set(gardencorev1beta1.ConditionTrue, ReasonCredentialsAvailable, "there")

		Expect(stored()).To(Equal(before))
	})

	It("should not overwrite what somebody else wrote in the meantime", func() {
		other := stored()
		other.Status.Conditions = []gardencorev1beta1.Condition{{Type: "Other"}}
		Expect(c.Status().Update(ctx, other)).To(Succeed())

		Expect(Set(ctx, c, clock, ex, TypeCredentialsValid, gardencorev1beta1.ConditionTrue, "a", "b")).To(Succeed())

		var types []gardencorev1beta1.ConditionType
		for _, condition := range stored().Status.Conditions {
			types = append(types, condition.Type)
		}
		Expect(types).To(ConsistOf(gardencorev1beta1.ConditionType("Other"), TypeCredentialsValid))
	})

	It("should name condition and Extension if the status cannot be written", func() {
		patchErr = errors.New("no permission")
		Expect(Set(ctx, c, clock, ex, TypeIngressReady, gardencorev1beta1.ConditionTrue, "a", "b")).
			To(MatchError("failed to set condition IngressReady of Extension garden/foo: no permission"))
	})

	DescribeTable("#CompatibleIsOutdated", func(current []gardencorev1beta1.Condition, reason string, expected bool) {
		Expect(CompatibleIsOutdated(&extensionsv1alpha1.Extension{Status: extensionsv1alpha1.ExtensionStatus{DefaultStatus: extensionsv1alpha1.DefaultStatus{Conditions: current}}}, reason)).To(Equal(expected))
	},
		Entry("no condition yet", nil, "CollectorKindMissing", false),
		Entry("the problem that the condition tells", []gardencorev1beta1.Condition{{Type: "Compatible", Reason: "CollectorKindMissing"}}, "CollectorKindMissing", false),
		Entry("no problem, as the condition tells", []gardencorev1beta1.Condition{{Type: "Compatible", Reason: "Compatible"}}, "", false),
		Entry("the problem is gone", []gardencorev1beta1.Condition{{Type: "Compatible", Reason: "CollectorKindMissing"}}, "", true),
		Entry("a new problem", []gardencorev1beta1.Condition{{Type: "Compatible", Reason: "Compatible"}}, "CollectorKindMissing", true),
	)
})
