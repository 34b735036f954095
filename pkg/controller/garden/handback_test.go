// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
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
		a = NewActuator(c, c, clock)
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

	It("should not wait if the garden Prometheus is gone", func() {
		setUp(pushing)
		Expect(c.Delete(ctx, newPrometheus())).To(Succeed())
		Expect(remove()).To(Succeed())
	})
})
