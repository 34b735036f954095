// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector

import (
	"fmt"
	"strings"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// DefaultSelectors returns the selectors by which the garden Prometheus federates from the aggregate Prometheus of a seed.
// They are those of Gardener's own ScrapeConfig (pkg/component/observability/monitoring/prometheus/garden/scrapeconfigs.go);
// a test compares them with it.
func DefaultSelectors() []string {
	return []string{
		`{__name__=~"seed:(.+):count"}`,
		`{__name__=~"seed:(.+):sum"}`,
		`{__name__=~"seed:(.+):sum_cp"}`,
		`{__name__=~"seed:(.+):sum_by_pod",namespace=~"extension-(.+)"}`,
		`{__name__=~"seed:(.+):sum_by_container",__name__!="seed:kube_pod_container_status_restarts_total:sum_by_container",container="kube-apiserver"}`,
		`{__name__=~"shoot:(.+):(.+)",__name__!="shoot:apiserver_storage_objects:sum_by_resource",__name__!="shoot:apiserver_watch_duration:quantile"}`,
		`{__name__="ALERTS"}`,
		`{__name__="shoot:availability"}`,
		`{__name__="prometheus_tsdb_lowest_timestamp"}`,
		`{__name__="prometheus_tsdb_storage_blocks_bytes"}`,
		`{__name__="seed:persistentvolume:inconsistent_size"}`,
		`{__name__="seed:kube_pod_container_status_restarts_total:max_by_namespace"}`,
		`{__name__=~"metering:.+:(sum_by_namespace|sum_by_instance_type)"}`,
		`{__name__="kube_node_spec_taint"}`,
	}
}

const (
	metricsPath       = "/federate"
	parameterSelector = "match[]"
	honorLabels       = true
	honorTimestamps   = false

	labelAlertName      = "alertname"
	labelShootAlertName = "shoot_alertname"
	labelJob            = "job"
	labelInstance       = "instance"

	// The receiver turns `job` and `instance` into the identity of an OTLP resource, invents an `instance` where there is
	// none, and makes a resource of every pair. So both labels travel under other names, and all series share one resource, but
	// for those with labels of a scope.
	carriedJob      = "otel_federation_job"
	carriedInstance = "otel_federation_instance"
	sharedResource  = "otel-federation"

	// The receiver takes labels with the prefix `otel_scope_` for the instrumentation scope and removes them. So they travel
	// under another prefix, and series that have any share a resource of their own, by which they are found.
	scopePrefix          = "otel_scope_"
	carriedScopePrefix   = "otel_federation_scope_"
	labelScoped          = "otel_federation_scoped"
	sharedScopedResource = "otel-federation-scoped"

	// externalLabelSeparator is between the two constants.ExternalLabels in the `instance` of the shared resources.
	externalLabelSeparator = ";"
	externalLabelPart      = "[^" + externalLabelSeparator + "]*"
)

// metricRelabelConfigs returns the relabelling of the scraped series: what Gardener's ScrapeConfig does, then the exchange
// of `job`, `instance` and `otel_scope_*` described above. It does not apply to `up` and the other series that the receiver itself makes.
// It costs nothing per sample, because the receiver remembers what became of a series.
func metricRelabelConfigs() []any {
	return []any{
		copyLabel(labelAlertName, labelShootAlertName),
		copyLabel(labelJob, carriedJob),
		copyLabel(labelInstance, carriedInstance),
		setLabel(labelJob, sharedResource),
		setLabel(labelInstance, sharedResource),
		// The collector expands `$` in its configuration.
		mapLabels(scopePrefix+"(.+)", carriedScopePrefix+"$$1"),
		mapLabels(scopePrefix+".+", labelScoped),
		map[string]any{"source_labels": []any{labelScoped}, "regex": ".+", "target_label": labelJob, "replacement": sharedScopedResource},
		dropLabels(scopePrefix + ".+|" + labelScoped),
	}
}

// leaveOutCommonLabels returns the relabelling that takes out of the series what nearly all of a seed have in common. The fan-out adds `seed`, and
// a `job` where there is none (pkg/component/gardencollector). The external labels are moved into the `instance` of the shared resource, so that
// there is one resource for all series with the same ones, and stay where they are in series with the separator in one of them.
func leaveOutCommonLabels() []any {
	const external = externalLabelPart + externalLabelSeparator + externalLabelPart

	relabelConfigs := []any{
		dropLabels(constants.LabelSeed),
		removeLabel(carriedJob, carriedJob, constants.JobPrometheusAggregate),
		map[string]any{
			"source_labels": []any{constants.ExternalLabelPrometheus, constants.ExternalLabelReplica},
			"separator":     externalLabelSeparator,
			"regex":         "(" + external + ")",
			"target_label":  labelInstance,
		},
	}
	for _, label := range constants.ExternalLabels() {
		relabelConfigs = append(relabelConfigs, removeLabel(label, labelInstance, external))
	}
	return relabelConfigs
}

// externalLabelsPattern is a regular expression that finds the external labels in the `instance` that leaveOutCommonLabels makes.
func externalLabelsPattern() string {
	groups := make([]string, 0, len(constants.ExternalLabels()))
	for _, label := range constants.ExternalLabels() {
		groups = append(groups, fmt.Sprintf("(?P<%s>%s)", label, externalLabelPart))
	}
	return "^" + strings.Join(groups, externalLabelSeparator)
}

func copyLabel(from, to string) map[string]any {
	return map[string]any{"source_labels": []any{from}, "target_label": to}
}

// removeLabel removes a label of series whose label `source` matches.
func removeLabel(name, source, regex string) map[string]any {
	return map[string]any{"source_labels": []any{source}, "regex": regex, "target_label": name, "replacement": ""}
}

func mapLabels(regex, to string) map[string]any {
	return map[string]any{"action": "labelmap", "regex": regex, "replacement": to}
}

func dropLabels(regex string) map[string]any {
	return map[string]any{"action": "labeldrop", "regex": regex}
}

func setLabel(name, value string) map[string]any {
	return map[string]any{"target_label": name, "replacement": value}
}
