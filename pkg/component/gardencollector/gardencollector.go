// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package gardencollector renders the fan-out collector of the runtime cluster, which receives the samples of all seeds and
// writes them to every replica of the garden Prometheus.
package gardencollector

import (
	"context"
	"fmt"
	"strconv"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istioapiannotation "istio.io/api/annotation"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/component"
	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"
	"github.com/gardener/gardener/pkg/utils"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	name = constants.GardenCollectorName

	// Port is the port on which the fan-out receives OTLP over HTTP.
	Port = 4318

	// LabelReceives tells the pods to which the seeds' samples are sent (`true`) from those that leave the fan-out (`false`). The operator
	// does not take labels away, so it is always there.
	LabelReceives = "otel-federation.extensions.gardener.cloud/receives"

	portName = "http-otlp"

	jwksName      = name + "-jwks"
	jwksKey       = "jwks.json"
	jwksVolume    = "jwks"
	jwksDirectory = "/etc/otel-federation/jwks"
)

// Interface contains the functions of the fan-out collector's deployer.
type Interface interface {
	component.DeployWaiter
	// IsRolledOut says whether all replicas are of the version that Deploy deploys, and ready.
	IsRolledOut(ctx context.Context) (bool, error)
	// StopReceiving takes all collectors away from the seeds, which keep their samples then. It returns an error until that is so.
	StopReceiving(ctx context.Context) error
}

// Ingress says how the fan-out is reached from outside the runtime cluster.
type Ingress struct {
	// Host is the host name under which the seeds reach the fan-out.
	Host string
	// GatewaySelector are the labels of the Istio ingress gateway's pods.
	GatewaySelector map[string]string
	// GatewayNamespace is the namespace of the Istio ingress gateway.
	GatewayNamespace string
	// TLSSecretName and TLSSecretData are the server certificate.
	TLSSecretName string
	TLSSecretData map[string][]byte
}

// Values contains configuration values for the fan-out collector.
type Values struct {
	// Image is the collector's image.
	Image string
	// CheckQueueImage is the image of this extension, by which a pod checks its queue. If it is empty nothing is checked.
	CheckQueueImage string
	// Replicas is the number of fan-out collectors.
	Replicas int32
	// Resources are the resources of the collector's container.
	Resources corev1.ResourceRequirements
	// Queue is the queue in front of each garden Prometheus.
	Queue collector.Queue
	// PrometheusHosts are host and port of every replica of the garden Prometheus.
	PrometheusHosts []string
	// DetachedReplicas are the names of the pods of those replicas of the garden Prometheus that get nothing new, because a queue in
	// front of them would become full. What is in the queues is still delivered to them.
	DetachedReplicas []string
	// DrainedCollectors are the names of collectors with an empty queue that receive nothing any more.
	DrainedCollectors []string
	// JWKS is the set of public keys that verify the seeds' tokens.
	JWKS []byte
	// AwayForLong says that collectors are not ready, and that each of these has not been for so long that what is urgent must not wait for it.
	AwayForLong bool
	// DeniedSeeds are the names of the seeds whose samples are dropped.
	DeniedSeeds []string
	// Shadow stores what the seeds push under names of its own, for comparison with what is pulled.
	Shadow bool
	// Ingress says how the fan-out is reached. If it is nil the fan-out is not exposed.
	Ingress *Ingress
	// DebugExporter additionally writes a summary of every request to the collector's log.
	DebugExporter bool
	// ReturnAfter is how long a seed's push may be stale before the seed is pulled again. Alerts take about as long.
	ReturnAfter time.Duration
	// TokenValidity is for how long a seed's token is valid.
	TokenValidity time.Duration
}

type gardenCollector struct {
	client    client.Client
	namespace string
	values    Values
}

// New returns a deployer for the fan-out collector.
func New(c client.Client, namespace string, values Values) Interface {
	return &gardenCollector{client: c, namespace: namespace, values: values}
}

// Deploy creates or updates the ManagedResource of the fan-out collector.
func (g *gardenCollector) Deploy(ctx context.Context) error {
	dashboard, err := g.dashboard()
	if err != nil {
		return err
	}
	objects := []client.Object{
		g.serviceAccount(),
		g.jwks(),
		g.service(),
		g.serviceMonitor(),
		g.prometheusRule(),
		g.podDisruptionBudget(),
		dashboard,
	}

	sets, err := g.statefulSets(ctx)
	if err != nil {
		return err
	}
	var collectors []*otelv1beta1.OpenTelemetryCollector
	for _, i := range g.replicas(sets) {
		if err := collector.DeployClaim(ctx, g.client, collectorName(i), g.namespace, getLabels(), g.values.Queue); err != nil {
			return err
		}
		obj := g.openTelemetryCollector(i)
		collectors = append(collectors, obj)
		objects = append(objects, obj, g.vpa(i))
	}
	rollOneByOne(sets, collectors, g.values.AwayForLong)

	if g.values.Ingress != nil {
		ingressObjects, err := g.ingressObjects()
		if err != nil {
			return err
		}
		objects = append(objects, ingressObjects...)
	}

	data, err := managedresources.
		NewRegistry(kubernetes.SeedScheme, kubernetes.SeedCodec, kubernetes.SeedSerializer).
		AddAllAndSerialize(objects...)
	if err != nil {
		return fmt.Errorf("failed to serialize the objects of the fan-out collector: %w", err)
	}

	if err := managedresources.CreateForSeedWithLabels(ctx, g.client, g.namespace, name, false, managedResourceLabels(), data); err != nil {
		return err
	}
	return g.deleteAbandonedClaims(ctx, sets, collectors)
}

