// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package collector holds what the collectors of this extension have in common: the frame of the OpenTelemetryCollector
// object and the sections of its configuration that concern queues, memory and the collector's own telemetry.
package collector

import (
	"strconv"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils"
)

const (
	// ContainerName is the name that the OpenTelemetry operator gives to the collector's container.
	ContainerName = "otc-container"
	// MetricsPort is the port of the collector's own metrics.
	MetricsPort = 8888
	// MonitoringPortName is the name of that port in the Service which the OpenTelemetry operator creates for scraping.
	MonitoringPortName = "monitoring"

	// CheckQueueContainerName is the name of the init container that removes destroyed files of queues.
	CheckQueueContainerName = "check-queue"
	// CheckQueueCommand is the command of this extension that it runs.
	CheckQueueCommand = "check-queue"

	healthPort = "13133"

	// nonRoot is the user and group of the distroless images that Gardener builds collectors from.
	nonRoot int64 = 65532

	queueVolumeName = "queue"
	queueDirectory  = "/var/lib/otelcol"
)

// StorageType says where a collector keeps the data that it could not send yet.
type StorageType string

const (
	// StoragePersistentVolume keeps the queue in a PersistentVolumeClaim: it survives the loss of the pod and of the node.
	StoragePersistentVolume StorageType = "PersistentVolume"
	// StorageEmptyDir keeps the queue on the node's disk: it survives a restart of the container, not the loss of the pod.
	StorageEmptyDir StorageType = "EmptyDir"
	// StorageMemory keeps the queue in memory: it does not survive anything.
	StorageMemory StorageType = "None"
)

const (
	// goMemoryPercentage is how much of the container's memory limit the Go runtime may use before it collects garbage more often. It is no hard limit.
	goMemoryPercentage = 30
	// goMemoryPercentageWithQueue is the same if the queue is kept in memory.
	goMemoryPercentageWithQueue = 80
)

// Queue describes the sending queue of an exporter.
type Queue struct {
	// Capacity is the number of samples that fit into the queue.
	Capacity int64
	// Storage says where the queue is kept.
	Storage StorageType
	// Size is the size of the volume. Only used for StoragePersistentVolume and StorageEmptyDir.
	Size resource.Quantity
	// StorageClassName is the class of the PersistentVolumeClaim. If it is nil the cluster's default class is used.
	StorageClassName *string
}

// Persistent returns whether the queue outlives the collector's process.
func (q Queue) Persistent() bool {
	return q.Storage != StorageMemory
}

// Values describes the parts of an OpenTelemetryCollector that differ between the collectors.
type Values struct {
	// Name is the name of the OpenTelemetryCollector.
	Name string
	// ServiceAccountName is the name of its ServiceAccount.
	ServiceAccountName string
	// Namespace is the namespace of the OpenTelemetryCollector.
	Namespace string
	// Labels are put on the OpenTelemetryCollector. The operator hands them down to the pods.
	Labels map[string]string
	// Annotations are put on the OpenTelemetryCollector. The operator hands them down to the Services.
	Annotations map[string]string
	// PodAnnotations are put on the pods only.
	PodAnnotations map[string]string
	// Image is the collector's image.
	Image string
	// CheckQueueImage is the image of this extension, by which a pod checks its queue before the collector starts. If it is empty nothing is
	// checked.
	CheckQueueImage string
	// PriorityClassName is the priority class of the pods.
	PriorityClassName string
	// Resources are the resources of the collector's container.
	Resources corev1.ResourceRequirements
	// Queue is the queue of the collector's exporters.
	Queue Queue
	// Volumes and VolumeMounts are what the collector reads besides its configuration.
	Volumes      []corev1.Volume
	VolumeMounts []corev1.VolumeMount
	// Config is the collector's configuration.
	Config otelv1beta1.Config
}

