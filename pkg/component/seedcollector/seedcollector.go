// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package seedcollector renders the collector that scrapes the aggregate Prometheus of a seed and pushes its samples to the
// garden.
package seedcollector

import (
	"context"
	"fmt"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/component"
	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/aggregate"
	"github.com/gardener/gardener/pkg/utils"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const (
	name = constants.SeedCollectorName

	credentialsVolume    = "credentials"
	credentialsDirectory = "/var/run/secrets/otel-federation" // #nosec G101 -- No credential.
)

// Interface contains the functions of the seed collector's deployer.
type Interface interface {
	component.DeployWaiter
}

// Destination says where the seed collector pushes to, and under which name its federation target is known there.
type Destination struct {
	// Endpoint is the URL of the garden's OTLP endpoint, without a path.
	Endpoint string
	// CABundle verifies the endpoint. If it is empty the system's pool is used.
	CABundle []byte
	// Instance is the `instance` label of the federation target.
	Instance string
	// SecretName is the name of the Secret that holds the token under the key `token`.
	SecretName string
	// AllLabels says that what receives the samples may be something else than the fan-out of this extension, and adds no labels. So series are sent
	// with all of theirs.
	AllLabels bool
}

// Values contains configuration values for the seed collector.
type Values struct {
	// Image is the collector's image.
	Image string
	// CheckQueueImage is the image of this extension, by which a pod checks its queue. If it is empty nothing is checked.
	CheckQueueImage string
	// Destination is where the samples go. As long as it is nil only the objects around the collector are deployed.
	Destination *Destination
	// ScrapeInterval and ScrapeTimeout are those of the federation.
	ScrapeInterval, ScrapeTimeout time.Duration
	// Selectors choose the series to federate.
	Selectors []string
	// Compression is the algorithm for what crosses the WAN: zstd, gzip, snappy or none.
	Compression string
	// CompressionLevel is the level of that algorithm. If it is nil the algorithm's default is used.
	CompressionLevel *int32
	// Queue is the queue for what could not be sent yet.
	Queue collector.Queue
	// Resources are the resources of the collector's container.
	Resources corev1.ResourceRequirements
	// DebugExporter additionally writes a summary of every request to the collector's log.
	DebugExporter bool
}

type seedCollector struct {
	client    client.Client
	namespace string
	values    Values
}

// New returns a deployer for the seed collector.
func New(c client.Client, namespace string, values Values) Interface {
	return &seedCollector{client: c, namespace: namespace, values: values}
}

// Deploy creates or updates the ManagedResource of the seed collector.
func (s *seedCollector) Deploy(ctx context.Context) error {
	dashboard, err := s.dashboard()
	if err != nil {
		return err
	}
	objects := []client.Object{s.serviceAccount(), s.serviceMonitor(), s.vpa(), dashboard}
	if s.values.Destination != nil {
		if err := collector.DeployClaim(ctx, s.client, name, s.namespace, getLabels(), s.values.Queue); err != nil {
			return err
		}
		objects = append(objects, s.openTelemetryCollector(), s.prometheusRule())
	}

	data, err := managedresources.
		NewRegistry(kubernetes.SeedScheme, kubernetes.SeedCodec, kubernetes.SeedSerializer).
		AddAllAndSerialize(objects...)
	if err != nil {
		return fmt.Errorf("failed to serialize the objects of the seed collector: %w", err)
	}

	return managedresources.CreateForSeedWithLabels(ctx, s.client, s.namespace, name, false,
		map[string]string{v1beta1constants.LabelCareConditionType: v1beta1constants.ObservabilityComponentsHealthy}, data)
}

// Destroy deletes the ManagedResource of the seed collector.
func (s *seedCollector) Destroy(ctx context.Context) error {
	return collector.Destroy(ctx, s.client, s.namespace, name)
}

// Wait waits until the ManagedResource of the seed collector is healthy.
func (s *seedCollector) Wait(ctx context.Context) error {
	return collector.Wait(ctx, s.client, s.namespace, name)
}

// WaitCleanup waits until the seed collector and everything that the operator made of it are gone, its volumes included.
func (s *seedCollector) WaitCleanup(ctx context.Context) error {
	return collector.WaitCleanup(ctx, s.client, s.namespace, name)
}

// DefaultResources are the resources of the collector's container if the configuration names none. The requests are where the
// VerticalPodAutoscaler starts; the memory limit is what the memory limiter is measured against.
func DefaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("300Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
	}
}

