// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/imagevector"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/component"
	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus"
	aggregateprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/aggregate"
	cacheprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/cache"
	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	"github.com/gardener/gardener/pkg/utils/kubernetes/health"
	"github.com/gardener/gardener/pkg/utils/managedresources"
	"github.com/gardener/gardener/pkg/utils/retry"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

const (
	managedResourceGarden    = "prometheus-" + gardenprometheus.Label
	managedResourceAggregate = "prometheus-" + aggregateprometheus.Label
)

// DeployGardenPrometheus deploys Prometheus/garden as gardener-operator does. It leaves it to the extension to let Prometheus
// accept what the seeds push, and not pull from them any more. With the receiver it waits until the extension's webhook does the
// former, so that Prometheus is not started without it and has to be started again.
func (l *Landscape) DeployGardenPrometheus(ctx context.Context, runtimeClient client.Client, seeds []ScrapedSeed, withReceiver bool) error {
	if err := gardenerutils.NewShootAccessSecret(gardenprometheus.AccessSecretName, Namespace).Reconcile(ctx, runtimeClient); err != nil {
		return fmt.Errorf("failed to create the access secret of the garden Prometheus: %w", err)
	}

	host := "prometheus-garden." + GardenIngressDomain
	tlsSecret, err := ingressCertificate(managedResourceGarden, host)
	if err != nil {
		return err
	}
	values, err := l.gardenPrometheusValues(seedNames(seeds))
	if err != nil {
		return err
	}
	values.Name, values.Replicas = gardenprometheus.Label, 2
	if values.CentralConfigs.ScrapeConfigs, err = l.gardenScrapeConfigs(ctx, runtimeClient, seeds); err != nil {
		return err
	}
	values.Ingress = &prometheus.IngressValues{
		Host:                         host,
		WildcardCertSecretName:       &tlsSecret.Name,
		IsGardenCluster:              true,
		IstioIngressGatewayLabels:    GardenIstioLabels(),
		IstioIngressGatewayNamespace: NamespaceGardenIstioIngress,
	}
	values.TargetCluster = &prometheus.TargetClusterValues{ServiceAccountName: gardenprometheus.ServiceAccountName}

	objects, err := renderPrometheus(ctx, managedResourceGarden, values, tlsSecret)
	if err != nil {
		return err
	}
	if err := l.scaleTime(objects); err != nil {
		return err
	}
	if withReceiver {
		if err := waitForOTLPReceiver(ctx, runtimeClient, objects); err != nil {
			return err
		}
	}
	return createManagedResource(ctx, runtimeClient, managedResourceGarden, objects)
}

// gardenPrometheusValues are the values that Prometheus/garden and Prometheus/reference share.
func (l *Landscape) gardenPrometheusValues(seeds []string) (prometheus.Values, error) {
	rules, err := gardenprometheus.CentralPrometheusRules(false, seeds)
	if err != nil {
		return prometheus.Values{}, fmt.Errorf("failed to render the rules of the garden Prometheus: %w", err)
	}
	return prometheus.Values{
		PriorityClassName: v1beta1constants.PriorityClassNameGardenSystem100,
		StorageCapacity:   resource.MustParse("200Gi"),
		Retention:         new(monitoringv1.Duration("30d")),
		RetentionSize:     "190GB",
		ScrapeTimeout:     "50s",
		ExternalLabels:    map[string]string{"landscape": ClusterIdentity},
		HealthCheckBy:     prometheus.GardenerOperator,
		AdditionalPodLabels: map[string]string{
			v1beta1constants.LabelNetworkPolicyToPublicNetworks:                                                v1beta1constants.LabelNetworkPolicyAllowed,
			v1beta1constants.LabelNetworkPolicyToPrivateNetworks:                                               v1beta1constants.LabelNetworkPolicyAllowed,
			"networking.resources.gardener.cloud/to-" + v1beta1constants.LabelNetworkPolicyGardenScrapeTargets: v1beta1constants.LabelNetworkPolicyAllowed,
		},
		CentralConfigs: prometheus.CentralConfigs{
			// Left out, because an empty scrape pool is unhealthy, are the additional scrape configs and the ServiceMonitor: they
			// scrape the kubelet and Alertmanager, and there is none.
			PrometheusRules: rules,
		},
		Alerting: &prometheus.AlertingValues{Alertmanagers: []*prometheus.Alertmanager{{Name: "alertmanager-garden"}}},
	}, nil
}

