// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("Rolling of the fan-out", func() {
	const (
		managed   = otelv1beta1.ManagementStateManaged
		unmanaged = otelv1beta1.ManagementStateUnmanaged
	)

	var (
		ctx    = context.Background()
		c      client.Client
		values Values
	)

	BeforeEach(func() {
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithStatusSubresource(&appsv1.StatefulSet{}).Build()
		values = defaultValues()
	})

	deploy := func() map[string]*otelv1beta1.OpenTelemetryCollector {
		GinkgoHelper()
		Expect(New(c, collectortest.Namespace, values).Deploy(ctx)).To(Succeed())
		collectors := map[string]*otelv1beta1.OpenTelemetryCollector{}
		for _, collectorName := range []string{first, second} {
			var err error
			collectors[collectorName], err = collectortest.DeployedCollector(ctx, c, collectorName, name)
			Expect(err).NotTo(HaveOccurred())
		}
		return collectors
	}

	states := func() []otelv1beta1.ManagementStateType {
		GinkgoHelper()
		collectors := deploy()
		return []otelv1beta1.ManagementStateType{collectors[first].Spec.ManagementState, collectors[second].Spec.ManagementState}
	}

	// operate does what the operator and the StatefulSet controller do with a collector.
	operate := func(collectorName string, ready int32) {
		GinkgoHelper()
		obj := deploy()[collectorName]
		Expect(obj.Spec.ManagementState).To(Equal(managed))
		set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: collectorName + "-collector", Namespace: collectortest.Namespace, Labels: collectortest.PodSelector(name)}}
		Expect(client.IgnoreNotFound(c.Delete(ctx, set))).To(Succeed())
		set.Spec.Template.Annotations = obj.Spec.PodAnnotations
		set.Status = appsv1.StatefulSetStatus{Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: ready}
		Expect(c.Create(ctx, set)).To(Succeed())
	}

	It("should create all replicas at once", func() {
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, managed}))
	})

	It("should change one replica after the other", func() {
		operate(first, 1)
		operate(second, 1)

		values.Image = "collector:v2"
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, unmanaged}))

		By("The first is being rolled")
		operate(first, 0)
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, unmanaged}))

		By("The first is ready")
		operate(first, 1)
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, managed}))

		By("Both are")
		operate(second, 1)
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, managed}))
	})

	It("should roll the pods if the public keys change", func() {
		before := deploy()[first].Spec.PodAnnotations
		values.JWKS = []byte(`{"keys":[{}]}`)
		Expect(deploy()[first].Spec.PodAnnotations).NotTo(Equal(before))
	})

	It("should not touch the one that is ready while the other is not", func() {
		operate(first, 1)
		operate(second, 0)
		values.Image = "collector:v2"
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{unmanaged, managed}))
	})

	DescribeTable("should not let what is urgent wait for one that is away for long", func(change func()) {
		operate(first, 1)
		operate(second, 0)
		change()
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{unmanaged, managed}), "it may be back soon")

		values.AwayForLong = true
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, managed}))

		By("What is urgent is in force, and something else changes")
		operate(first, 1)
		values.Image = "collector:v2"
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{unmanaged, managed}))
	},
		Entry("a seed is denied", func() { values.DeniedSeeds = []string{"foo"} }),
		Entry("a replica of the garden Prometheus is detached", func() { values.DetachedReplicas = []string{"prometheus-garden-1"} }),
		Entry("a signing key is not accepted any more", func() { values.JWKS = []byte(`{"keys":[{}]}`) }),
	)

	It("should change those that are ready one after the other, though it is urgent and another one is away for long", func() {
		values.Replicas = 3
		operate(first, 1)
		operate(second, 1)
		values.AwayForLong = true
		values.DeniedSeeds = []string{"foo"}
		// There is no third one yet, so nobody is away.
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, unmanaged}))
	})

	It("should let both change if none is ready, as there is nothing to lose", func() {
		operate(first, 0)
		operate(second, 0)
		values.Image = "collector:v2"
		Expect(states()).To(Equal([]otelv1beta1.ManagementStateType{managed, managed}))
	})

	Context("with less replicas than before", func() {
		BeforeEach(func() {
			values.Queue = collector.Queue{Capacity: capacity, Storage: collector.StoragePersistentVolume, Size: resource.MustParse("1Gi")}
			operate(first, 1)
			operate(second, 1)
			values.Replicas = 1
		})

		claims := func() []string {
			GinkgoHelper()
			list := &corev1.PersistentVolumeClaimList{}
			Expect(c.List(ctx, list)).To(Succeed())
			var names []string
			for _, claim := range list.Items {
				names = append(names, claim.Name)
			}
			return names
		}

		It("should send nothing new to the one that leaves, and keep it until its queue is empty", func() {
			collectors := deploy()
			Expect(collectors[first].Labels).To(HaveKeyWithValue(LabelReceives, "true"))
			Expect(collectors[second].Labels).To(HaveKeyWithValue(LabelReceives, "false"))
			Expect(collectors[second].Spec.ManagementState).To(Equal(managed))
			Expect(collectors[second].Spec.PodAnnotations).NotTo(Equal(collectors[first].Spec.PodAnnotations), "it must be rolled")
			Expect(claims()).To(ConsistOf(first+"-queue", second+"-queue"))
		})

		It("should remove it when its queue is empty, and then its volume", func() {
			values.DrainedCollectors = []string{first, second}
			Expect(New(c, collectortest.Namespace, values).Deploy(ctx)).To(Succeed())
			Expect(collectortest.DeployedCollector(ctx, c, first, name)).NotTo(BeNil())
			_, err := collectortest.DeployedCollector(ctx, c, second, name)
			Expect(err).To(HaveOccurred())
			Expect(claims()).To(ConsistOf(first+"-queue", second+"-queue"))

			By("The StatefulSet is gone")
			Expect(c.Delete(ctx, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: second + "-collector", Namespace: collectortest.Namespace}})).To(Succeed())
			Expect(New(c, collectortest.Namespace, values).Deploy(ctx)).To(Succeed())
			Expect(claims()).To(ConsistOf(first + "-queue"))
		})
	})
})