// New returns the OpenTelemetryCollector for the given values. It always runs as a StatefulSet, because the lock on a queue
// file would make a rolling Deployment wait for itself, and always with one replica, because every replica needs a volume of
// its own: the field volumeClaimTemplates cannot provide it, as Gardener's CRD prunes the names of the templates
// (pkg/component/observability/opentelemetry/operator/assets in github.com/gardener/gardener v1.150.0).
func New(values Values) *otelv1beta1.OpenTelemetryCollector {
	obj := &otelv1beta1.OpenTelemetryCollector{
		ObjectMeta: metav1.ObjectMeta{
			Name:        values.Name,
			Namespace:   values.Namespace,
			Labels:      utils.MergeStringMaps(values.Labels, noToken()),
			Annotations: values.Annotations,
		},
		Spec: otelv1beta1.OpenTelemetryCollectorSpec{
			Mode:            otelv1beta1.ModeStatefulSet,
			UpgradeStrategy: otelv1beta1.UpgradeStrategyNone,
			// The operator's own policy would admit everybody to the collector's ports; it is on by default from 0.158 on.
			NetworkPolicy: otelv1beta1.NetworkPolicy{Enabled: new(false)},
			Observability: otelv1beta1.ObservabilitySpec{
				Metrics: otelv1beta1.MetricsConfigSpec{DisablePrometheusAnnotations: true},
			},
			OpenTelemetryCommonFields: otelv1beta1.OpenTelemetryCommonFields{
				ManagementState:   otelv1beta1.ManagementStateManaged,
				Image:             values.Image,
				Replicas:          new(int32(1)),
				PriorityClassName: values.PriorityClassName,
				Resources:         values.Resources,
				Env:               environment(values.Resources, values.Queue),
				ServiceAccount:    values.ServiceAccountName,
				PodAnnotations:    values.PodAnnotations,
				IpFamilyPolicy:    new(corev1.IPFamilyPolicyPreferDualStack),
				Volumes:           values.Volumes,
				VolumeMounts:      values.VolumeMounts,
				PodSecurityContext: &corev1.PodSecurityContext{
					RunAsNonRoot:   new(true),
					RunAsUser:      new(nonRoot),
					RunAsGroup:     new(nonRoot),
					FSGroup:        new(nonRoot),
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					ReadOnlyRootFilesystem:   new(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			},
			StartupProbe: startupProbe(),
			Config:       values.Config,
		},
	}

	addQueueVolume(&obj.Spec, values.Name, values.Queue)
	addQueueCheck(&obj.Spec, values.CheckQueueImage, values.Queue)
	return obj
}

// startupProbe gives a collector an hour to start. The one that the operator makes of the health check would have Kubernetes end the collector after half
// a minute, but it is not healthy before it has opened the files of its queues, and these may have many gigabytes.
func startupProbe() *otelv1beta1.Probe {
	return &otelv1beta1.Probe{PeriodSeconds: new(int32(2)), FailureThreshold: new(int32(1800))}
}

// environment limits the memory of the Go runtime to a part of the container's memory. The operator would take all of it, and then the
// heap grows until the file of the queue, which is mapped into memory, has no room left beside it.
func environment(resources corev1.ResourceRequirements, queue Queue) []corev1.EnvVar {
	limit, ok := resources.Limits[corev1.ResourceMemory]
	if !ok {
		return nil
	}
	percentage := int64(goMemoryPercentage)
	if !queue.Persistent() {
		percentage = goMemoryPercentageWithQueue
	}
	return []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: strconv.FormatInt(limit.Value()*percentage/100, 10)}}
}

// noToken keeps gardener-resource-manager from mounting a token of the ServiceAccount, as it does by default into pods whose ServiceAccount
// asks for none (pkg/resourcemanager/webhook/projectedtokenmount in github.com/gardener/gardener v1.150.0). The collectors ask no API server
// for anything, so that a token would only be something to steal.
func noToken() map[string]string {
	return map[string]string{resourcesv1alpha1.ProjectedTokenSkip: "true"}
}

// addQueueCheck lets a new pod begin without the files that the collector could not open. There is no limit of memory: the check needs more of
// it the more is in a queue, and a check that is killed would keep the collector from starting.
func addQueueCheck(spec *otelv1beta1.OpenTelemetryCollectorSpec, image string, queue Queue) {
	if image == "" || !queue.Persistent() {
		return
	}
	spec.InitContainers = []corev1.Container{{
		Name:  CheckQueueContainerName,
		Image: image,
		Args:  []string{CheckQueueCommand, "--directory=" + queueDirectory},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("32Mi"),
		}},
		SecurityContext: spec.SecurityContext.DeepCopy(),
		VolumeMounts:    []corev1.VolumeMount{{Name: queueVolumeName, MountPath: queueDirectory}},
	}}
}

func addQueueVolume(spec *otelv1beta1.OpenTelemetryCollectorSpec, name string, queue Queue) {
	var source corev1.VolumeSource

	switch queue.Storage {
	case StoragePersistentVolume:
		source.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: ClaimName(name)}
	case StorageEmptyDir:
		source.EmptyDir = &corev1.EmptyDirVolumeSource{SizeLimit: &queue.Size}
	default:
		return
	}

	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: queueVolumeName, VolumeSource: source})
	spec.VolumeMounts = append(spec.VolumeMounts, corev1.VolumeMount{Name: queueVolumeName, MountPath: queueDirectory})
}
