// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package mapper_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
)

var _ = Describe("#ToExtensions", func() {
	var (
		ctx  = context.Background()
		seed = extensionsv1alpha1.ExtensionClassSeed
	)

	extension := func(name, namespace, extensionType string, class *extensionsv1alpha1.ExtensionClass) *extensionsv1alpha1.Extension {
		return &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
			Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{Type: extensionType, Class: class}},
		}
	}

	It("should map to the Extensions of type, class and namespace that are not being deleted", func() {
		deleted := extension("deleted", "garden", "otel-federation", &seed)
		deleted.Finalizers = []string{"foo"}
		c := fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(
			deleted,
			extension("one", "garden", "otel-federation", &seed),
			extension("two", "garden", "otel-federation", &seed),
			extension("other-type", "garden", "foo", &seed),
			extension("other-class", "garden", "otel-federation", new(extensionsv1alpha1.ExtensionClassGarden)),
			extension("no-class", "garden", "otel-federation", nil),
			extension("other-namespace", "foo", "otel-federation", &seed),
		).Build()
		Expect(c.Delete(ctx, deleted)).To(Succeed())

		Expect(ToExtensions(c, seed)(ctx, &corev1.Secret{})).To(ConsistOf(
			reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "garden", Name: "one"}},
			reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "garden", Name: "two"}},
		))
		Expect(ToExtensions(c, extensionsv1alpha1.ExtensionClassGarden)(ctx, &corev1.Secret{})).To(ConsistOf(
			reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "garden", Name: "other-class"}},
		))
	})

	It("should map to nothing if the Extensions cannot be listed", func() {
		c := fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return errors.New("no permission")
			},
		}).Build()
		Expect(ToExtensions(c, seed)(ctx, &corev1.Secret{})).To(BeEmpty())
	})
})
