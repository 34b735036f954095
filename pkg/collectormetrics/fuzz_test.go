// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectormetrics_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
)

type fuzzAnswer string

// RoundTrip implements http.RoundTripper.
func (a fuzzAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// FuzzRead checks that a collector that tells nonsense does no more harm than an error.
func FuzzRead(f *testing.F) {
	for _, answer := range []string{
		told, "", "\x00", "a", "a{", `a{b="`, "a 1 2 3", "# TYPE a counter\n# TYPE a gauge\na 1\n", "# TYPE otelcol_exporter_queue_size histogram\notelcol_exporter_queue_size_bucket{le=\"+Inf\"} 1\n",
		"otelcol_process_uptime NaN\n", "otelcol_process_uptime +Inf\n", "otelcol_process_uptime 1e300\n", "otelcol_exporter_queue_size{exporter=\"a\",exporter=\"b\"} 1\n",
		"# TYPE otelcol_exporter_queue_size counter\notelcol_exporter_queue_size{exporter=\"a\"} -1\n", "{\"otelcol_process_uptime\",\"a.b\"=\"c\"} 1\n",
	} {
		f.Add(answer)
	}
	pod := &corev1.Pod{Status: corev1.PodStatus{PodIP: "192.0.2.1"}}

	f.Fuzz(func(t *testing.T, answer string) {
		g := NewWithT(t)
		metrics, err := Read(context.Background(), &http.Client{Transport: fuzzAnswer(answer)}, pod)
		if err != nil {
			g.Expect(metrics).To(BeNil())
			return
		}
		for name, filtered := range metrics.Filtered {
			g.Expect(filtered > 0 || math.IsNaN(filtered)).To(BeTrue(), "filtered by %s", name)
		}
	})
}
