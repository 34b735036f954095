// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package conditions_test

import (
	"context"
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
)

var _ = Describe("Metrics", func() {
	const garden, seed = extensionsv1alpha1.ExtensionClassGarden, extensionsv1alpha1.ExtensionClassSeed

	newExtension := func(name, extensionType string, class extensionsv1alpha1.ExtensionClass, statuses ...gardencorev1beta1.ConditionStatus) *extensionsv1alpha1.Extension {
		ex := &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: name},
			Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{Type: extensionType, Class: &class}},
		}
		for _, status := range statuses {
			ex.Status.Conditions = append(ex.Status.Conditions, gardencorev1beta1.Condition{Type: gardencorev1beta1.ConditionType("Is" + status), Status: status, Reason: "Foo"})
		}
		return ex
	}

	It("should tell the conditions of the Extensions of the class", func() {
		c := fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(
			newExtension("garden-otel-federation", "otel-federation", garden, "True", "False", "Progressing", "Unknown"),
			newExtension("otel-federation", "otel-federation", seed, "True"),
			newExtension("other", "other", garden, "True"),
		).Build()
		Expect(testutil.CollectAndCompare(&Metrics{Reader: c, Namespace: "garden", Class: garden}, strings.NewReader(`
# HELP otel_federation_extension_condition Condition of an Extension: 1 if it is True, 0 if it is False, -1 otherwise.
# TYPE otel_federation_extension_condition gauge
otel_federation_extension_condition{condition="IsFalse",extension="garden-otel-federation",reason="Foo"} 0
otel_federation_extension_condition{condition="IsProgressing",extension="garden-otel-federation",reason="Foo"} -1
otel_federation_extension_condition{condition="IsTrue",extension="garden-otel-federation",reason="Foo"} 1
otel_federation_extension_condition{condition="IsUnknown",extension="garden-otel-federation",reason="Foo"} -1
`))).To(Succeed())
	})

	It("should tell nothing if it cannot read the Extensions", func() {
		c := fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return errors.New("test error")
			},
		}).Build()
		Expect(testutil.CollectAndCount(&Metrics{Reader: c, Namespace: "garden", Class: garden})).To(BeZero())
	})
})
