// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package collectormetrics reads what a collector tells of itself, from the collector. A Prometheus in between may be what is broken.
package collectormetrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

// maxBody limits what is read of an answer, in bytes. A collector tells about 50 KiB.
const maxBody = 4 << 20

// Exporter is what one exporter of a collector tells. All numbers but InFlight are samples. Counters count from the start of the process, and a
// counter that has counted nothing is 0.
type Exporter struct {
	// QueueSize is how many are in the queue.
	QueueSize float64
	// InFlight is how many requests are on their way, or wait to be tried again. What they carry is still in a queue that is on disk, but not
	// in one that is in memory.
	InFlight float64
	// QueueCapacity is how many may be in the queue.
	QueueCapacity float64
	// Sent counts those that the receiver of the exporter has accepted.
	Sent float64
	// SendFailed counts those that are lost, because the receiver has refused them for good.
	SendFailed float64
	// EnqueueFailed counts those that found no place in the queue.
	EnqueueFailed float64
}

// Metrics is what a collector tells.
type Metrics struct {
	// Uptime is for how long the process runs.
	Uptime time.Duration
	// Accepted counts the samples that have been received and passed on.
	Accepted float64
	// Refused counts the samples that have been received and could not be passed on. The sender, if there is one, sends them again.
	Refused float64
	// Filtered counts the samples that have come into a processor and have not left it, by the name of the processor, as
	// `filter/denied`. A processor that drops nothing is not among them.
	Filtered map[string]float64
	// Exporters are the exporters by name, as `otlp_http/garden`.
	Exporters map[string]Exporter
}

// Read reads the metrics of the collector that runs in a pod. The error names the pod.
func Read(ctx context.Context, httpClient *http.Client, pod *corev1.Pod) (*Metrics, error) {
	metrics, err := read(ctx, httpClient, pod)
	if err != nil {
		return nil, fmt.Errorf("failed to read the metrics of the collector in pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return metrics, nil
}

func read(ctx context.Context, httpClient *http.Client, pod *corev1.Pod) (*Metrics, error) {
	if pod.Status.PodIP == "" {
		return nil, errors.New("the pod has no address")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(collector.MetricsPort))+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers with status %d", response.StatusCode)
	}

	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	}
	return newMetrics(families), nil
}

func newMetrics(families map[string]*dto.MetricFamily) *Metrics {
	metrics := &Metrics{
		Uptime:    time.Duration(sum(families, "otelcol_process_uptime") * float64(time.Second)),
		Accepted:  sum(families, "otelcol_receiver_accepted_metric_points"),
		Refused:   sum(families, "otelcol_receiver_refused_metric_points"),
		Filtered:  by(families, "otelcol_processor_incoming_items", "processor"),
		Exporters: map[string]Exporter{},
	}
	for processor, outgoing := range by(families, "otelcol_processor_outgoing_items", "processor") {
		if metrics.Filtered[processor] -= outgoing; metrics.Filtered[processor] <= 0 {
			delete(metrics.Filtered, processor)
		}
	}
	for name, field := range map[string]func(*Exporter) *float64{
		"otelcol_exporter_queue_size":                   func(e *Exporter) *float64 { return &e.QueueSize },
		"otelcol_exporter_in_flight_requests":           func(e *Exporter) *float64 { return &e.InFlight },
		"otelcol_exporter_queue_capacity":               func(e *Exporter) *float64 { return &e.QueueCapacity },
		"otelcol_exporter_sent_metric_points":           func(e *Exporter) *float64 { return &e.Sent },
		"otelcol_exporter_send_failed_metric_points":    func(e *Exporter) *float64 { return &e.SendFailed },
		"otelcol_exporter_enqueue_failed_metric_points": func(e *Exporter) *float64 { return &e.EnqueueFailed },
	} {
		for exporter, value := range by(families, name, "exporter") {
			e := metrics.Exporters[exporter]
			*field(&e) = value
			metrics.Exporters[exporter] = e
		}
	}
	return metrics
}

// sum returns the sum of all series of a metric.
func sum(families map[string]*dto.MetricFamily, name string) float64 {
	total := 0.0
	for _, value := range by(families, name, "") {
		total += value
	}
	return total
}

// by returns the sums of the series of a metric by the value of a label.
func by(families map[string]*dto.MetricFamily, name, label string) map[string]float64 {
	sums := map[string]float64{}
	// The exporter of the collector leaves the type's suffix away. One that does not would mean the same.
	for _, family := range []string{name, name + "_total"} {
		for _, metric := range families[family].GetMetric() {
			value := ""
			for _, pair := range metric.GetLabel() {
				if pair.GetName() == label {
					value = pair.GetValue()
				}
			}
			sums[value] += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + metric.GetUntyped().GetValue()
		}
	}
	return sums
}
