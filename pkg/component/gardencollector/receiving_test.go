// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector_test

import (
	"bytes"
	"context"
	"io"

	"github.com/andybalholm/brotli"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("#StopReceiving", func() {
	var (
		ctx = context.Background()
		c   client.Client
	)

	BeforeEach(func() {
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithStatusSubresource(&resourcesv1alpha1.ManagedResource{}).Build()
	})

	stop := func() error { return New(c, collectortest.Namespace, Values{}).StopReceiving(ctx) }
	deploy := func() {
		GinkgoHelper()
		values := defaultValues()
		values.Ingress = ingress()
		Expect(New(c, collectortest.Namespace, values).Deploy(ctx)).To(Succeed())
	}
	get := func() *resourcesv1alpha1.ManagedResource {
		GinkgoHelper()
		managedResource := &resourcesv1alpha1.ManagedResource{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: collectortest.Namespace, Name: name}, managedResource)).To(Succeed())
		return managedResource
	}
	manifests := func() string {
		GinkgoHelper()
		secret := &corev1.Secret{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: collectortest.Namespace, Name: get().Spec.SecretRefs[0].Name}, secret)).To(Succeed())
		data, err := io.ReadAll(brotli.NewReader(bytes.NewReader(secret.Data["data.yaml.br"])))
		Expect(err).NotTo(HaveOccurred())
		return string(data)
	}
	service := func() *corev1.Service {
		GinkgoHelper()
		objects, err := managedresources.GetObjects(ctx, c, collectortest.Namespace, name)
		Expect(err).NotTo(HaveOccurred())
		for _, object := range objects {
			if service, ok := object.(*corev1.Service); ok {
				return service
			}
		}
		Fail("there is no Service")
		return nil
	}
	setApplied := func(status gardencorev1beta1.ConditionStatus) {
		GinkgoHelper()
		managedResource := get()
		managedResource.Status.Conditions = []gardencorev1beta1.Condition{{Type: resourcesv1alpha1.ResourcesApplied, Status: status}}
		Expect(c.Status().Update(ctx, managedResource)).To(Succeed())
	}

	It("should select no pod any more, leave all else as it is, and say when that is applied", func() {
		deploy()
		setApplied(gardencorev1beta1.ConditionTrue)
		before, expected, labels := manifests(), service(), get().Labels

		Expect(stop()).To(MatchError(ContainSubstring("the pods are being taken out of Service garden/otel-federation-garden")))
		expected.Spec.Selector["otel-federation.extensions.gardener.cloud/receives"] = "nothing"
		Expect(service()).To(Equal(expected))
		Expect(get().Labels).To(Equal(labels))
		after := manifests()
		Expect(after).NotTo(Equal(before))

		By("gardener-resource-manager has not applied it yet")
		setApplied(gardencorev1beta1.ConditionFalse)
		Expect(stop()).To(MatchError(And(ContainSubstring("have not been taken out of Service garden/otel-federation-garden yet"), ContainSubstring("ResourcesApplied"))))

		By("it is applied")
		setApplied(gardencorev1beta1.ConditionTrue)
		version := get().ResourceVersion
		Expect(stop()).To(Succeed())
		Expect(get().ResourceVersion).To(Equal(version))
		Expect(manifests()).To(Equal(after))

		By("the fan-out is deployed again")
		deploy()
		Expect(manifests()).To(Equal(before))
	})

	It("should leave the collectors exactly as they were, so that no pod is replaced", func() {
		deploy()
		before, err := collectortest.DeployedCollector(ctx, c, first, name)
		Expect(err).NotTo(HaveOccurred())
		Expect(stop()).NotTo(Succeed())
		Expect(collectortest.DeployedCollector(ctx, c, first, name)).To(Equal(before))
	})

	It("should have nothing to do if nothing is deployed", func() {
		Expect(stop()).To(Succeed())
	})
})
