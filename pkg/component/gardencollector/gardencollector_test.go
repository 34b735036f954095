// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/component"
	componenttest "github.com/gardener/gardener/pkg/component/test"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/otelcol"
)

var _ = Describe("GardenCollector", func() {
	var (
		ctx    = context.Background()
		c      client.Client
		values Values
	)

	BeforeEach(func() {
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).Build()
		values = defaultValues()
	})

	deploy := func() *resourcesv1alpha1.ManagedResource {
		GinkgoHelper()
		Expect(New(c, collectortest.Namespace, values).Deploy(ctx)).To(Succeed())

		managedResource := &resourcesv1alpha1.ManagedResource{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: collectortest.Namespace, Name: name}, managedResource)).To(Succeed())
		return managedResource
	}

	deployedCollector := func(collectorName string) *otelv1beta1.OpenTelemetryCollector {
		GinkgoHelper()
		obj, err := collectortest.DeployedCollector(ctx, c, collectorName, name)
		Expect(err).NotTo(HaveOccurred())
		return obj
	}

	consistOf := func(objects ...client.Object) OmegaMatcher {
		return NewManagedResourceConsistOfObjectsMatcher(c, componenttest.CmpOptsForIstio()...)(objects...)
	}

	dashboard := func() *corev1.ConfigMap {
		GinkgoHelper()
		configMap, err := Dashboard(collectortest.Namespace, values)
		Expect(err).NotTo(HaveOccurred())
		return configMap
	}

	Describe("#Deploy", func() {
		It("should create a ManagedResource that the care controllers look at", func() {
			managedResource := deploy()

			Expect(managedResource.Labels).To(Equal(map[string]string{
				"gardener.cloud/role":                "seed-system-component",
				"care.gardener.cloud/condition-type": "ObservabilityComponentsHealthy",
			}))
			Expect(managedResource.Spec.Class).To(HaveValue(Equal("seed")))
			Expect(managedResource.Spec.KeepObjects).To(HaveValue(BeFalse()))
		})

		objects := func() []client.Object {
			return []client.Object{
				withChecksums(expectedCollector(first), values),
				withChecksums(expectedCollector(second), values),
				dashboard(),
				PrometheusRule(collectortest.Namespace, values),
				expectedJWKS(),
				expectedPodDisruptionBudget(),
				collectortest.ServiceAccount(name),
				collectortest.ServiceMonitor(name, "garden"),
				collectortest.VerticalPodAutoscaler(first, name),
				collectortest.VerticalPodAutoscaler(second, name),
			}
		}

		It("should deploy the collector without an ingress", func() {
			Expect(deploy()).To(consistOf(append(objects(), expectedService())...))
		})

		It("should deploy the collector with an ingress", func() {
			values.Ingress = ingress()
			Expect(deploy()).To(consistOf(append(objects(),
				expectedExportedService(),
				expectedTLSSecret(),
				expectedGateway(),
				expectedVirtualService(),
				expectedDestinationRule(),
				expectedNetworkPolicy(),
			)...))
		})

		It("should deploy one collector if one is enough", func() {
			values.Replicas = 1
			Expect(deploy()).To(consistOf(
				withChecksums(expectedCollector(first), values),
				dashboard(),
				PrometheusRule(collectortest.Namespace, values),
				expectedJWKS(),
				expectedPodDisruptionBudget(),
				expectedService(),
				collectortest.ServiceAccount(name),
				collectortest.ServiceMonitor(name, "garden"),
				collectortest.VerticalPodAutoscaler(first, name),
			))
		})

		It("should take the ingress back", func() {
			values.Ingress = ingress()
			deploy()
			values.Ingress = nil
			Expect(deploy()).To(consistOf(append(objects(), expectedService())...))
		})

		It("should replace the collector if the values change", func() {
			deploy()
			values.Image = "collector:v2"
			expected := expectedCollector(first)
			expected.Spec.Image = "collector:v2"

			deploy()
			Expect(deployedCollector(first)).To(BeComparableTo(withChecksums(expected, values)))
		})

		It("should not change anything if the values do not change", func() {
			before := deploy()
			Expect(deploy()).To(Equal(before))
		})

		for _, variant := range variants() {
			It("should deploy the collector with "+variant.name, func() {
				variant.values(&values)
				deploy()

				for _, collectorName := range []string{first, second} {
					expected := expectedCollector(collectorName)
					variant.expect(expected)
					Expect(deployedCollector(collectorName)).To(BeComparableTo(withChecksums(expected, values)))
					collectortest.ExpectClaim(ctx, c, collectorName, name, variant.claim)
				}
			})
		}
	})

	Describe("the real collector", func() {
		config := func() otelv1beta1.Config {
			GinkgoHelper()
			deploy()
			return deployedCollector(first).Spec.Config
		}

		It("should accept the configuration", func() {
			Expect(otelcol.Validate(config())).To(Succeed())
		})

		for _, variant := range variants() {
			It("should accept the configuration with "+variant.name, func() {
				variant.values(&values)
				Expect(otelcol.Validate(config())).To(Succeed())
			})
		}

		It("should refuse a configuration that is wrong", func() {
			broken := config()
			broken.Extensions.Object["oidc"] = map[string]any{"provider": []any{}}
			Expect(otelcol.Validate(broken)).To(MatchError(ContainSubstring("has invalid keys: provider")))
		})
	})

	collectortest.DescribeLifecycle(name, func() client.Client { return c }, func() component.DeployWaiter {
		return New(c, collectortest.Namespace, Values{})
	})
})