// DeployAggregatePrometheus deploys Prometheus/aggregate as gardenlet does. Besides its own rules it evaluates those of the
// cache Prometheus, which does not exist here, and it scrapes the landscape's own processes and the corpus exporter.
func (l *Landscape) DeployAggregatePrometheus(ctx context.Context, seedClient client.Client, name string, seed *cluster.Cluster) error {
	if err := deployScrapeCredentials(ctx, seedClient, seed); err != nil {
		return err
	}
	host := v1beta1constants.IngressDomainPrefixPrometheusAggregate + "." + SeedIngressDomain(name)
	tlsSecret, err := ingressCertificate(managedResourceAggregate, host)
	if err != nil {
		return err
	}
	values := prometheus.Values{
		Name:              aggregateprometheus.Label,
		PriorityClassName: v1beta1constants.PriorityClassNameSeedSystem600,
		StorageCapacity:   resource.MustParse("20Gi"),
		Replicas:          1,
		Retention:         new(monitoringv1.Duration("30d")),
		RetentionSize:     "15GB",
		ExternalLabels:    map[string]string{"seed": name},
		HealthCheckBy:     prometheus.Gardenlet,
		AdditionalPodLabels: map[string]string{
			"networking.resources.gardener.cloud/to-" + v1beta1constants.LabelNetworkPolicySeedScrapeTargets: v1beta1constants.LabelNetworkPolicyAllowed,
		},
		CentralConfigs: prometheus.CentralConfigs{
			PrometheusRules: append(aggregateprometheus.CentralPrometheusRules(seed == l.Runtime), cacheRules()...),
			ScrapeConfigs:   append(aggregateprometheus.CentralScrapeConfigs(), landscapeScrapeConfigs(seed)...),
			ServiceMonitors: aggregateprometheus.CentralServiceMonitors(),
		},
		Ingress: &prometheus.IngressValues{
			Host:                         host,
			WildcardCertSecretName:       &tlsSecret.Name,
			IstioIngressGatewayLabels:    SeedIstioLabels(),
			IstioIngressGatewayNamespace: NamespaceSeedIstioIngress,
		},
	}

	objects, err := renderPrometheus(ctx, managedResourceAggregate, values, tlsSecret)
	if err != nil {
		return err
	}
	if err := l.scaleTime(objects); err != nil {
		return err
	}
	return createManagedResource(ctx, seedClient, managedResourceAggregate, objects)
}

// ingressCertificate returns a Secret with a certificate for the ingress of a Prometheus.
func ingressCertificate(name, host string) (*corev1.Secret, error) {
	certificate, err := (&secretsutils.CertificateSecretConfig{Name: name, CommonName: host, DNSNames: []string{host}, CertType: secretsutils.ServerCert}).Generate()
	if err != nil {
		return nil, fmt.Errorf("failed to generate the certificate of the ingress %s: %w", host, err)
	}
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-tls", Namespace: Namespace}, Data: certificate.SecretData()}, nil
}

// cacheRules returns the recording rules of the cache Prometheus under names that do not clash with the aggregate's.
func cacheRules() []*monitoringv1.PrometheusRule {
	var rules []*monitoringv1.PrometheusRule
	for _, rule := range cacheprometheus.CentralPrometheusRules() {
		rule = rule.DeepCopy()
		rule.Name = "cache-" + rule.Name
		rules = append(rules, rule)
	}
	return rules
}

func renderPrometheus(ctx context.Context, managedResource string, values prometheus.Values, existing ...client.Object) ([]client.Object, error) {
	image, err := imagevector.Containers().FindImage(imagevector.ContainerImageNamePrometheus)
	if err != nil {
		return nil, err
	}
	values.Image, values.ClusterType = image.String(), component.ClusterTypeSeed
	if image.Version != nil {
		values.Version = *image.Version
	}
	return render(ctx, managedResource, func(c client.Client) component.Deployer {
		return prometheus.New(logr.Discard(), c, Namespace, values)
	}, existing...)
}