// Destroy deletes the ManagedResource of the fan-out collector.
func (g *gardenCollector) Destroy(ctx context.Context) error {
	return collector.Destroy(ctx, g.client, g.namespace, name)
}

// Wait waits until the ManagedResource of the fan-out collector is healthy.
func (g *gardenCollector) Wait(ctx context.Context) error {
	return collector.Wait(ctx, g.client, g.namespace, name)
}

// WaitCleanup waits until the fan-out collector and everything that the operator made of it are gone, its volumes included.
func (g *gardenCollector) WaitCleanup(ctx context.Context) error {
	return collector.WaitCleanup(ctx, g.client, g.namespace, name)
}

// DefaultResources are the resources of the collector's container if the configuration names none. The requests are where the
// VerticalPodAutoscaler starts; the memory limit is what the memory limiter is measured against.
func DefaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("300Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
	}
}

// collectorName returns the name of a replica of the fan-out. Each replica is an OpenTelemetryCollector of its own, because that
// is how each gets a volume of its own.
func collectorName(replica int32) string {
	return fmt.Sprintf("%s-%d", name, replica)
}

// PodName returns the name of the pod of a replica of the fan-out.
func PodName(replica int32) string {
	return collectorName(replica) + "-collector-0"
}

// DetachedProcessor returns the name of the processor that drops what a detached replica of the garden Prometheus does not get.
func DetachedProcessor(replica string) string {
	return detachedPrefix + replica
}

func (g *gardenCollector) openTelemetryCollector(replica int32) *otelv1beta1.OpenTelemetryCollector {
	labels := utils.MergeStringMaps(getLabels(), networkPolicyLabels())
	labels[LabelReceives] = strconv.FormatBool(replica < g.values.Replicas)

	obj := collector.New(collector.Values{
		Name:               collectorName(replica),
		ServiceAccountName: name,
		Namespace:          g.namespace,
		Labels:             labels,
		Annotations:        collector.ScrapeAnnotations(v1beta1constants.LabelNetworkPolicyGardenScrapeTargets),
		Image:              g.values.Image,
		CheckQueueImage:    g.values.CheckQueueImage,
		PriorityClassName:  v1beta1constants.PriorityClassNameGardenSystem100,
		Resources:          g.values.Resources,
		Queue:              g.values.Queue,
		Volumes: []corev1.Volume{{
			Name: jwksVolume,
			VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: jwksName},
			}},
		}},
		VolumeMounts: []corev1.VolumeMount{{Name: jwksVolume, MountPath: jwksDirectory, ReadOnly: true}},
		Config:       g.config(),
	})

	// Their volumes keep them in the zone that they are scheduled to first.
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelHostname} {
		obj.Spec.TopologySpreadConstraints = append(obj.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew:           1,
			TopologyKey:       key,
			WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:     &metav1.LabelSelector{MatchLabels: collector.PodLabels(name)},
		})
	}

	addChecksums(obj, g.values)
	return obj
}

func (g *gardenCollector) serviceAccount() *corev1.ServiceAccount {
	return collector.ServiceAccount(name, g.namespace, getLabels())
}

func (g *gardenCollector) jwks() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: jwksName, Namespace: g.namespace, Labels: getLabels()},
		Data:       map[string]string{jwksKey: string(g.values.JWKS)},
	}
}

// service is a Service of our own beside those that the operator creates, because it is exported to the ingress gateway only.
func (g *gardenCollector) service() *corev1.Service {
	obj := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: g.namespace, Labels: getLabels()},
		Spec: corev1.ServiceSpec{
			Type:           corev1.ServiceTypeClusterIP,
			IPFamilyPolicy: new(corev1.IPFamilyPolicyPreferDualStack),
			Selector:       utils.MergeStringMaps(collector.PodLabels(name), map[string]string{LabelReceives: "true"}),
			Ports: []corev1.ServicePort{{
				Name:       portName,
				Port:       Port,
				TargetPort: intstr.FromInt32(Port),
				Protocol:   corev1.ProtocolTCP,
			}},
		},
	}

	if g.values.Ingress != nil {
		metav1.SetMetaDataAnnotation(&obj.ObjectMeta, istioapiannotation.NetworkingExportTo.Name, g.values.Ingress.GatewayNamespace)
	}

	return obj
}

func (g *gardenCollector) serviceMonitor() *monitoringv1.ServiceMonitor {
	return collector.ServiceMonitor(name, g.namespace, garden.Label, g.interval())
}

func (g *gardenCollector) vpa(replica int32) *vpaautoscalingv1.VerticalPodAutoscaler {
	return collector.VerticalPodAutoscaler(collectorName(replica), g.namespace, getLabels(), corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("100Mi")})
}

func (g *gardenCollector) podDisruptionBudget() *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: g.namespace, Labels: getLabels()},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: collector.PodLabels(name)},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}

func managedResourceLabels() map[string]string {
	return map[string]string{v1beta1constants.LabelCareConditionType: v1beta1constants.ObservabilityComponentsHealthy}
}

func getLabels() map[string]string {
	return map[string]string{
		v1beta1constants.LabelApp:                      name,
		v1beta1constants.LabelRole:                     v1beta1constants.LabelObservability,
		v1beta1constants.GardenRole:                    v1beta1constants.GardenRoleObservability,
		v1beta1constants.LabelObservabilityApplication: name,
	}
}

// networkPolicyLabels open, under Gardener's deny-all, what the collector needs: DNS and the garden Prometheus.
func networkPolicyLabels() map[string]string {
	return map[string]string{
		v1beta1constants.LabelNetworkPolicyToDNS:                    v1beta1constants.LabelNetworkPolicyAllowed,
		gardenerutils.NetworkPolicyLabel("prometheus-garden", 9090): v1beta1constants.LabelNetworkPolicyAllowed,
	}
}
