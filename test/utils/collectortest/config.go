// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectortest

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

// Extensions returns the expected extensions of a collector whose queue is in memory, with one of its own.
func Extensions(name string, extension map[string]any) map[string]any {
	return map[string]any{
		"health_check": map[string]any{"endpoint": "[::]:13133"},
		name:           extension,
	}
}

// SendingQueue returns the expected sending queue of an exporter whose queue is in memory.
func SendingQueue(capacity int64, consumers int, sizer string, maxRequest int) map[string]any {
	return map[string]any{
		"enabled":       true,
		"sizer":         "items",
		"queue_size":    capacity,
		"num_consumers": consumers,
		"batch": map[string]any{
			"sizer":         sizer,
			"flush_timeout": "200ms",
			"min_size":      1,
			"max_size":      maxRequest,
		},
	}
}

// Telemetry returns the expected telemetry.
func Telemetry() *otelv1beta1.AnyConfig {
	return &otelv1beta1.AnyConfig{Object: map[string]any{
		"metrics": map[string]any{
			"level": "normal",
			"readers": []any{map[string]any{
				"pull": map[string]any{
					"exporter": map[string]any{
						"prometheus": map[string]any{"host": "[::]", "port": 8888},
					},
				},
			}},
		},
		"logs": map[string]any{"level": "info", "encoding": "json"},
	}}
}

// ServerTelemetry returns the expected telemetry of a collector that counts the requests that it gets.
func ServerTelemetry() *otelv1beta1.AnyConfig {
	view := func(meter, instrument string, stream map[string]any) map[string]any {
		return map[string]any{"selector": map[string]any{"meter_name": "go.opentelemetry.io/" + meter, "instrument_name": instrument}, "stream": stream}
	}
	drop := map[string]any{"aggregation": map[string]any{"drop": map[string]any{}}}

	telemetry := Telemetry()
	metrics := telemetry.Object["metrics"].(map[string]any)
	metrics["level"] = "detailed"
	metrics["views"] = []any{
		view("collector/processor/processorhelper", "otelcol_processor_internal_duration", drop),
		view("collector/service", "otelcol.*.size", drop),
		view("collector/exporter/exporterhelper", "otelcol_exporter_queue_batch_send_size*", drop),
		view("collector/exporter/exporterhelper", "otelcol_exporter_enqueue_size*", drop),
		view("collector/exporter/exporterhelper", "otelcol_exporter_send_failed_*", map[string]any{
			"attribute_keys": map[string]any{"excluded": []any{"error.type", "error.permanent"}},
		}),
		view("contrib/instrumentation/net/http/otelhttp", "http.client.*", drop),
		view("contrib/instrumentation/net/http/otelhttp", "http.server.request.duration", drop),
		view("contrib/instrumentation/net/http/otelhttp", "http.server.response.body.size", drop),
		view("contrib/instrumentation/net/http/otelhttp", "http.server.request.body.size", map[string]any{
			"name":           "http_server_request_body_size",
			"attribute_keys": map[string]any{"included": []any{"http.response.status_code"}},
			"aggregation":    map[string]any{"explicit_bucket_histogram": map[string]any{"boundaries": []any{}, "record_min_max": false}},
		}),
	}
	return telemetry
}

// QueueVariant is a storage of a queue.
type QueueVariant struct {
	// Name describes the variant.
	Name string
	// Queue is the queue.
	Queue collector.Queue
	// Expect changes an expected collector whose queue is in memory. It gets the sending queues of its exporters.
	Expect func(obj *otelv1beta1.OpenTelemetryCollector, sendingQueues ...map[string]any)
	// Claim is the expected specification of the volume of the queue. It is nil if there is none.
	Claim *corev1.PersistentVolumeClaimSpec
}

// MemoryQueue is a queue that is kept in memory.
func MemoryQueue(capacity int64) collector.Queue {
	return collector.Queue{Capacity: capacity, Storage: "None"}
}

