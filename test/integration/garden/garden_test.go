// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

const (
	configKind = "GardenFederationConfig"
	host       = "otel-federation.ingress.garden.example.com"
)

var _ = Describe("Garden controller", func() {
	var (
		extension *framework.Extension
		garden    *operatorv1alpha1.Garden
	)

	BeforeEach(func(ctx context.Context) {
		extension = framework.NewGardenExtension(cluster.Client)
		garden = framework.NewGarden()
		Expect(cluster.Client.Create(ctx, garden)).To(Succeed())
		runGardenPrometheus(ctx)

		DeferCleanup(func(ctx context.Context) {
			extension.Delete(ctx)
			extension.WaitUntilDeleted(ctx)
			Expect(cluster.Client.Delete(ctx, garden)).To(Succeed())
			deleteLeftovers(ctx)
		})
	})

	// The first two tests expose nothing, so that only the event that they are about can be what has an effect.
	It("should look for what the Garden has brought when it is reconciled", func(ctx context.Context) {
		setLastOperation(ctx, garden, gardencorev1beta1.LastOperationStateProcessing)
		extension.DeployAndWait(ctx, configKind, nil)

		ca := createWildcardCertificate(ctx)
		setLastOperation(ctx, garden, gardencorev1beta1.LastOperationStateSucceeded)
		Eventually(ctx, func(g Gomega) {
			g.Expect(issuer(ctx, g).CABundle).To(Equal(ca))
		}).Should(Succeed())
	})

	It("should follow the ingress domain of the Garden", func(ctx context.Context) {
		extension.DeployAndWait(ctx, configKind, nil)
		Expect(issuer(ctx, Default).Endpoint).To(Equal("https://" + host))

		changeGarden(ctx, garden, func() {
			garden.Spec.RuntimeCluster.Ingress.Domains[0].Name = "other.example.com"
		})
		Eventually(ctx, func(g Gomega) {
			g.Expect(issuer(ctx, g).Endpoint).To(Equal("https://otel-federation.other.example.com"))
		}).Should(Succeed())
	})

	It("should expose the collector once the garden Prometheus is exposed", func(ctx context.Context) {
		extension.DeployAndWait(ctx, configKind, nil)
		Expect(framework.ObjectOf[*otelv1beta1.OpenTelemetryCollector](ctx, Default, cluster.Client, constants.GardenCollectorName)).NotTo(BeNil())
		Expect(gateway(ctx, Default)).To(BeNil())
		Expect(ingressCondition(ctx, Default, extension)).To(Equal(gardencorev1beta1.ConditionProgressing))

		exposeGardenPrometheus(ctx)
		Eventually(ctx, func(g Gomega) {
			g.Expect(gateway(ctx, g)).NotTo(BeNil())
			g.Expect(ingressCondition(ctx, g, extension)).To(Equal(gardencorev1beta1.ConditionTrue))
		}).WithTimeout(30 * time.Second).Should(Succeed())

		Expect(gateway(ctx, Default).Spec.Selector).To(Equal(gatewaySelector))
		Expect(gateway(ctx, Default).Spec.Servers[0].Hosts).To(ConsistOf(host))
		virtualService := framework.ObjectOf[*istionetworkingv1beta1.VirtualService](ctx, Default, cluster.Client, constants.GardenCollectorName)
		Expect(virtualService.Spec.ExportTo).To(ConsistOf(ingressNamespace))
		Expect(framework.ObjectOf[*corev1.Secret](ctx, Default, cluster.Client, constants.GardenCollectorName).Namespace).To(Equal(ingressNamespace))
		Expect(framework.ObjectOf[*networkingv1.NetworkPolicy](ctx, Default, cluster.Client, constants.GardenCollectorName)).NotTo(BeNil())
	})

	It("should change nothing when nothing has changed", func(ctx context.Context) {
		exposeGardenPrometheus(ctx)
		extension.DeployAndWait(ctx, configKind, nil)
		before := versions(ctx)
		Expect(before).To(HaveKey(ContainSubstring(constants.SigningKeySecretName)))
		Expect(before).To(HaveKey(ContainSubstring(constants.IssuerConfigMapName)))
		lastUpdate := extension.Get(ctx, Default).Status.LastOperation.LastUpdateTime

		// The time in the status has a resolution of a second.
		time.Sleep(1100 * time.Millisecond)
		extension.DeployAndWait(ctx, configKind, nil)
		Expect(extension.Get(ctx, Default).Status.LastOperation.LastUpdateTime.After(lastUpdate.Time)).To(BeTrue())
		Expect(versions(ctx)).To(Equal(before))
	})

	DescribeTable("should deploy objects that the API server takes as they are", func(ctx context.Context, config map[string]any) {
		exposeGardenPrometheus(ctx)
		extension.DeployAndWait(ctx, configKind, config)

		Expect(gateway(ctx, Default)).NotTo(BeNil())
		framework.ExpectServed(ctx, cluster.Client, constants.GardenCollectorName)
	},
		Entry("with the default configuration", nil),
		Entry("with a queue on the node", map[string]any{"queue": map[string]any{"persistence": map[string]any{"type": "EmptyDir"}}}),
	)

	It("should report a bad configuration with its path, and recover", func(ctx context.Context) {
		extension.Deploy(ctx, configKind, map[string]any{"replicas": 0})
		Eventually(ctx, func(g Gomega) {
			lastError := extension.Get(ctx, g).Status.LastError
			g.Expect(lastError).NotTo(BeNil())
			g.Expect(lastError.Description).To(ContainSubstring("spec.providerConfig.replicas"))
		}).Should(Succeed())

		extension.DeployAndWait(ctx, configKind, nil)
		Expect(extension.Get(ctx, Default).Status.LastError).To(BeNil())
	})

	It("should remove everything", func(ctx context.Context) {
		exposeGardenPrometheus(ctx)
		extension.DeployAndWait(ctx, configKind, nil)
		Expect(versions(ctx)).To(And(
			HaveKey("Secret shoot-access-otel-federation"),
			HaveKey("ManagedResource "+constants.GardenCollectorName),
			HaveKey("ManagedResource otel-federation-garden-access"),
			HaveKey(HavePrefix("PersistentVolumeClaim ")),
			HaveKey(ContainSubstring("ca-otel-federation")),
			HaveKey(ContainSubstring("otel-federation-server")),
		))

		extension.Delete(ctx)
		extension.WaitUntilDeleted(ctx)
		Expect(versions(ctx)).To(BeEmpty())
	})
})
