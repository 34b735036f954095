// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// change changes the collector of a role that this extension deploys.
type change struct {
	role   Role
	change func(*otelv1beta1.OpenTelemetryCollector) error
}

// apply applies the changes for a role.
func apply(changes []change, role Role, rendered *otelv1beta1.OpenTelemetryCollector) error {
	for _, c := range changes {
		if c.role != role {
			continue
		}
		if err := c.change(rendered); err != nil {
			return fmt.Errorf("failed to change %s: %w", rendered.Name, err)
		}
	}
	return nil
}

// variants are this extension with other settings, to compare them with its own in the same run. They are measured only if they are named.
var variants = []way{
	{name: "extension-1MiB", title: "up to 1 MiB in a request", start: startExtension(exporters(RoleSender, int64(1<<20), "sending_queue", "batch", "max_size"))},
	{name: "extension-3MiB", title: "up to 3 MiB in a request", start: startExtension(exporters(RoleSender, int64(3<<20), "sending_queue", "batch", "max_size"))},
	{name: "extension-items", title: "up to 16,000 samples in a request, whatever their size", start: startExtension(
		exporters(RoleSender, collector.SizerItems, "sending_queue", "batch", "sizer"), exporters(RoleSender, int64(16_000), "sending_queue", "batch", "max_size"))},
	{name: "extension-zstd-1", title: "zstd, level 1", start: startExtension(exporters(RoleSender, int64(1), "compression_params", "level"))},
	{name: "extension-zstd-6", title: "zstd, level 6", start: startExtension(exporters(RoleSender, int64(6), "compression_params", "level"))},
	{name: "extension-zstd-11", title: "zstd, level 11", start: startExtension(exporters(RoleSender, int64(11), "compression_params", "level"))},
	{name: "extension-all-labels", title: "all labels travel with each series", start: startExtension(allLabels())},
	{name: "extension-8000", title: "up to 8,000 samples in a request to Prometheus", start: startExtension(exporters(RoleFanOut, int64(8_000), "sending_queue", "batch", "max_size"))},
	{name: "extension-one-consumer", title: "fan-out with one consumer for each queue", start: startExtension(exporters(RoleFanOut, int64(1), "sending_queue", "num_consumers"))},
	{name: "extension-memory", title: "queues in memory", start: startExtension(withoutStorage(RoleSender), withoutStorage(RoleFanOut))},
	{name: "extension-gogc-50", title: "GOGC=50", start: startExtension(environment(RoleSender, "GOGC", "50"), environment(RoleFanOut, "GOGC", "50"))},
	{name: "extension-gogc-200", title: "GOGC=200", start: startExtension(environment(RoleSender, "GOGC", "200"), environment(RoleFanOut, "GOGC", "200"))},
	{name: "extension-gomemlimit", title: "GOMEMLIMIT=150MiB, 100MiB in the fan-out", start: startExtension(environment(RoleSender, "GOMEMLIMIT", "150MiB"), environment(RoleFanOut, "GOMEMLIMIT", "100MiB"))},
	{name: "extension-2Gi", title: "memory limit of 2Gi for the seed collector", start: startExtension(memoryLimit(RoleSender, "2Gi"))},
	{name: "extension-protobuf", title: "/federate in protobuf", start: startExtension(scrapeConfig("scrape_protocols", []any{"PrometheusProto"}))},
	{name: "extension-one-selector", title: "one selector instead of 14, for all names", start: startExtension(scrapeConfig("params", map[string]any{"match[]": []any{
		`{__name__=~"seed:.+|shoot:.+|metering:.+|ALERTS|kube_node_spec_taint|prometheus_tsdb_lowest_timestamp|prometheus_tsdb_storage_blocks_bytes"}`,
	}}))},
	{name: "extension-plain", title: "/federate without compression", start: startExtension(scrapeConfig("enable_compression", false))},
}

// exporters sets a field of all exporters of a collector.
func exporters(role Role, value any, path ...string) change {
	return change{role: role, change: func(rendered *otelv1beta1.OpenTelemetryCollector) error {
		for name, config := range rendered.Spec.Config.Exporters.Object {
			fields, ok := config.(map[string]any)
			if !ok {
				return fmt.Errorf("exporter %s has no fields", name)
			}
			if err := unstructured.SetNestedField(fields, value, path...); err != nil {
				return fmt.Errorf("exporter %s: %w", name, err)
			}
		}
		return nil
	}}
}

