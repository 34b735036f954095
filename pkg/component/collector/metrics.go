// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector

import "time"

const (
	// minMetricsInterval is the shortest interval at which a collector's own metrics are scraped.
	minMetricsInterval = time.Second
	// maxMetricsInterval is the longest. Queries see nothing that is older than five minutes, and the controller fanoutqueues nothing
	// that is older than three.
	maxMetricsInterval = time.Minute
)

// Names of a collector's own metrics, as the collector 0.159 exports them. Metric points are samples.
const (
	MetricAccepted      = "otelcol_receiver_accepted_metric_points"
	MetricRefused       = "otelcol_receiver_refused_metric_points"
	MetricFailed        = "otelcol_receiver_failed_metric_points"
	MetricSent          = "otelcol_exporter_sent_metric_points"
	MetricSendFailed    = "otelcol_exporter_send_failed_metric_points"
	MetricEnqueueFailed = "otelcol_exporter_enqueue_failed_metric_points"
	MetricQueueSize     = "otelcol_exporter_queue_size"
	MetricQueueCapacity = "otelcol_exporter_queue_capacity"
	MetricInFlight      = "otelcol_exporter_in_flight_requests"
	MetricMemoryRefused = "otelcol_processor_memory_limiter_refused_metric_points"
	MetricIncoming      = "otelcol_processor_incoming_items"
	MetricOutgoing      = "otelcol_processor_outgoing_items"
	MetricMemory        = "otelcol_process_memory_rss"
	MetricCPU           = "otelcol_process_cpu_seconds"
	MetricUptime        = "otelcol_process_uptime"
	// The requests to an HTTP server, see ServerTelemetry, have the label LabelStatus.
	MetricRequests     = "http_server_request_body_size_count"
	MetricRequestBytes = "http_server_request_body_size_sum"

	// LabelStatus is the label of MetricRequests with the status that was answered.
	LabelStatus = "http_response_status_code"
)

// Metrics returns the names of the collector's own metrics that a Prometheus stores: those that alerts, dashboards and
// docs/operations use. The counter of the filters is not among them, because Prometheus knows it by a name with a dot; the items before
// and after a filter tell the same.
func Metrics() []string {
	return []string{
		MetricRequests,
		MetricRequestBytes,
		MetricEnqueueFailed,
		MetricInFlight,
		MetricQueueCapacity,
		MetricQueueSize,
		MetricSendFailed,
		MetricSent,
		MetricCPU,
		MetricMemory,
		MetricUptime,
		MetricIncoming,
		MetricMemoryRefused,
		MetricOutgoing,
		MetricAccepted,
		MetricFailed,
		MetricRefused,
	}
}

// MetricsInterval returns the interval at which the own metrics of a collector are scraped, and the rules about them are evaluated, if
// samples pass it at the given interval.
func MetricsInterval(interval time.Duration) time.Duration {
	return min(max(interval, minMetricsInterval), maxMetricsInterval)
}
