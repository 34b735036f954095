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
	values, err := l.gardenPrometheusValues(seedNames(seeds))
	if err != nil {
		return err
	}
	values.Name, values.Replicas = ReferenceName, 1
	if values.CentralConfigs.ScrapeConfigs, err = l.gardenScrapeConfigs(ctx, runtimeClient, seeds); err != nil {
		return err
	}

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

// gardenScrapeConfigs returns the ScrapeConfigs with which gardener-operator lets the garden Prometheus pull from the seeds, and
// creates the Secret with the credentials that it uses for their ingresses.
func (l *Landscape) gardenScrapeConfigs(ctx context.Context, runtimeClient client.Client, seeds []ScrapedSeed) ([]*monitoringv1alpha1.ScrapeConfig, error) {
	credentials := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "observability-ingress-landscape", Namespace: Namespace}}
	err := runtimeClient.Get(ctx, client.ObjectKeyFromObject(credentials), credentials)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("failed to read the credentials for the ingresses of the seeds: %w", err)
	}
	if err != nil {
		password, err := utils.GenerateRandomString(32)
		if err != nil {
			return nil, fmt.Errorf("failed to generate a password: %w", err)
		}
		credentials.Data = map[string][]byte{secretsutils.DataKeyUserName: []byte("landscape"), secretsutils.DataKeyPassword: []byte(password)}
		if err := apply(ctx, runtimeClient, credentials); err != nil {
			return nil, err
		}
	}

	// The rule is gardener-operator's (pkg/operator/controller/garden/garden/reconciler_reconcile.go).
	var targets, ingressTargets []monitoringv1alpha1.Target
	for _, seed := range seeds {
		if seed.IsRuntime {
			targets = append(targets, "prometheus-aggregate")
		} else {
			ingressTargets = append(ingressTargets, monitoringv1alpha1.Target(v1beta1constants.IngressDomainPrefixPrometheusAggregate+"."+SeedIngressDomain(seed.Name)))
		}
	}
	return append(
		gardenprometheus.CentralScrapeConfigs(targets, ingressTargets, credentials),
		gardenMetricsExporterScrapeConfig(l.Runtime),
	), nil
}

func seedNames(seeds []ScrapedSeed) []string {
	var names []string
	for _, seed := range seeds {
		names = append(names, seed.Name)
	}
	return names
}

// gardenMetricsExporterScrapeConfig returns the ScrapeConfig for the corpus that stands for gardener-metrics-exporter.
func gardenMetricsExporterScrapeConfig(runtime *cluster.Cluster) *monitoringv1alpha1.ScrapeConfig {
	return scrapeConfig("gardener-metrics-exporter", runtime.HostPort(PortGardenMetricsExporter))
}