// withoutStorage keeps the queues of a collector in memory.
func withoutStorage(role Role) change {
	return change{role: role, change: func(rendered *otelv1beta1.OpenTelemetryCollector) error {
		for name, config := range rendered.Spec.Config.Exporters.Object {
			fields, ok := config.(map[string]any)
			if !ok {
				return fmt.Errorf("exporter %s has no fields", name)
			}
			unstructured.RemoveNestedField(fields, "sending_queue", "storage")
		}
		return nil
	}}
}

// environment sets a variable of a collector.
func environment(role Role, name, value string) change {
	return change{role: role, change: func(rendered *otelv1beta1.OpenTelemetryCollector) error {
		rendered.Spec.Env = slices.DeleteFunc(rendered.Spec.Env, func(variable corev1.EnvVar) bool { return variable.Name == name })
		rendered.Spec.Env = append(rendered.Spec.Env, corev1.EnvVar{Name: name, Value: value})
		return nil
	}}
}

// memoryLimit gives a collector another memory limit, and all that derives from it.
func memoryLimit(role Role, limit string) change {
	return change{role: role, change: func(rendered *otelv1beta1.OpenTelemetryCollector) error {
		before, after := rendered.Spec.Resources.Limits[corev1.ResourceMemory], resource.MustParse(limit)
		resources := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: after}}
		rendered.Spec.Config.Processors.Object[collector.MemoryLimiterProcessor] = collector.MemoryLimiter(resources)

		i := slices.IndexFunc(rendered.Spec.Env, func(variable corev1.EnvVar) bool { return variable.Name == "GOMEMLIMIT" })
		if i < 0 {
			return errors.New("there is no variable GOMEMLIMIT")
		}
		bytes, err := strconv.ParseInt(rendered.Spec.Env[i].Value, 10, 64)
		if err != nil {
			return fmt.Errorf("GOMEMLIMIT is not a number of bytes: %w", err)
		}
		rendered.Spec.Env[i].Value = strconv.FormatInt(bytes*after.Value()/before.Value(), 10)
		return nil
	}}
}

// scrapeConfig sets a field of the scrape of the aggregate Prometheus.
func scrapeConfig(field string, value any) change {
	return changeScrapeConfig(func(config map[string]any) error {
		config[field] = value
		return nil
	})
}

// allLabels takes the relabelling away by which labels that all series have in common do not travel with each of them.
func allLabels() change {
	const field = "metric_relabel_configs"
	first := map[string]any{"action": "labeldrop", "regex": constants.LabelSeed}

	return changeScrapeConfig(func(config map[string]any) error {
		relabelConfigs, _ := config[field].([]any)
		i := slices.IndexFunc(relabelConfigs, func(one any) bool { return reflect.DeepEqual(one, first) })
		if i < 0 {
			return fmt.Errorf("%s of receiver prometheus has no %v", field, first)
		}
		config[field] = relabelConfigs[:i]
		return nil
	})
}

// changeScrapeConfig changes the scrape of the aggregate Prometheus.
func changeScrapeConfig(by func(config map[string]any) error) change {
	return change{role: RoleSender, change: func(rendered *otelv1beta1.OpenTelemetryCollector) error {
		receiver, ok := rendered.Spec.Config.Receivers.Object["prometheus"].(map[string]any)
		if !ok {
			return errors.New("there is no receiver prometheus")
		}
		configs, found, err := unstructured.NestedSlice(receiver, "config", "scrape_configs")
		if err != nil {
			return fmt.Errorf("failed to read the scrape_configs of receiver prometheus: %w", err)
		}
		if !found {
			return errors.New("receiver prometheus has no scrape_configs")
		}
		for _, config := range configs {
			fields, ok := config.(map[string]any)
			if !ok {
				return errors.New("a scrape_config of receiver prometheus has no fields")
			}
			if err := by(fields); err != nil {
				return err
			}
		}
		return unstructured.SetNestedSlice(receiver, configs, "config", "scrape_configs")
	}}
}
