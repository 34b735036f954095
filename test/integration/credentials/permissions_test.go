// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

var _ = Describe("Permissions in the virtual garden", Ordered, func() {
	var limited client.Client

	BeforeAll(func(ctx context.Context) {
		limited = clientWithToken(newToken(ctx))
	})

	DescribeTable("should be what the controller needs and not more",
		func(ctx context.Context, allowed bool, attributes authorizationv1.ResourceAttributes) {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes}}
			Expect(limited.Create(ctx, review)).To(Succeed())
			Expect(review.Status.Allowed).To(Equal(allowed), review.Status.Reason)
		},
		Entry("get credentials otherwise than from a cache", false, secrets("get", constants.CredentialsSecretName)),
		Entry("update credentials", true, secrets("update", constants.CredentialsSecretName)),
		Entry("delete credentials", true, secrets("delete", constants.CredentialsSecretName)),
		Entry("create Secrets", true, secrets("create", "")),
		Entry("list Seeds", true, authorizationv1.ResourceAttributes{Verb: "list", Group: "core.gardener.cloud", Resource: "seeds"}),
		Entry("get Namespaces", true, authorizationv1.ResourceAttributes{Verb: "get", Resource: "namespaces", Name: "seed-1"}),

		Entry("get other Secrets", false, secrets("get", "other")),
		Entry("update other Secrets", false, secrets("update", "other")),
		Entry("delete other Secrets", false, secrets("delete", "other")),
		Entry("list all Secrets", false, secrets("list", "")),
		Entry("watch all Secrets", false, secrets("watch", "")),
		Entry("delete all Secrets", false, secrets("deletecollection", "")),
		Entry("update Seeds", false, authorizationv1.ResourceAttributes{Verb: "update", Group: "core.gardener.cloud", Resource: "seeds"}),
		Entry("list Namespaces", false, authorizationv1.ResourceAttributes{Verb: "list", Resource: "namespaces"}),
		Entry("request tokens", false, authorizationv1.ResourceAttributes{Verb: "create", Resource: "serviceaccounts", Subresource: "token"}),
	)

	It("should suffice to list the credentials of all Seeds, but no other Secrets", func(ctx context.Context) {
		Expect(limited.List(ctx, &corev1.SecretList{}, client.MatchingFields{metav1.ObjectNameField: constants.CredentialsSecretName})).To(Succeed())
		Expect(limited.List(ctx, &corev1.SecretList{}, client.MatchingFields{metav1.ObjectNameField: "other"})).To(BeForbiddenError())
		Expect(limited.List(ctx, &corev1.SecretList{})).To(BeForbiddenError())
	})
})

func secrets(verb, name string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{Verb: verb, Resource: "secrets", Namespace: "seed-1", Name: name}
}
