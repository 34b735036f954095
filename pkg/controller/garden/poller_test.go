// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("What is looked at regularly", func() {
	var (
		ctx        = context.Background()
		c          client.Client
		ex         *extensionsv1alpha1.Extension
		prometheus *monitoringv1.Prometheus
		clock      *testclock.FakeClock
		a          extension.Actuator
	)

	BeforeEach(func() {
		clock = testclock.NewFakeClock(time.Now().Truncate(time.Second))
		ex = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Name: "garden-otel-federation", Namespace: "garden", CreationTimestamp: metav1.NewTime(clock.Now())},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}},
		}
		prometheus = newEnabledPrometheus()
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).
			WithObjects(append(prometheusIngress(), ex, newGarden("local"), prometheus, newPrometheusPod(0, true), newPrometheusPod(1, true))...).
			WithStatusSubresource(ex).WithInterceptorFuncs(interceptor.Funcs{Patch: ignoreEmptyPatch}).Build()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		a = NewActuator(c, c, nil, clock)
		Expect(a.Reconcile(ctx, logr.Discard(), ex)).To(Succeed())
	})

	seen := func() string {
		GinkgoHelper()
		text, err := Observe(ctx, a)
		Expect(err).NotTo(HaveOccurred())
		return text
	}
	setStatus := func(fields string) {
		GinkgoHelper()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		ex.Status.ProviderStatus = &runtime.RawExtension{Raw: fmt.Appendf(nil,
			`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationStatus",%s}`, fields)}
		Expect(c.Status().Update(ctx, ex)).To(Succeed())
	}

	It("should not change when nothing has changed but the time", func() {
		before := seen()
		clock.Step(time.Hour)
		Expect(seen()).To(Equal(before))
	})

	DescribeTable("should change", func(change func()) {
		before := seen()
		change()
		Expect(seen()).NotTo(Equal(before))
	},
		Entry("with the labels of the ingress gateway", func() {
			gateway := prometheusIngress()[0].(*istionetworkingv1beta1.Gateway)
			Expect(c.Get(ctx, client.ObjectKeyFromObject(gateway), gateway)).To(Succeed())
			gateway.Spec.Selector["istio"] = "other"
			Expect(c.Update(ctx, gateway)).To(Succeed())
		}),
		Entry("with the namespace of the ingress gateway", func() {
			virtualService := prometheusIngress()[1].(*istionetworkingv1beta1.VirtualService)
			Expect(c.Get(ctx, client.ObjectKeyFromObject(virtualService), virtualService)).To(Succeed())
			virtualService.Spec.ExportTo = []string{"other"}
			Expect(c.Update(ctx, virtualService)).To(Succeed())
		}),
		Entry("when a replica of the garden Prometheus is replaced", func() {
			Expect(c.Delete(ctx, newPrometheusPod(1, true))).To(Succeed())
		}),
		Entry("when the garden Prometheus has lost its receiver", func() {
			prometheus.Spec.EnableOTLPReceiver = nil
			Expect(c.Update(ctx, prometheus)).To(Succeed())
		}),
		Entry("when the garden Prometheus becomes too old", func() {
			prometheus.Spec.Version = "3.3.0"
			Expect(c.Update(ctx, prometheus)).To(Succeed())
		}),
		Entry("when a signing key is deleted, because somebody else knows it", func() {
			Expect(c.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace("garden"), client.MatchingLabels{"name": "otel-federation-signing-key"})).To(Succeed())
		}),
		Entry("when a collector of the fan-out has been away for two minutes", func() {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name + "-0-collector-0", Namespace: "garden", Labels: collectortest.PodSelector(name)}}
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(clock.Now())}}
			before := seen()
			Expect(c.Create(ctx, pod)).To(Succeed())
			clock.Step(2*time.Minute - time.Second)
			Expect(seen()).To(Equal(before))
			clock.Step(time.Second)
		}),
		Entry("when the signing key is 90 days old", func() { clock.Step(90*24*time.Hour + time.Minute) }),
		Entry("when the tokens of the old signing key have expired", func() {
			setStatus(fmt.Sprintf(`"signingKey":{"phase":"Completing","initiationTime":%[1]q,"signingSince":%[1]q}`, clock.Now().UTC().Format(time.RFC3339)))
			before := seen()
			clock.Step(6 * 24 * time.Hour)
			Expect(seen()).To(Equal(before))
			clock.Step(25 * time.Hour)
		}),
		Entry("when a seed begins to push, or to trust another bundle of CAs", func() {
			setStatus(`"seeds":[{"name":"foo","state":"Push","caBundle":"a"}]`)
			pushing := seen()
			setStatus(`"seeds":[{"name":"foo","state":"Push","caBundle":"b"}]`)
			Expect(seen()).NotTo(Equal(pushing))
		}),
	)

	It("should not change with the time while the receiver of a Prometheus that is too old cannot be enabled", func() {
		prometheus.Spec.Version, prometheus.Spec.EnableOTLPReceiver = "3.3.0", nil
		Expect(c.Update(ctx, prometheus)).To(Succeed())
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		Expect(a.Reconcile(ctx, logr.Discard(), ex)).To(Succeed())
		before := seen()
		clock.Step(time.Minute)
		Expect(seen()).To(Equal(before))
	})

	It("should say what cannot be read", func() {
		c = interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if _, ok := list.(*corev1.SecretList); ok {
					return fmt.Errorf("fake")
				}
				return c.List(ctx, list, opts...)
			},
		})
		_, err := Observe(ctx, NewActuator(c, c, nil, clock))
		Expect(err).To(MatchError("failed to list the Secrets with signing keys in namespace garden: fake"))
	})
})