func (s *seedCollector) openTelemetryCollector() *otelv1beta1.OpenTelemetryCollector {
	destination := s.values.Destination

	return collector.New(collector.Values{
		Name:               name,
		ServiceAccountName: name,
		Namespace:          s.namespace,
		Labels:             utils.MergeStringMaps(getLabels(), networkPolicyLabels()),
		Annotations:        collector.ScrapeAnnotations(v1beta1constants.LabelNetworkPolicySeedScrapeTargets),
		PodAnnotations:     map[string]string{constants.AnnotationCABundle: credentials.CABundleChecksum(destination.CABundle)},
		Image:              s.values.Image,
		CheckQueueImage:    s.values.CheckQueueImage,
		PriorityClassName:  v1beta1constants.PriorityClassNameSeedSystem600,
		Resources:          s.values.Resources,
		Queue:              s.values.Queue,
		Volumes: []corev1.Volume{{
			Name:         credentialsVolume,
			VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: destination.SecretName}},
		}},
		VolumeMounts: []corev1.VolumeMount{{Name: credentialsVolume, MountPath: credentialsDirectory, ReadOnly: true}},
		Config:       s.config(),
	})
}

func (s *seedCollector) serviceAccount() *corev1.ServiceAccount {
	return collector.ServiceAccount(name, s.namespace, getLabels())
}

// serviceMonitor is for the aggregate Prometheus: it has the seed's alerts. In the garden's runtime cluster, a collector that stops
// would turn the Garden unhealthy if the garden Prometheus scraped it.
func (s *seedCollector) serviceMonitor() *monitoringv1.ServiceMonitor {
	return collector.ServiceMonitor(name, s.namespace, aggregate.Label, s.metricsInterval())
}

func (s *seedCollector) vpa() *vpaautoscalingv1.VerticalPodAutoscaler {
	return collector.VerticalPodAutoscaler(name, s.namespace, getLabels(), corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("100Mi")})
}

func getLabels() map[string]string {
	return map[string]string{
		v1beta1constants.LabelApp:                      name,
		v1beta1constants.LabelRole:                     v1beta1constants.LabelObservability,
		v1beta1constants.GardenRole:                    v1beta1constants.GardenRoleObservability,
		v1beta1constants.LabelObservabilityApplication: name,
	}
}

// networkPolicyLabels open, under Gardener's deny-all, what the collector needs: DNS, the aggregate Prometheus beside it, and
// the garden's ingress, which may be public, private or, if the seed is the runtime cluster, a pod nearby.
func networkPolicyLabels() map[string]string {
	return map[string]string{
		v1beta1constants.LabelNetworkPolicyToDNS:             v1beta1constants.LabelNetworkPolicyAllowed,
		v1beta1constants.LabelNetworkPolicyToPublicNetworks:  v1beta1constants.LabelNetworkPolicyAllowed,
		v1beta1constants.LabelNetworkPolicyToPrivateNetworks: v1beta1constants.LabelNetworkPolicyAllowed,
		gardenerutils.NetworkPolicyLabel(v1beta1constants.LabelNetworkPolicyIstioIngressNamespaceAlias+"-"+v1beta1constants.DefaultSNIIngressServiceName, 9443): v1beta1constants.LabelNetworkPolicyAllowed,
		gardenerutils.NetworkPolicyLabel("prometheus-aggregate", 9090):                                                                                          v1beta1constants.LabelNetworkPolicyAllowed,
	}
}
