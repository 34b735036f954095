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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

const (
	configKind = "SeedFederationConfig"
	// finalizer stands for that of the Extension's controller, which waits for the garden's answer.
	finalizer = "test/extension"
)

var _ = Describe("Lease controller", func() {
	var extension *framework.Extension

	BeforeEach(func() {
		extension = framework.NewSeedExtension(seedCluster.Client)
		DeferCleanup(func(ctx context.Context) {
			extension.Delete(ctx)
			setFinalizer(ctx, extension, false)
			extension.WaitUntilDeleted(ctx)
			Eventually(ctx, haveNoLease).Should(Succeed())
		})
	})

	// deploy creates an Extension that stays when it is deleted until its finalizer is removed.
	deploy := func(ctx context.Context) {
		GinkgoHelper()
		extension.Deploy(ctx, configKind, nil)
		setFinalizer(ctx, extension, true)
		Eventually(ctx, getLease).Should(HaveField("Annotations", BeEmpty()))
	}
	// leave deletes the Extension and waits until the garden is told.
	leave := func(ctx context.Context) {
		GinkgoHelper()
		extension.Delete(ctx)
		since := extension.Get(ctx, Default).DeletionTimestamp.UTC().Format(time.RFC3339)
		Eventually(ctx, getLease).Should(HaveField("Annotations", Equal(map[string]string{constants.AnnotationLeavingSince: since})))
	}

	It("should keep the Lease as long as there is an Extension", func(ctx context.Context) {
		Consistently(ctx, haveNoLease).Should(Succeed())

		deploy(ctx)
		lease := getLease(Default, ctx)
		Expect(lease.Labels).To(Equal(credentials.ObjectLabels()))
		Expect(lease.Spec.HolderIdentity).To(HaveValue(Equal("gardener-extension-otel-federation")))
		Expect(lease.Spec.RenewTime.Time).To(BeTemporally("~", time.Now(), renewInterval))

		setFinalizer(ctx, extension, false)
		extension.Delete(ctx)
		Eventually(ctx, haveNoLease).Should(Succeed())
	})

	It("should renew the Lease once per interval, and write nothing in between", func(ctx context.Context) {
		deploy(ctx)
		// Four versions are three full intervals.
		for range 4 {
			before := getLease(Default, ctx)
			Eventually(ctx, resourceVersion).Should(Not(Equal(before.ResourceVersion)))
			renewed := getLease(Default, ctx)
			Consistently(ctx, resourceVersion).Should(Equal(renewed.ResourceVersion))
			Expect(renewed.Spec.RenewTime.Sub(before.Spec.RenewTime.Time)).To(BeNumerically("~", renewInterval, time.Second))
		}
	})

	It("should tell that the seed leaves, take the answer, and go on renewing", func(ctx context.Context) {
		deploy(ctx)
		leave(ctx)
		answered := answer(ctx)

		Eventually(ctx, resourceVersion).Should(Not(Equal(answered.ResourceVersion)))
		Expect(getLease(Default, ctx).Annotations).To(Equal(answered.Annotations))
		Expect(getLease(Default, ctx).Spec.RenewTime.After(answered.Spec.RenewTime.Time)).To(BeTrue())
	})

	It("should take it back, and the answer, when a new Extension comes", func(ctx context.Context) {
		deploy(ctx)
		leave(ctx)
		answer(ctx)
		setFinalizer(ctx, extension, false)
		extension.WaitUntilDeleted(ctx)

		extension.Deploy(ctx, configKind, nil)
		Eventually(ctx, getLease).Should(HaveField("Annotations", BeEmpty()))
		Consistently(ctx, getLease).Should(HaveField("Annotations", BeEmpty()))
	})

	It("should not wait for a renewal to undo an answer to nothing, or to restore a Lease that is gone", func(ctx context.Context) {
		deploy(ctx)
		for _, disturb := range []func(){
			func() { answer(ctx) },
			func() { Expect(virtualGarden.Client.Delete(ctx, emptyLease())).To(Succeed()) },
		} {
			before := getLease(Default, ctx)
			Eventually(ctx, resourceVersion).Should(Not(Equal(before.ResourceVersion)), "the next renewal is an interval away")
			disturb()
			Eventually(ctx, getLease).WithTimeout(renewInterval / 2).Should(HaveField("Annotations", BeEmpty()))
		}
	})

	It("should have no Lease while the providerConfig overrides the endpoint", func(ctx context.Context) {
		deploy(ctx)
		extension.Deploy(ctx, configKind, map[string]any{"garden": map[string]any{
			"endpoint": "https://other.example.com", "tokenSecretRef": map[string]any{"name": "mine"},
		}})
		Eventually(ctx, haveNoLease).Should(Succeed())

		extension.Deploy(ctx, configKind, nil)
		Eventually(ctx, getLease).Should(HaveField("Annotations", BeEmpty()))
	})

	It("should not touch the Lease of somebody else", func(ctx context.Context) {
		foreign := emptyLease()
		foreign.Spec.HolderIdentity = new("somebody")
		Expect(virtualGarden.Client.Create(ctx, foreign)).To(Succeed())
		extension.Deploy(ctx, configKind, nil)
		Consistently(ctx, resourceVersion).Should(Equal(foreign.ResourceVersion))

		Expect(virtualGarden.Client.Delete(ctx, foreign)).To(Succeed())
		Eventually(ctx, getLease).Should(HaveField("Labels", Equal(credentials.ObjectLabels())))
	})

	It("should remove what is left of an Extension that nobody saw vanish", func(ctx context.Context) {
		lease := emptyLease()
		lease.Labels = credentials.ObjectLabels()
		Expect(virtualGarden.Client.Create(ctx, lease)).To(Succeed())
		Eventually(ctx, haveNoLease).Should(Succeed())
	})
})

func emptyLease() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: seedNamespace, Name: constants.LeaseName}}
}

func getLease(g Gomega, ctx context.Context) *coordinationv1.Lease { //nolint:revive // Gomega wants itself to come first.
	lease := emptyLease()
	g.Expect(virtualGarden.Client.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
	return lease
}

func resourceVersion(g Gomega, ctx context.Context) string { //nolint:revive // Gomega wants itself to come first.
	return getLease(g, ctx).ResourceVersion
}

func haveNoLease(g Gomega, ctx context.Context) { //nolint:revive // Gomega wants itself to come first.
	lease := emptyLease()
	g.Expect(virtualGarden.Client.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(BeNotFoundError())
}

// answer does what the garden part of the extension does.
func answer(ctx context.Context) *coordinationv1.Lease {
	GinkgoHelper()
	lease := getLease(Default, ctx)
	patch := client.MergeFrom(lease.DeepCopy())
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, constants.AnnotationPulledSince, time.Now().UTC().Format(time.RFC3339))
	Expect(virtualGarden.Client.Patch(ctx, lease, patch)).To(Succeed())
	return lease
}

func setFinalizer(ctx context.Context, extension *framework.Extension, wanted bool) {
	GinkgoHelper()
	object := &extensionsv1alpha1.Extension{}
	err := seedCluster.Client.Get(ctx, extension.Key, object)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	if err != nil {
		return
	}

	patch := client.MergeFrom(object.DeepCopy())
	if wanted {
		controllerutil.AddFinalizer(object, finalizer)
	} else {
		controllerutil.RemoveFinalizer(object, finalizer)
	}
	Expect(seedCluster.Client.Patch(ctx, object, patch)).To(Succeed())
}
