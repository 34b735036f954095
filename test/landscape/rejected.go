// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package landscape

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// otlpHandler is the handler of Prometheus that receives OTLP (web/api/v1/api.go).
const otlpHandler = "/api/v1/otlp/v1/metrics"

// rejectedByPrometheus are the counters of Prometheus for samples that it did not store.
var rejectedByPrometheus = []string{
	"prometheus_target_scrapes_sample_duplicate_timestamp_total",
	"prometheus_target_scrapes_sample_out_of_order_total",
	"prometheus_target_scrapes_sample_out_of_bounds_total",
	"prometheus_tsdb_out_of_order_samples_total",
	"prometheus_tsdb_out_of_bound_samples_total",
	"prometheus_tsdb_too_old_samples_total",
}

// rejectedByCollector are the counters of the collectors for samples that were not passed on. A collector has a counter only
// once it has counted something.
var rejectedByCollector = []string{
	"otelcol_exporter_enqueue_failed_metric_points",
	"otelcol_exporter_send_failed_metric_points",
	"otelcol_receiver_failed_metric_points",
	"otelcol_receiver_refused_metric_points",
	"otelcol_processor_memory_limiter_refused_metric_points",
}

// Rejections returns the counters of both garden Prometheis and of all collectors that tell of samples which did not arrive,
// as far as they are not 0. Those of a collector begin anew with its pod.
func (l *Landscape) Rejections(ctx context.Context) (map[string]float64, error) {
	rejections := map[string]float64{}
	for _, replica := range GardenReplicas {
		families, err := l.prometheis[replica].Metrics(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range rejectedByPrometheus {
			if families[name] == nil {
				return nil, fmt.Errorf("Prometheus %s has no metric %s: has it been renamed?", replica, name)
			}
			add(rejections, replica, families[name])
		}
		requests := families["prometheus_http_requests_total"]
		addWhere(rejections, replica, requests, func(labels map[string]string) bool {
			return labels["handler"] == otlpHandler && labels["code"] != "200"
		})
	}

	for _, c := range l.Seeds() {
		pods := &corev1.PodList{}
		if err := l.clients[c.Name].List(ctx, pods, client.InNamespace(gardener.Namespace)); err != nil {
			return nil, fmt.Errorf("failed to list the pods of cluster %s: %w", c.Name, err)
		}
		for _, pod := range pods.Items {
			if app := pod.Labels["app"]; app != constants.SeedCollectorName && app != constants.GardenCollectorName {
				continue
			}
			families, err := l.PodMetrics(ctx, c.Name, pod.Name, collector.MetricsPort)
			if err != nil {
				return nil, err
			}
			for _, name := range rejectedByCollector {
				add(rejections, c.Name+"/"+pod.Name, families[name])
				add(rejections, c.Name+"/"+pod.Name, families[name+"_total"])
			}
		}
	}
	return rejections, nil
}

func add(to map[string]float64, where string, family *dto.MetricFamily) {
	addWhere(to, where, family, func(map[string]string) bool { return true })
}

func addWhere(to map[string]float64, where string, family *dto.MetricFamily, matches func(map[string]string) bool) {
	for _, metric := range family.GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		value := metric.GetCounter().GetValue() + metric.GetUntyped().GetValue()
		if value == 0 || !matches(labels) {
			continue
		}
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", name, labels[name]))
		}
		to[fmt.Sprintf("%s: %s{%s}", where, family.GetName(), strings.Join(pairs, ","))] = value
	}
}