// createManagedResource creates the ManagedResource of a Prometheus. What configures it is created before: config-reloader
// does not notice what changes in its first seconds, which is earlier here than a kubelet would bring it into the pod.
func createManagedResource(ctx context.Context, c client.Client, name string, objects []client.Object) error {
	for _, object := range objects {
		if _, ok := object.(*monitoringv1.Prometheus); ok {
			continue
		}
		if err := apply(ctx, c, object); err != nil {
			return err
		}
	}

	registry := managedresources.NewRegistry(kubernetes.SeedScheme, kubernetes.SeedCodec, kubernetes.SeedSerializer)
	data, err := registry.AddAllAndSerialize(objects...)
	if err != nil {
		return fmt.Errorf("failed to serialize the objects of ManagedResource %s: %w", name, err)
	}
	if err := managedresources.CreateForSeedWithLabels(ctx, c, Namespace, name, false, map[string]string{v1beta1constants.LabelCareConditionType: v1beta1constants.ObservabilityComponentsHealthy}, data); err != nil {
		return fmt.Errorf("failed to create ManagedResource %s: %w", name, err)
	}
	return nil
}

// WaitForPrometheis waits until the Prometheis of a cluster are ready and config-reloader watches their configuration.
func WaitForPrometheis(ctx context.Context, c client.Client, pods ...string) error {
	for _, name := range pods {
		pod := &corev1.Pod{}
		if err := retry.UntilTimeout(ctx, 250*time.Millisecond, 2*time.Minute, func(ctx context.Context) (bool, error) {
			if err := c.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: name}, pod); err != nil {
				return retry.MinorError(err)
			}
			if err := health.CheckPod(pod); err != nil {
				return retry.MinorError(err)
			}
			if err := reloaderWatches(ctx, pod.Status.PodIP); err != nil {
				return retry.MinorError(err)
			}
			return retry.Ok()
		}); err != nil {
			return fmt.Errorf("pod %s is not ready: %w", name, err)
		}
	}
	return nil
}

// reloaderWatches returns an error if the config-reloader of a pod does not watch the configuration yet.
func reloaderWatches(ctx context.Context, podIP string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(podIP, "8080")+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	scanner := bufio.NewScanner(response.Body)
	for scanner.Scan() {
		if value, ok := strings.CutPrefix(scanner.Text(), "reloader_watches "); ok && value != "0" {
			return nil
		}
	}
	return errors.New("config-reloader does not watch the configuration yet")
}

// StopAggregatePrometheus stops Prometheus/aggregate of a seed, without anybody starting it again.
func StopAggregatePrometheus(ctx context.Context, seedClient client.Client) error {
	return scaleAggregatePrometheus(ctx, seedClient, 0)
}

// StartAggregatePrometheus starts Prometheus/aggregate of a seed again.
func StartAggregatePrometheus(ctx context.Context, seedClient client.Client) error {
	return scaleAggregatePrometheus(ctx, seedClient, 1)
}

func scaleAggregatePrometheus(ctx context.Context, seedClient client.Client, replicas int32) error {
	return scale(ctx, seedClient, managedResourceAggregate,
		&monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Name: aggregateprometheus.Label, Namespace: Namespace}}, replicas, 1)
}

// scale scales an object of a ManagedResource. While it has fewer replicas than it is to have gardener-resource-manager ignores the
// ManagedResource.
func scale(ctx context.Context, c client.Client, managedResourceName string, object client.Object, replicas, of int32) error {
	managedResource := &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Name: managedResourceName, Namespace: Namespace}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%t"}}}`, resourcesv1alpha1.Ignore, replicas < of))
	if err := c.Patch(ctx, managedResource, patch); err != nil {
		return fmt.Errorf("failed to let gardener-resource-manager ignore or heed ManagedResource %s: %w", managedResourceName, err)
	}
	if err := c.Patch(ctx, object, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))); err != nil {
		return fmt.Errorf("failed to scale %s to %d: %w", object.GetName(), replicas, err)
	}
	return nil
}
