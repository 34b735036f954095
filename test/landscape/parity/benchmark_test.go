// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

// BenchmarkCompare compares as many series as a large seed has, spread over the selectors like there, or all in one answer, and all
// equal or all broken. It reports the most memory that the process got from the system, which includes that of the fake Prometheis:
// these have their answers ready.
func BenchmarkCompare(b *testing.B) {
	const series = 70000
	for _, answers := range []int{14, 1} {
		for _, broken := range []bool{false, true} {
			b.Run(fmt.Sprintf("answers=%d/broken=%t", answers, broken), func(b *testing.B) {
				o := parity.Options{At: at, Seeds: []string{"one"}, IgnoreExtraNames: true}
				pull, push := map[string][]timeSeries{}, map[string][]timeSeries{}
				for i := range answers {
					query := fmt.Sprintf(`{answer="%d"}`, i)
					o.Selectors = append(o.Selectors, query)
					for j := range series / answers {
						labels := []string{
							"namespace", fmt.Sprintf("shoot--project%d--cluster", j%1000), "pod", fmt.Sprintf("kube-apiserver-5d9f8c7b6-%d", j),
							"container", "kube-apiserver", "seed", "one", "job", "cadvisor", "prometheus", "garden/aggregate", "prometheus_replica", "prometheus-aggregate-0",
						}
						name := fmt.Sprintf("shoot:container_%d_seconds:sum_by_container", i)
						pull[query] = append(pull[query], ts("123.456 123.456 123.456 123.456 123.456 123.456", name, labels...))
						if broken {
							labels = append(labels, "instance", "prometheus-aggregate", "service_name", fmt.Sprint(j))
						}
						push[query] = append(push[query], ts("123.456 123.456 123.456 123.456 123.456 123.456", name, labels...))
					}
				}
				pullPrometheus, pushPrometheus := prepare(b, pull), prepare(b, push)
				clear(pull)
				clear(push)
				runtime.GC()

				b.ReportAllocs()
				for b.Loop() {
					if _, err := parity.Compare(b.Context(), pullPrometheus, pushPrometheus, o); err != nil {
						b.Fatal(err)
					}
				}
				total := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
				metrics.Read(total)
				b.ReportMetric(float64(total[0].Value.Uint64())/1e6, "MB-total")
			})
		}
	}
}

// prepare returns a Prometheus that has its answers ready.
func prepare(b *testing.B, series map[string][]timeSeries) *landscape.Prometheus {
	ready := map[string][]byte{}
	for query, all := range series {
		matrix := model.Matrix{}
		for _, one := range all {
			matrix = append(matrix, one.stream(at.Add(-5*interval), interval))
		}
		recorder := httptest.NewRecorder()
		answer(recorder, "matrix", matrix)
		ready[query] = recorder.Body.Bytes()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(ready[r.FormValue("query")])
	}))
	b.Cleanup(server.Close)
	return &landscape.Prometheus{Name: "benchmark", URL: server.URL}
}
