// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

const annotationWindow = "otel-federation.extensions.gardener.cloud/out-of-order-time-window"

var _ = Describe("Receiver of the garden Prometheus", func() {
	var (
		ctx    = context.Background()
		now    = time.Now().Truncate(time.Second)
		c      client.Client
		ex     *extensionsv1alpha1.Extension
		garden *operatorv1alpha1.Garden
		a      extension.Actuator
		// registered says whether the webhook runs, restores whether gardener-resource-manager applies Gardener's Prometheus.
		registered, restores bool
		applied              int
		// refused is the error of writes to the Prometheus.
		refused error
		clock   *testclock.FakeClock
	)

	// patch plays the webhook, and gardener-resource-manager which applies Gardener's Prometheus again when it is told to.
	patch := func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
		if _, ok := obj.(*monitoringv1.Prometheus); ok && refused != nil {
			return refused
		}
		if err := ignoreEmptyPatch(ctx, c, obj, p, opts...); err != nil {
			return err
		}
		switch o := obj.(type) {
		case *monitoringv1.Prometheus:
			current := &extensionsv1alpha1.Extension{}
			if err := c.Get(ctx, client.ObjectKeyFromObject(ex), current); err != nil {
				return err
			}
			if registered && receiver.Wanted(o.Namespace, []extensionsv1alpha1.Extension{*current}) {
				window, err := receiver.Window(o)
				Expect(err).NotTo(HaveOccurred())
				Expect(receiver.Enable(o, window)).To(Succeed())
				return c.Update(ctx, o)
			}
		case *resourcesv1alpha1.ManagedResource:
			applied++
			if restores {
				prometheus := &monitoringv1.Prometheus{}
				Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "garden"}, prometheus)).To(Succeed())
				prometheus.Spec = monitoringv1.PrometheusSpec{}
				Expect(c.Update(ctx, prometheus)).To(Succeed())
			}
		}
		return nil
	}

	BeforeEach(func() {
		registered, restores, applied, refused = true, true, 0, nil
		clock = testclock.NewFakeClock(now)
		ex = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden", Finalizers: []string{"test"}},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}},
		}
		garden = newGarden("local")
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex, garden).WithStatusSubresource(ex).
			WithInterceptorFuncs(interceptor.Funcs{Patch: patch}).Build()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		a = NewActuator(c, c, nil, clock)
	})

	create := func(objects ...client.Object) {
		GinkgoHelper()
		for _, obj := range objects {
			Expect(c.Create(ctx, obj)).To(Succeed())
		}
	}
	reconcile := func() {
		GinkgoHelper()
		Expect(a.Reconcile(ctx, logr.Discard(), ex)).To(Succeed())
	}
	prometheus := func() *monitoringv1.Prometheus {
		GinkgoHelper()
		obj := &monitoringv1.Prometheus{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "garden"}, obj)).To(Succeed())
		return obj
	}
	condition := func() *gardencorev1beta1.Condition {
		GinkgoHelper()
		return v1beta1helper.GetCondition(ex.Status.Conditions, "ReceiverReady")
	}
	issued := func() bool {
		GinkgoHelper()
		err := c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "otel-federation-issuer"}, &corev1.ConfigMap{})
		Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
		return !apierrors.IsNotFound(err)
	}

	It("should say that there is no Prometheus, and issue no credentials yet", func() {
		reconcile()
		Expect(condition()).To(And(HaveField("Status", gardencorev1beta1.ConditionProgressing), HaveField("Reason", "PrometheusMissing")))
		Expect(issued()).To(BeFalse())
	})

	It("should leave a Prometheus alone that is too old, and say so", func() {
		old := newPrometheus()
		old.Spec.Version = "v3.3.0"
		create(old)
		before := prometheus()
		reconcile()
		Expect(prometheus()).To(Equal(before))
		Expect(condition()).To(And(HaveField("Status", gardencorev1beta1.ConditionProgressing), HaveField("Reason", "PrometheusTooOld")))
		Expect(v1beta1helper.GetCondition(ex.Status.Conditions, "Compatible")).To(And(HaveField("Status", gardencorev1beta1.ConditionFalse), HaveField("Reason", "PrometheusTooOld")))
		Expect(issued()).To(BeFalse())
	})

	It("should touch the Prometheus until the webhook has changed it", func() {
		registered = false
		create(newPrometheus())
		reconcile()
		Expect(condition()).To(And(HaveField("Status", gardencorev1beta1.ConditionProgressing), HaveField("Message", ContainSubstring("MutatingWebhookConfiguration"))))

		registered = true
		reconcile()
		Expect(prometheus().Annotations).To(HaveKeyWithValue(annotationWindow, "2h0m0s"))
		Expect(receiver.Enabled(prometheus(), 2*time.Hour)).To(BeTrue())

		before := prometheus()
		reconcile()
		Expect(prometheus().ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("should say that the webhook cannot be called, instead of failing", func() {
		refused = apierrors.NewInternalError(errors.New("failed calling webhook"))
		create(newPrometheus())
		reconcile()
		Expect(condition()).To(And(HaveField("Status", gardencorev1beta1.ConditionProgressing), HaveField("Message", ContainSubstring("failed calling webhook"))))

		refused = apierrors.NewForbidden(schema.GroupResource{}, "garden", nil)
		Expect(a.Reconcile(ctx, logr.Discard(), ex)).To(MatchError(ContainSubstring("failed to annotate *v1.Prometheus garden/garden")))
	})

	It("should issue credentials once all replicas have been rolled, and not take them away again", func() {
		create(newPrometheus(), newPrometheusPod(0, true))
		reconcile()
		Expect(condition()).To(HaveField("Message", "Pod garden/prometheus-garden-1 does not run with an OTLP receiver yet."))
		Expect(issued()).To(BeFalse())

		second := newPrometheusPod(1, false)
		create(second)
		reconcile()
		Expect(issued()).To(BeFalse())

		Expect(c.Delete(ctx, second)).To(Succeed())
		starting := newPrometheusPod(1, true)
		starting.Status.Conditions[0].Status = corev1.ConditionFalse
		create(starting)
		reconcile()
		Expect(issued()).To(BeFalse())

		Expect(c.Delete(ctx, starting)).To(Succeed())
		create(newPrometheusPod(1, true))
		reconcile()
		Expect(condition()).To(HaveField("Status", gardencorev1beta1.ConditionTrue))
		Expect(issued()).To(BeTrue())

		Expect(c.Delete(ctx, newPrometheusPod(0, true))).To(Succeed())
		reconcile()
		Expect(condition()).To(HaveField("Status", gardencorev1beta1.ConditionProgressing))
		Expect(issued()).To(BeTrue())
	})

	It("should apply Gardener's Prometheus anew if the window becomes shorter", func() {
		create(newPrometheus(), newPrometheusManagedResource())
		reconcile()
		Expect(applied).To(BeZero())

		ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationConfig","outOfOrderTimeWindow":"1h"}`)}
		Expect(c.Update(ctx, ex)).To(Succeed())
		reconcile()
		Expect(prometheus().Annotations).To(HaveKeyWithValue(annotationWindow, "1h0m0s"))
		Expect(applied).To(Equal(1))
	})

	Describe("deletion", func() {
		remove := func() error {
			GinkgoHelper()
			Expect(c.Delete(ctx, ex)).To(Succeed())
			Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
			return a.Delete(ctx, logr.Discard(), ex)
		}

		It("should return the Prometheus to what Gardener wants", func() {
			create(newPrometheus(), newPrometheusManagedResource())
			reconcile()
			Expect(remove()).To(Succeed())
			Expect(prometheus().Spec).To(Equal(monitoringv1.PrometheusSpec{}))
			Expect(prometheus().Annotations).NotTo(HaveKey(annotationWindow))
		})

		It("should not give up soon, but not wait forever either if nobody applies the Prometheus", func() {
			restores = false
			create(newPrometheus(), newPrometheusManagedResource())
			reconcile()
			Expect(c.Delete(ctx, ex)).To(Succeed())
			Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())

			// As if the wait was over: it takes half a minute.
			remove := func() error {
				timeoutCtx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				return a.Delete(timeoutCtx, logr.Discard(), ex)
			}
			Expect(remove()).To(MatchError(ContainSubstring("gardener-resource-manager has not restored Prometheus garden/garden yet")))
			clock.Step(11 * time.Minute)
			Expect(remove()).To(Succeed())
			Expect(receiver.Enabled(prometheus(), 2*time.Hour)).To(BeTrue())
		})

		It("should not wait when the deletion is forced", func() {
			restores = false
			create(newPrometheus(), newPrometheusManagedResource())
			reconcile()
			Expect(c.Delete(ctx, ex)).To(Succeed())
			Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
			Expect(a.ForceDelete(ctx, logr.Discard(), ex)).To(Succeed())
			Expect(applied).To(Equal(1))
		})

		DescribeTable("should not wait if nobody applies the Prometheus any more",
			func(prepare func()) {
				restores = false
				create(newPrometheus(), newPrometheusManagedResource())
				reconcile()
				prepare()
				Expect(remove()).To(Succeed())
				Expect(applied).To(BeZero())
			},
			Entry("the Garden is being deleted", func() {
				garden.Finalizers = []string{"test"}
				Expect(c.Update(ctx, garden)).To(Succeed())
				Expect(c.Delete(ctx, garden)).To(Succeed())
			}),
			Entry("the Garden is gone", func() { Expect(c.Delete(ctx, garden)).To(Succeed()) }),
			Entry("the Prometheus is gone", func() { Expect(c.Delete(ctx, newPrometheus())).To(Succeed()) }),
		)

		It("should take the note back if nobody applies the Prometheus any more, as its ManagedResource is gone", func() {
			create(newPrometheus())
			reconcile()
			Expect(remove()).To(Succeed())
			Expect(prometheus().Annotations).NotTo(HaveKey(annotationWindow))
		})
	})
})