// QueueVariants returns all storages of queues.
func QueueVariants(capacity int64) []QueueVariant {
	size := resource.MustParse("4Gi")

	return []QueueVariant{
		{
			Name:   "in memory",
			Queue:  MemoryQueue(capacity),
			Expect: func(*otelv1beta1.OpenTelemetryCollector, ...map[string]any) {},
		},
		{
			Name:  "on a PersistentVolume of the default class",
			Queue: collector.Queue{Capacity: capacity, Storage: "PersistentVolume", Size: size},
			Expect: func(obj *otelv1beta1.OpenTelemetryCollector, sendingQueues ...map[string]any) {
				expectFileStorage(obj, sendingQueues)
				expectVolume(obj, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: obj.Name + "-queue"}})
			},
			Claim: claim(size, nil),
		},
		{
			Name:  "on a PersistentVolume of a given class",
			Queue: collector.Queue{Capacity: capacity, Storage: "PersistentVolume", Size: size, StorageClassName: new("fast")},
			Expect: func(obj *otelv1beta1.OpenTelemetryCollector, sendingQueues ...map[string]any) {
				expectFileStorage(obj, sendingQueues)
				expectVolume(obj, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: obj.Name + "-queue"}})
			},
			Claim: claim(size, new("fast")),
		},
		{
			Name:  "on an emptyDir",
			Queue: collector.Queue{Capacity: capacity, Storage: "EmptyDir", Size: size},
			Expect: func(obj *otelv1beta1.OpenTelemetryCollector, sendingQueues ...map[string]any) {
				expectFileStorage(obj, sendingQueues)
				expectVolume(obj, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size}})
			},
		},
	}
}

func expectFileStorage(obj *otelv1beta1.OpenTelemetryCollector, sendingQueues []map[string]any) {
	obj.Spec.Config.Extensions.Object["file_storage"] = map[string]any{
		"directory":        "/var/lib/otelcol",
		"create_directory": true,
		"recreate":         true,
		"compaction": map[string]any{
			"directory":        "/var/lib/otelcol",
			"on_rebound":       true,
			"cleanup_on_start": true,
		},
	}
	names := obj.Spec.Config.Service.Extensions
	obj.Spec.Config.Service.Extensions = append([]string{names[0], "file_storage"}, names[1:]...)

	for _, queue := range sendingQueues {
		queue["storage"] = "file_storage"
	}
}

func expectVolume(obj *otelv1beta1.OpenTelemetryCollector, source corev1.VolumeSource) {
	obj.Spec.Volumes = append(obj.Spec.Volumes, corev1.Volume{Name: "queue", VolumeSource: source})
	obj.Spec.VolumeMounts = append(obj.Spec.VolumeMounts, corev1.VolumeMount{Name: "queue", MountPath: "/var/lib/otelcol"})
}

func claim(size resource.Quantity, storageClassName *string) *corev1.PersistentVolumeClaimSpec {
	return &corev1.PersistentVolumeClaimSpec{
		AccessModes:      []corev1.PersistentVolumeAccessMode{"ReadWriteOnce"},
		StorageClassName: storageClassName,
		Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": size}},
	}
}

// ExpectClaim expects that the volume of the queue of the given collector has the given specification, or that there is none.
func ExpectClaim(ctx context.Context, c client.Client, collectorName, component string, spec *corev1.PersistentVolumeClaimSpec) {
	GinkgoHelper()

	claim := &corev1.PersistentVolumeClaim{}
	err := c.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: collectorName + "-queue"}, claim)
	if spec == nil {
		Expect(err).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		return
	}

	Expect(err).NotTo(HaveOccurred())
	labels := ObjectLabels(component)
	labels["app.kubernetes.io/instance"] = collectorName
	Expect(claim.Labels).To(Equal(labels))
	Expect(claim.Spec).To(BeComparableTo(*spec))
}
