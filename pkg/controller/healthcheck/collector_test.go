// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package healthcheck_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/extensions/pkg/controller/healthcheck"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/healthcheck"
)

var _ = Describe("ManagedResourceCheck", func() {
	DescribeTable("should have patience with what is not applied yet", func(objects []client.Object, status gardencorev1beta1.ConditionStatus, detail string) {
		c := fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(objects...).Build()
		result, err := NewManagedResourceCheck(c, "foo").Check(context.Background(), types.NamespacedName{Namespace: "garden", Name: "otel-federation"})
		Expect(err).NotTo(HaveOccurred())
		Expect(result).To(And(HaveField("Status", status), HaveField("Detail", ContainSubstring(detail))))
	},
		Entry("missing", nil, gardencorev1beta1.ConditionProgressing, "ManagedResource garden/foo does not exist"),
		Entry("not applied", []client.Object{newManagedResource(false)}, gardencorev1beta1.ConditionProgressing, "ManagedResource garden/foo is not healthy"),
		Entry("healthy", []client.Object{newManagedResource(true)}, gardencorev1beta1.ConditionTrue, ""),
	)
})

func newManagedResource(healthy bool) *resourcesv1alpha1.ManagedResource {
	obj := &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "foo"}}
	if healthy {
		for _, conditionType := range []gardencorev1beta1.ConditionType{resourcesv1alpha1.ResourcesApplied, resourcesv1alpha1.ResourcesHealthy} {
			obj.Status.Conditions = append(obj.Status.Conditions, gardencorev1beta1.Condition{Type: conditionType, Status: gardencorev1beta1.ConditionTrue})
		}
	}
	return obj
}

var _ = Describe("CollectorCheck", func() {
	var (
		ctx     = context.Background()
		request = types.NamespacedName{Namespace: "garden", Name: "otel-federation"}
		labels  = map[string]string{"app": "foo"}
		c       client.Client
		failure error

		collector *otelv1beta1.OpenTelemetryCollector
		set       *appsv1.StatefulSet
	)

	BeforeEach(func() {
		failure = nil
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if failure != nil {
					return failure
				}
				return c.List(ctx, list, opts...)
			},
		}).Build()
		collector = &otelv1beta1.OpenTelemetryCollector{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "foo-0", Labels: labels}}
		set = &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "foo-0-collector", Labels: labels},
			Status:     appsv1.StatefulSetStatus{Replicas: 1, ReadyReplicas: 1, UpdatedReplicas: 1},
		}
	})

	check := func() (*healthcheck.SingleCheckResult, error) {
		return NewCollectorCheck(c, "foo").Check(ctx, request)
	}
	expectProgressing := func(threshold time.Duration, message string) {
		GinkgoHelper()
		result, err := check()
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Status).To(Equal(gardencorev1beta1.ConditionProgressing))
		Expect(result.ProgressingThreshold).To(HaveValue(Equal(threshold)))
		Expect(result.Detail).To(ContainSubstring(message))
	}
	create := func(objects ...client.Object) {
		GinkgoHelper()
		for _, object := range objects {
			Expect(c.Create(ctx, object)).To(Succeed())
		}
	}

	It("should be content if all pods are ready", func() {
		create(collector, set)
		Expect(check()).To(HaveField("Status", gardencorev1beta1.ConditionTrue))
	})

	It("should say that the kind does not exist", func() {
		failure = &meta.NoKindMatchError{}
		Expect(check()).To(And(HaveField("Status", gardencorev1beta1.ConditionFalse), HaveField("Detail", ContainSubstring("OpenTelemetry operator"))))
	})

	It("should fail if the API server does not answer", func() {
		failure = errors.New("test error")
		_, err := check()
		Expect(err).To(MatchError(And(ContainSubstring("OpenTelemetryCollectors of foo in namespace garden"), ContainSubstring("test error"))))
	})

	It("should have patience as long as nothing is deployed", func() {
		create(set)
		expectProgressing(24*time.Hour, "There is no OpenTelemetryCollector of foo yet")
	})

	It("should ask for the operator if it has made no StatefulSet", func() {
		create(collector)
		expectProgressing(time.Minute, "StatefulSet garden/foo-0-collector does not exist: is the OpenTelemetry operator running?")
	})

	DescribeTable("should wait for a minute for pods that are not ready", func(change func(), message string) {
		change()
		create(collector, set)
		expectProgressing(time.Minute, message)
	},
		Entry("none", func() { set.Status = appsv1.StatefulSetStatus{} }, "0 of 1 are ready"),
		Entry("not ready", func() { set.Status.ReadyReplicas = 0 }, "0 of 1 are ready, and 1 are of the newest version"),
		Entry("of an old version", func() { set.Status.UpdatedReplicas = 0 }, "1 of 1 are ready, and 0 are of the newest version"),
		Entry("not yet observed", func() { set.Generation = 2 }, "StatefulSet garden/foo-0-collector"),
		Entry("not seen by the operator", func() { collector.Status.Scale.StatusReplicas = "0/1" }, "has 0/1 pods in its status"),
	)
})
