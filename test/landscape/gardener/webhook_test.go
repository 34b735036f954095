// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gardener/gardener/pkg/client/kubernetes"
)

var _ = Describe("Webhook of the garden extension", func() {
	It("should say what the webhook lacks until it can be called", func() {
		ctx := context.Background()
		c := fake.NewClientBuilder().WithScheme(kubernetes.SeedScheme).Build()
		Expect(checkGardenWebhook(ctx, c)).To(MatchError(ContainSubstring("failed to read MutatingWebhookConfiguration " + gardenWebhookName)))

		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: gardenWebhookName},
			Webhooks:   []admissionregistrationv1.MutatingWebhook{{Name: "prometheus"}},
		}
		Expect(c.Create(ctx, configuration)).To(Succeed())
		Expect(checkGardenWebhook(ctx, c)).To(MatchError(ContainSubstring("webhook prometheus of MutatingWebhookConfiguration " + gardenWebhookName + " has no CA bundle")))

		configuration.Webhooks[0].ClientConfig.CABundle = []byte("ca")
		Expect(c.Update(ctx, configuration)).To(Succeed())
		Expect(checkGardenWebhook(ctx, c)).To(Succeed())
	})
})
