// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package mapper_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
)

var _ = Describe("#Find", func() {
	var (
		ctx  = context.Background()
		seed = extensionsv1alpha1.ExtensionClassSeed
		c    client.Client
	)

	create := func(namespace, name, extensionType string, class *extensionsv1alpha1.ExtensionClass) *extensionsv1alpha1.Extension {
		GinkgoHelper()
		extension := &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Finalizers: []string{"foo"}},
			Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{Type: extensionType, Class: class}},
		}
		Expect(c.Create(ctx, extension)).To(Succeed())
		return extension
	}
	find := func() string {
		GinkgoHelper()
		extension, err := Find(ctx, c, seed)
		Expect(err).NotTo(HaveOccurred())
		if extension == nil {
			return ""
		}
		return extension.Name
	}

	BeforeEach(func() {
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).Build()
		create("garden", "other-type", "foo", &seed)
		create("garden", "other-class", "otel-federation", new(extensionsv1alpha1.ExtensionClassGarden))
		create("garden", "no-class", "otel-federation", nil)
		create("foo", "other-namespace", "otel-federation", &seed)
	})

	It("should find nothing of another type, class or namespace", func() {
		Expect(find()).To(BeEmpty())
	})

	DescribeTable("should find one that is being deleted only if there is no other", func(deleted, live string) {
		Expect(c.Delete(ctx, create("garden", deleted, "otel-federation", &seed))).To(Succeed())
		Expect(find()).To(Equal(deleted))
		create("garden", live, "otel-federation", &seed)
		Expect(find()).To(Equal(live))
	},
		Entry("before it", "b", "a"),
		Entry("after it", "a", "b"),
	)

	It("should fail if the Extensions cannot be listed", func() {
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return errors.New("no permission")
			},
		}).Build()
		_, err := Find(ctx, c, seed)
		Expect(err).To(MatchError("failed to list the Extensions in namespace garden: no permission"))
	})
})
