// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"
	"github.com/gardener/gardener/pkg/utils"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

// ReferenceName is the name of the Prometheus that pulls.
const ReferenceName = "reference"

// ScrapedSeed is a seed whose aggregate Prometheus is pulled from.
type ScrapedSeed struct {
	// Name is the name of the seed.
	Name string
	// IsRuntime says that the seed is the runtime cluster.
	IsRuntime bool
}

// DeployReferencePrometheus deploys a Prometheus which is like Prometheus/garden, but pulls from the seeds with Gardener's own
// ScrapeConfigs. It shows what the garden Prometheus would store without this extension.
func (l *Landscape) DeployReferencePrometheus(ctx context.Context, runtimeClient client.Client, seeds []ScrapedSeed) error {
	credentials := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "reference-monitoring-credentials", Namespace: Namespace},
	}
	password, err := utils.GenerateRandomString(32)
	if err != nil {
		return fmt.Errorf("failed to generate a password: %w", err)
	}
	credentials.Data = map[string][]byte{secretsutils.DataKeyUserName: []byte("reference"), secretsutils.DataKeyPassword: []byte(password)}
	if err := apply(ctx, runtimeClient, credentials); err != nil {
		return err
	}

	var (
		names                   []string
		targets, ingressTargets []monitoringv1alpha1.Target
	)
	// The rule is gardener-operator's (pkg/operator/controller/garden/garden/reconciler_reconcile.go).
	for _, seed := range seeds {
		names = append(names, seed.Name)
		if seed.IsRuntime {
			targets = append(targets, "prometheus-aggregate")
		} else {
			ingressTargets = append(ingressTargets, monitoringv1alpha1.Target(v1beta1constants.IngressDomainPrefixPrometheusAggregate+"."+SeedIngressDomain(seed.Name)))
		}
	}

	values, err := l.gardenPrometheusValues(names)
	if err != nil {
		return err
	}
	values.Name, values.Replicas = ReferenceName, 1
	values.CentralConfigs.ScrapeConfigs = append(
		gardenprometheus.CentralScrapeConfigs(targets, ingressTargets, credentials),
		gardenMetricsExporterScrapeConfig(l.Runtime),
	)

	managedResource := "prometheus-" + ReferenceName
	objects, err := renderPrometheus(ctx, managedResource, values)
	if err != nil {
		return err
	}
	if err := l.scaleTime(objects); err != nil {
		return err
	}
	return createManagedResource(ctx, runtimeClient, managedResource, objects)
}

// gardenMetricsExporterScrapeConfig returns the ScrapeConfig for the corpus that stands for gardener-metrics-exporter.
func gardenMetricsExporterScrapeConfig(runtime *cluster.Cluster) *monitoringv1alpha1.ScrapeConfig {
	return scrapeConfig("gardener-metrics-exporter", runtime.HostPort(PortGardenMetricsExporter))
}
