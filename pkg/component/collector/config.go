// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// HealthCheckExtension answers the probes that the OpenTelemetry operator derives from it.
	HealthCheckExtension = "health_check"
	// FileStorageExtension keeps the sending queues on disk.
	FileStorageExtension = "file_storage"
	// MemoryLimiterProcessor refuses data (retryably) before the container is killed for its memory.
	MemoryLimiterProcessor = "memory_limiter"
	// DebugExporter writes a summary of what passes to the collector's log.
	DebugExporter = "debug"

	// SizerItems measures requests in samples.
	SizerItems = "items"
	// SizerBytes measures requests in bytes before compression. It reads all of them once more to do so.
	SizerBytes = "bytes"
)

// Extensions returns the extensions that every collector has, and the list of their names.
func Extensions(queue Queue) (map[string]any, []string) {
	var (
		extensions = map[string]any{HealthCheckExtension: map[string]any{"endpoint": "[::]:" + healthPort}}
		names      = []string{HealthCheckExtension}
	)

	if queue.Persistent() {
		extensions[FileStorageExtension] = fileStorage()
		names = append(names, FileStorageExtension)
	}

	return extensions, names
}

// fileStorage gives disk space back once a backlog has been sent. `recreate` lets the collector begin with an empty file if the old one
// is corrupt, as far as it notices that in time. From a file that is destroyed it does not recover: package queuecheck removes it before.
func fileStorage() map[string]any {
	return map[string]any{
		"directory":        queueDirectory,
		"create_directory": true,
		"recreate":         true,
		"compaction": map[string]any{
			"directory": queueDirectory,
			// Not on_start: a collector would copy the whole backlog before it does anything else.
			"on_rebound": true,
			// A run that was killed in the middle of a compaction leaves its copy behind.
			"cleanup_on_start": true,
		},
	}
}

// MemoryLimiter returns the configuration of the memory limiter. It is measured against the container's memory limit and,
// if there is none, against the memory of the node.
func MemoryLimiter(resources corev1.ResourceRequirements) map[string]any {
	config := map[string]any{"check_interval": "1s"}

	if limit, ok := resources.Limits[corev1.ResourceMemory]; ok {
		mib := limit.Value() >> 20
		config["limit_mib"] = mib * 80 / 100
		config["spike_limit_mib"] = mib * 20 / 100
		return config
	}

	config["limit_percentage"] = 80
	config["spike_limit_percentage"] = 20
	return config
}

// SendingQueue returns the sending queue of an exporter. Requests are split into requests of at most maxRequest, as the sizer measures it, and
// never merged: a request must not carry the data of two senders, as Prometheus rolls back a whole request for one bad sample.
func SendingQueue(queue Queue, consumers int, sizer string, maxRequest int64) map[string]any {
	config := map[string]any{
		"enabled":       true,
		"sizer":         SizerItems,
		"queue_size":    queue.Capacity,
		"num_consumers": consumers,
		"batch": map[string]any{
			"sizer":         sizer,
			"flush_timeout": "200ms",
			"min_size":      1,
			"max_size":      maxRequest,
		},
	}

	if queue.Persistent() {
		config["storage"] = FileStorageExtension
	}

	return config
}

// RetryForever returns a retry configuration without a time limit: what is in the queue stays there until it is delivered.
func RetryForever(maxInterval time.Duration) map[string]any {
	return map[string]any{
		"enabled":          true,
		"initial_interval": "1s",
		"max_interval":     maxInterval.String(),
		"max_elapsed_time": "0s",
	}
}

// Debug returns the configuration of the debug exporter.
func Debug() map[string]any {
	return map[string]any{"verbosity": "basic"}
}

// Telemetry returns the configuration of the collector's own metrics and logs.
func Telemetry() map[string]any {
	return telemetry(map[string]any{"level": "normal"})
}

// ServerTelemetry is Telemetry for a collector that is an HTTP server: it counts the requests that it gets and their bytes as they arrive,
// that is, compressed. The collector tells that at its highest level only. The views leave out what it adds besides, as its own views do at
// the level normal (service/internal/metricviews in go.opentelemetry.io/collector/service v0.159.0).
func ServerTelemetry() map[string]any {
	const (
		exporters = "go.opentelemetry.io/collector/exporter/exporterhelper"
		http      = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	)
	dropped := map[string]any{"aggregation": map[string]any{"drop": map[string]any{}}}

	return telemetry(map[string]any{
		"level": "detailed",
		"views": []any{
			view("go.opentelemetry.io/collector/processor/processorhelper", "otelcol_processor_internal_duration", dropped),
			view("go.opentelemetry.io/collector/service", "otelcol.*.size", dropped),
			view(exporters, "otelcol_exporter_queue_batch_send_size*", dropped),
			view(exporters, "otelcol_exporter_enqueue_size*", dropped),
			view(exporters, "otelcol_exporter_send_failed_*", map[string]any{
				"attribute_keys": map[string]any{"excluded": []any{"error.type", "error.permanent"}},
			}),
			view(http, "http.client.*", dropped),
			view(http, "http.server.request.duration", dropped),
			view(http, "http.server.response.body.size", dropped),
			// Prometheus asks for names as they are, with dots; those in queries shall not depend on that. The other attributes are left out
			// because a client chooses some of them, and with them the number of series.
			view(http, "http.server.request.body.size", map[string]any{
				"name":           "http_server_request_body_size",
				"attribute_keys": map[string]any{"included": []any{"http.response.status_code"}},
				"aggregation":    map[string]any{"explicit_bucket_histogram": map[string]any{"boundaries": []any{}, "record_min_max": false}},
			}),
		},
	})
}

func telemetry(metrics map[string]any) map[string]any {
	metrics["readers"] = []any{map[string]any{
		"pull": map[string]any{
			"exporter": map[string]any{
				"prometheus": map[string]any{"host": "[::]", "port": MetricsPort},
			},
		},
	}}
	return map[string]any{
		"metrics": metrics,
		"logs":    map[string]any{"level": "info", "encoding": "json"},
	}
}

func view(meter, instrument string, stream map[string]any) map[string]any {
	return map[string]any{
		"selector": map[string]any{"meter_name": meter, "instrument_name": instrument},
		"stream":   stream,
	}
}
