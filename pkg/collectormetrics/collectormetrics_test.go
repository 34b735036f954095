// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectormetrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
)

// told is what a collector 0.159.0 tells, shortened.
const told = `# TYPE otelcol_exporter_enqueue_failed_metric_points counter
otelcol_exporter_enqueue_failed_metric_points{exporter="otlp_http/prometheus-garden-1"} 1416
# TYPE otelcol_exporter_in_flight_requests gauge
otelcol_exporter_in_flight_requests{data_type="metrics",exporter="otlp_http/prometheus-garden-0"} 0
otelcol_exporter_in_flight_requests{data_type="metrics",exporter="otlp_http/prometheus-garden-1"} 4
# TYPE otelcol_exporter_queue_capacity gauge
otelcol_exporter_queue_capacity{data_type="metrics",exporter="otlp_http/prometheus-garden-0"} 1.68e+08
otelcol_exporter_queue_capacity{data_type="metrics",exporter="otlp_http/prometheus-garden-1"} 1.68e+08
# TYPE otelcol_exporter_queue_size gauge
otelcol_exporter_queue_size{data_type="metrics",exporter="otlp_http/prometheus-garden-0"} 0
otelcol_exporter_queue_size{data_type="metrics",exporter="otlp_http/prometheus-garden-1"} 7080
# TYPE otelcol_exporter_sent_metric_points counter
otelcol_exporter_sent_metric_points{exporter="otlp_http/prometheus-garden-0",server_address="prometheus-garden-0.prometheus-operated",server_port="9090"} 6372
otelcol_exporter_sent_metric_points{exporter="otlp_http/prometheus-garden-1",server_address="prometheus-garden-1.prometheus-operated",server_port="9090"} 4956
# TYPE otelcol_exporter_send_failed_metric_points counter
otelcol_exporter_send_failed_metric_points{exporter="otlp_http/prometheus-garden-0"} 12
# TYPE otelcol_process_uptime counter
otelcol_process_uptime 86.5
# TYPE otelcol_processor_incoming_items counter
otelcol_processor_incoming_items{otel_signal="metrics",processor="attributes/seed"} 4956
otelcol_processor_incoming_items{otel_signal="metrics",processor="filter/prometheus-garden-1"} 20
# TYPE otelcol_processor_outgoing_items counter
otelcol_processor_outgoing_items{otel_signal="metrics",processor="attributes/seed"} 4956
otelcol_processor_outgoing_items{otel_signal="metrics",processor="filter/prometheus-garden-1"} 0
# TYPE otelcol_receiver_accepted_metric_points counter
otelcol_receiver_accepted_metric_points{receiver="otlp",transport="http"} 4956
# TYPE otelcol_receiver_refused_metric_points counter
otelcol_receiver_refused_metric_points{receiver="otlp",transport="http"} 1416
`

var _ = Describe("Read", func() {
	var (
		ctx    = context.Background()
		pod    *corev1.Pod
		status int
		body   string
		asked  string
		client = &http.Client{Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
			asked = request.URL.String()
			if status == 0 {
				return nil, errors.New("connection refused")
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: request}, nil
		})}
	)

	BeforeEach(func() {
		pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "foo"}, Status: corev1.PodStatus{PodIP: "fd00::1"}}
		status, body = http.StatusOK, told
	})

	It("should read what the collector tells", func() {
		metrics, err := Read(ctx, client, pod)
		Expect(err).NotTo(HaveOccurred())
		Expect(asked).To(Equal("http://[fd00::1]:8888/metrics"))
		Expect(metrics).To(HaveValue(Equal(Metrics{
			Uptime:   86500 * time.Millisecond,
			Accepted: 4956,
			Refused:  1416,
			Filtered: map[string]float64{"filter/prometheus-garden-1": 20},
			Exporters: map[string]Exporter{
				"otlp_http/prometheus-garden-0": {QueueCapacity: 1.68e8, Sent: 6372, SendFailed: 12},
				"otlp_http/prometheus-garden-1": {QueueSize: 7080, InFlight: 4, QueueCapacity: 1.68e8, Sent: 4956, EnqueueFailed: 1416},
			},
		})))
	})

	DescribeTable("should say which pod it could not ask, and why", func(change func(), reason string) {
		change()
		_, err := Read(ctx, client, pod)
		Expect(err).To(MatchError(And(ContainSubstring("pod garden/foo"), ContainSubstring(reason))))
	},
		Entry("no address", func() { pod.Status.PodIP = "" }, "no address"),
		Entry("no answer", func() { status = 0 }, "connection refused"),
		Entry("another status", func() { status = http.StatusNotFound }, "status 404"),
		Entry("something else than metrics", func() { body = "<html>" }, "cannot be read"),
		Entry("an answer without an end", func() { body = strings.Repeat("# a comment that never ends\n", 1<<20) }, "unexpected end"),
	)
})

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
