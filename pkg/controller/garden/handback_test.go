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
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("Handing back", func() {
	const (
		pushing = `{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationStatus","seeds":[
			{"name":"a","state":"Push","since":"2026-01-01T00:00:00Z"},{"name":"b","state":"Pull","since":"2026-01-01T00:00:00Z"},{"name":"c","state":"Returning","since":"2026-01-01T00:00:00Z"}]}`
		pulled = `{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationStatus","seeds":[{"name":"a","state":"Pull","since":"2026-01-01T00:00:00Z"}]}`
	)

	var (
		ctx   = context.Background()
		c     client.Client
		ex    *extensionsv1alpha1.Extension
		a     extension.Actuator
		clock *testclock.FakeClock

		collectors *collectortest.Collectors
	)

	gardeners := func() *monitoringv1alpha1.ScrapeConfig {
		return &monitoringv1alpha1.ScrapeConfig{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden-prometheus-aggregate", Labels: map[string]string{"prometheus": "garden"}},
			Spec:       monitoringv1alpha1.ScrapeConfigSpec{StaticConfigs: []monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{"prometheus-aggregate"}}}},
		}
	}

	// setUp deploys the garden Prometheus with a target that is withheld, and an Extension that is being deleted.
	setUp := func(status string) {
		GinkgoHelper()
		ex = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden", Finalizers: []string{"test"}},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}},
			Status: extensionsv1alpha1.ExtensionStatus{DefaultStatus: extensionsv1alpha1.DefaultStatus{ProviderStatus: &runtime.RawExtension{Raw: []byte(status)}}},
		}
		withheld := gardeners()
		handover.Restrict(withheld, gardeners(), []string{"prometheus-aggregate"})
		rule := &monitoringv1.PrometheusRule{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden-otel-federation-hand-over"}}
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex, newGarden("local"), newPrometheus(), withheld, rule).WithStatusSubresource(ex).Build()

		data, err := managedresources.NewRegistry(kubernetes.SeedScheme, kubernetes.SeedCodec, kubernetes.SeedSerializer).AddAllAndSerialize(gardeners())
		Expect(err).NotTo(HaveOccurred())
		Expect(managedresources.CreateForSeed(ctx, c, "garden", "prometheus-garden", false, data)).To(Succeed())

		Expect(c.Delete(ctx, ex)).To(Succeed())
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		clock = testclock.NewFakeClock(ex.DeletionTimestamp.Time)
		collectors = &collectortest.Collectors{}
		a = NewActuator(c, c, collectors.HTTPClient(), clock)
	}

	// remove tries it for a second instead of a minute.
	remove := func() error {
		GinkgoHelper()
		timeoutCtx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return a.Delete(timeoutCtx, logr.Discard(), ex)
	}

	expectRestored := func() {
		GinkgoHelper()
		scrapeConfig := &monitoringv1alpha1.ScrapeConfig{}
		Expect(c.Get(ctx, client.ObjectKeyFromObject(gardeners()), scrapeConfig)).To(Succeed())
		scrapeConfig.ResourceVersion = ""
		scrapeConfig.Annotations = nil
		Expect(scrapeConfig).To(Equal(gardeners()))
		err := c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "garden-otel-federation-hand-over"}, &monitoringv1.PrometheusRule{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	}

	It("should wait until no seed pushes any more, and touch nothing until then", func() {
		setUp(pushing)
		Expect(remove()).To(MatchError(And(
			ContainSubstring("2 seeds are not pulled again yet, among them a, c"),
			ContainSubstring("status.providerStatus"),
			ContainSubstring("the deletion goes on in any case at "+ex.DeletionTimestamp.Add(10*time.Minute).UTC().Format(time.RFC3339)),
		)))
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "garden-otel-federation-hand-over"}, &monitoringv1.PrometheusRule{})).To(Succeed())
	})

	It("should go on when all seeds are pulled, and leave nothing behind", func() {
		setUp(pulled)
		Expect(remove()).To(Succeed())
		expectRestored()
	})

	It("should go on after ten minutes, with all targets given back", func() {
		setUp(pushing)
		clock.Step(10 * time.Minute)
		Expect(remove()).To(Succeed())
		expectRestored()
	})

	It("should not wait when the deletion is forced", func() {
		setUp(pushing)
		Expect(a.ForceDelete(ctx, logr.Discard(), ex)).To(Succeed())
		expectRestored()
	})

	Context("with a fan-out", func() {
		// deployFanOut deploys the fan-out with two collectors, the second of which has samples.
		deployFanOut := func() {
			GinkgoHelper()
			Expect(gardencollector.New(c, "garden", gardencollector.Values{Replicas: 2}).Deploy(ctx)).To(Succeed())
			for i := range 2 {
				ip := fmt.Sprintf("10.0.0.%d", i)
				Expect(c.Create(ctx, collectortest.Pod(fmt.Sprintf("%s-%d-collector-0", name, i), name, ip))).To(Succeed())
				collectors.Set(ip, 0, 0, i*1234)
			}
		}
		fanOut := func() error {
			return c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: name}, &resourcesv1alpha1.ManagedResource{})
		}
		// apply does what gardener-resource-manager does.
		apply := func() {
			GinkgoHelper()
			managedResource := &resourcesv1alpha1.ManagedResource{}
			Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: name}, managedResource)).To(Succeed())
			managedResource.Status.Conditions = []gardencorev1beta1.Condition{{Type: resourcesv1alpha1.ResourcesApplied, Status: gardencorev1beta1.ConditionTrue}}
			Expect(c.Update(ctx, managedResource)).To(Succeed())
		}
		selector := func() map[string]string {
			GinkgoHelper()
			objects, err := managedresources.GetObjects(ctx, c, "garden", name)
			Expect(err).NotTo(HaveOccurred())
			for _, object := range objects {
				if service, ok := object.(*corev1.Service); ok {
					return service.Spec.Selector
				}
			}
			return nil
		}

		It("should take it away from the seeds only when no seed pushes any more", func() {
			setUp(pushing)
			deployFanOut()
			Expect(remove()).To(MatchError(ContainSubstring("2 seeds are not pulled again yet")))
			Expect(selector()).To(HaveKeyWithValue("otel-federation.extensions.gardener.cloud/receives", "true"))
			Expect(collectors.Asked()).To(BeZero())
		})

		It("should take it away from the seeds, and remove it when its queues are empty", func() {
			setUp(pulled)
			deployFanOut()
			Expect(remove()).To(MatchError(ContainSubstring("cannot empty the queues of otel-federation-garden while samples come in")))
			Expect(selector()).To(HaveKeyWithValue("otel-federation.extensions.gardener.cloud/receives", "nothing"))

			apply()
			Expect(remove()).To(MatchError(And(
				HavePrefix("the queues of otel-federation-garden are not empty yet, 1234 samples are left in pods otel-federation-garden-1-collector-0: are all replicas of Prometheus garden/garden up?"),
				HaveSuffix("(the deletion goes on in any case at %s, and what is left then is lost)", clock.Now().Add(10*time.Minute).UTC().Format(time.RFC3339)),
			)))
			Expect(fanOut()).To(Succeed())

			By("they are empty")
			collectors.Set("10.0.0.1", 0, 0, 0)
			Expect(remove()).NotTo(Succeed(), "the pods are still there")
			Expect(apierrors.IsNotFound(fanOut())).To(BeTrue())
			Expect(c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace("garden"))).To(Succeed())
			Expect(remove()).To(Succeed())
			expectRestored()
		})

		It("should remove it after ten minutes", func() {
			setUp(pulled)
			deployFanOut()
			Expect(remove()).NotTo(Succeed())
			clock.Step(10 * time.Minute)
			Expect(remove()).NotTo(Succeed(), "the pods are still there")
			Expect(apierrors.IsNotFound(fanOut())).To(BeTrue())
		})

		It("should not look at its queues if nobody wants the samples, or if the deletion is forced", func() {
			setUp(pulled)
			deployFanOut()
			Expect(a.ForceDelete(ctx, logr.Discard(), ex)).To(Succeed())
			Expect(apierrors.IsNotFound(fanOut())).To(BeTrue())
			Expect(collectors.Asked()).To(BeZero())

			setUp(pulled)
			deployFanOut()
			Expect(c.Delete(ctx, newPrometheus())).To(Succeed())
			Expect(remove()).NotTo(Succeed(), "the pods are still there")
			Expect(apierrors.IsNotFound(fanOut())).To(BeTrue())
			Expect(collectors.Asked()).To(BeZero())
		})
	})

	It("should not wait if the garden Prometheus is gone", func() {
		setUp(pushing)
		Expect(c.Delete(ctx, newPrometheus())).To(Succeed())
		Expect(remove()).To(Succeed())
	})
})
