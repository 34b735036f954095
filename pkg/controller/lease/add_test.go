// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/lease"
)

var _ = Describe("Add", func() {
	It("should refuse to run without the class seed", func() {
		Expect(AddToManagerWithOptions(context.Background(), nil, AddOptions{ExtensionClasses: []extensionsv1alpha1.ExtensionClass{"garden"}})).
			To(MatchError(ContainSubstring(`the lease controller works only for the extension class "seed"`)))
	})

	DescribeTable("should refuse to run without access to the garden", func(seedName string) {
		Expect(AddToManagerWithOptions(context.Background(), nil, AddOptions{ExtensionClasses: []extensionsv1alpha1.ExtensionClass{"seed"}, SeedName: seedName})).
			To(MatchError(And(ContainSubstring("GARDEN_KUBECONFIG"), ContainSubstring("SEED_NAME"))))
	},
		Entry("cluster", "foo"),
		Entry("cluster and name of the seed", ""),
	)

	Describe("#ChangePredicate", func() {
		var before, after *coordinationv1.Lease

		BeforeEach(func() {
			before = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
				Labels:      map[string]string{"app.kubernetes.io/managed-by": "gardener-extension-otel-federation"},
				Annotations: map[string]string{leavingSince: "foo", pulledSince: "bar"},
			}}
			after = before.DeepCopy()
		})

		updated := func() bool {
			return ChangePredicate().Update(event.TypedUpdateEvent[*coordinationv1.Lease]{ObjectOld: before, ObjectNew: after})
		}

		It("should not admit renewals and what does not concern this extension", func() {
			after.ResourceVersion = "2"
			after.Spec.RenewTime = new(metav1.NewMicroTime(time.Unix(1, 0)))
			after.Annotations["foo"] = "bar"
			after.Labels["foo"] = "bar"
			Expect(updated()).To(BeFalse())
		})

		It("should admit what the seed and the garden say", func() {
			delete(after.Annotations, pulledSince)
			Expect(updated()).To(BeTrue())
			before, after = after, before
			Expect(updated()).To(BeTrue())
			before = after.DeepCopy()
			after.Annotations[leavingSince] = "baz"
			Expect(updated()).To(BeTrue())
		})

		It("should admit that the Lease becomes that of somebody else", func() {
			after.Labels = nil
			Expect(updated()).To(BeTrue())
		})

		It("should admit that the Lease is there, or is gone", func() {
			Expect(ChangePredicate().Create(event.TypedCreateEvent[*coordinationv1.Lease]{Object: after})).To(BeTrue())
			Expect(ChangePredicate().Delete(event.TypedDeleteEvent[*coordinationv1.Lease]{Object: after})).To(BeTrue())
		})
	})
})
