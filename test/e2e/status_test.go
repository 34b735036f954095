// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/dashboard"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// What is wrong, and which condition and alert tells it, is part of the fault suite.
var _ = Describe("Status", func() {
	DescribeTable("should say that all is well", func(ctx SpecContext, get func() client.Client, name string, reasons map[gardencorev1beta1.ConditionType]string) {
		Eventually(ctx, func(g Gomega) {
			ex := &extensionsv1alpha1.Extension{}
			g.Expect(get().Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: name}, ex)).To(Succeed())
			found := map[gardencorev1beta1.ConditionType]string{}
			for _, condition := range ex.Status.Conditions {
				g.Expect(condition.Status).To(Equal(gardencorev1beta1.ConditionTrue), "%s: %s: %s", condition.Type, condition.Reason, condition.Message)
				found[condition.Type] = condition.Reason
			}
			g.Expect(found).To(Equal(reasons))
		}).WithTimeout(3 * time.Minute).Should(Succeed())
	},
		Entry("in the garden", func() client.Client { return ls.Runtime() }, gardener.GardenExtensionName, map[gardencorev1beta1.ConditionType]string{
			conditions.TypeCompatible: conditions.ReasonCompatible, conditions.TypeIngressReady: conditions.ReasonExposed, conditions.TypeReceiverReady: conditions.ReasonReceiverEnabled,
			conditions.TypeHandOverHealthy: conditions.ReasonHandOverRunning, conditions.TypeFederationHealthy: conditions.ReasonSamplesStored,
			conditions.TypeCredentialsValid: conditions.ReasonCredentialsAvailable, conditions.TypeCollectorHealthy: "HealthCheckSuccessful",
		}),
		Entry("in a seed", func() client.Client { return ls.Seed(seedOther) }, gardener.SeedExtensionName, map[gardencorev1beta1.ConditionType]string{
			conditions.TypeCompatible: conditions.ReasonCompatible, conditions.TypeFederationHealthy: conditions.ReasonSamplesDelivered,
			conditions.TypeCredentialsValid: conditions.ReasonCredentialsAvailable, conditions.TypeCollectorHealthy: "HealthCheckSuccessful",
		}),
	)

	DescribeTable("should fill each panel of the dashboards", func(ctx SpecContext, get func() client.Client, prometheus, configMapName string) {
		configMap := &corev1.ConfigMap{}
		Expect(get().Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: configMapName}, configMap)).To(Succeed())
		panels, err := dashboard.Read(configMap)
		Expect(err).NotTo(HaveOccurred())
		Expect(panels).NotTo(BeEmpty())

		Eventually(ctx, func(g Gomega) {
			var empty []string
			for _, panel := range panels {
				samples := 0
				for _, query := range panel.Queries {
					vector, err := ls.Prometheus(prometheus).Query(ctx, query.Expr)
					g.Expect(err).NotTo(HaveOccurred(), "%s: %s", panel.Title, query.Expr)
					samples += len(vector)
				}
				if samples == 0 && !maybeEmpty(panel) {
					empty = append(empty, panel.Title)
				}
			}
			g.Expect(empty).To(BeEmpty(), "panels without data")
		}).WithTimeout(3 * time.Minute).Should(Succeed())
	},
		Entry("of the garden", func() client.Client { return ls.Runtime() }, landscape.GardenReplicas[0], "otel-federation-garden-dashboard"),
		Entry("of a seed", func() client.Client { return ls.Seed(seedOther) }, landscape.AggregateName(seedOther), "otel-federation-seed-dashboard"),
	)

	It("should count the bytes of the seeds as they arrive", func(ctx SpecContext) {
		Eventually(ctx, func(g Gomega) {
			passed, received := wanBytes(ctx, g)
			g.Eventually(ctx, func(g Gomega) {
				passedNow, receivedNow := wanBytes(ctx, g)
				g.Expect(receivedNow).To(BeNumerically(">", received))
				g.Expect(receivedNow-received).To(Equal(passedNow-passed), "bytes that the fan-out counts, and the gateway of the garden")
			}).WithTimeout(20 * time.Second).Should(Succeed())
		}).WithTimeout(2 * time.Minute).Should(Succeed())
	})
})

// wanBytes tells how many bytes of requests to the fan-out have passed the gateways of the garden, and how many the fan-out has received.
// A request that is under way is counted by one of them only.
func wanBytes(ctx context.Context, g Gomega) (passed, received float64) {
	gateways, err := ls.IngressMetrics(ctx, cluster.NameRuntime)
	g.Expect(err).NotTo(HaveOccurred())
	for _, metric := range gateways["landscape_ingress_body_bytes_total"].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		if labels["direction"] == "in" && labels["host"] == "otel-federation."+gardener.GardenIngressDomain {
			passed += metric.GetCounter().GetValue()
		}
	}
	pods := &corev1.PodList{}
	g.Expect(ls.Runtime().List(ctx, pods, client.InNamespace(gardener.Namespace), client.MatchingLabels{"app": constants.GardenCollectorName})).To(Succeed())
	for _, pod := range pods.Items {
		families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod.Name, collector.MetricsPort)
		g.Expect(err).NotTo(HaveOccurred())
		for _, metric := range families[strings.TrimSuffix(collector.MetricRequestBytes, "_sum")].GetMetric() {
			received += metric.GetHistogram().GetSampleSum()
		}
	}
	return passed, received
}

// maybeEmpty says whether a panel may be empty here: there are neither cAdvisor nor kubelet, and a queue that does not grow is never full.
func maybeEmpty(panel dashboard.Panel) bool {
	for _, query := range panel.Queries {
		if !strings.Contains(query.Expr, "container_") && !strings.Contains(query.Expr, "kubelet_") && !strings.Contains(query.Expr, "time_to_full") {
			return false
		}
	}
	return true
}
