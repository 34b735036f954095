// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector

import (
	"fmt"
	"path"
	"strings"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	receiver            = "prometheus"
	exporter            = "otlp_http/garden"
	authenticator       = "bearertokenauth"
	processorResource   = "transform/resource"
	processorAttributes = "attributes/identity"
	pipeline            = "metrics"

	// aggregateTarget is the Service of the aggregate Prometheus.
	aggregateTarget = "prometheus-aggregate:80"

	// maxRequest is the size in bytes, before compression, of the largest request to the garden. It is measured in bytes because the garden refuses
	// for good what is larger than it accepts (maxRequestBody in pkg/component/gardencollector), however long the labels are. Smaller requests cost
	// the fan-out less, whose queues write what is there several times; larger ones are compressed better (docs/operations/capacity.md).
	maxRequest = 2 << 20
	// consumers is one, so that samples arrive in the order in which they were scraped.
	consumers = 1

	sendTimeout      = 30 * time.Second
	maxRetryInterval = 5 * time.Second
)

func (s *seedCollector) config() otelv1beta1.Config {
	extensions, extensionNames := collector.Extensions(s.values.Queue)
	extensions[authenticator] = map[string]any{"filename": path.Join(credentialsDirectory, constants.DataKeyToken)}

	exporters := map[string]any{exporter: s.exporter()}
	exporterNames := []string{exporter}
	if s.values.DebugExporter {
		exporters[collector.DebugExporter] = collector.Debug()
		exporterNames = append(exporterNames, collector.DebugExporter)
	}

	return otelv1beta1.Config{
		Extensions: &otelv1beta1.AnyConfig{Object: extensions},
		Receivers:  otelv1beta1.AnyConfig{Object: map[string]any{receiver: s.receiver()}},
		Processors: &otelv1beta1.AnyConfig{Object: map[string]any{
			collector.MemoryLimiterProcessor: collector.MemoryLimiter(s.values.Resources),
			processorResource:                resourceProcessor(),
			processorAttributes:              attributesProcessor(),
		}},
		Exporters: otelv1beta1.AnyConfig{Object: exporters},
		Service: otelv1beta1.Service{
			Extensions: append(extensionNames, authenticator),
			Telemetry:  &otelv1beta1.AnyConfig{Object: collector.Telemetry()},
			Pipelines: map[string]*otelv1beta1.Pipeline{pipeline: {
				Receivers:  []string{receiver},
				Processors: []string{collector.MemoryLimiterProcessor, processorResource, processorAttributes},
				Exporters:  exporterNames,
			}},
		},
	}
}

// receiver reproduces the ScrapeConfig by which the garden Prometheus pulls from the aggregate Prometheus. The target's own
// `job` and `instance` are set as labels, so that `up` and `scrape_*`, which pass no relabelling, are those of pull.
func (s *seedCollector) receiver() map[string]any {
	selectors := make([]any, 0, len(s.values.Selectors))
	for _, selector := range s.values.Selectors {
		selectors = append(selectors, literal(selector))
	}

	relabelConfigs := metricRelabelConfigs()
	if !s.values.Destination.AllLabels {
		relabelConfigs = append(relabelConfigs, leaveOutCommonLabels()...)
	}

	return map[string]any{
		"config": map[string]any{
			"scrape_configs": []any{map[string]any{
				"job_name":               constants.JobPrometheusAggregate,
				"scrape_interval":        model.Duration(s.values.ScrapeInterval).String(),
				"scrape_timeout":         model.Duration(s.values.ScrapeTimeout).String(),
				"honor_labels":           honorLabels,
				"honor_timestamps":       honorTimestamps,
				"metrics_path":           metricsPath,
				"params":                 map[string]any{parameterSelector: selectors},
				"metric_relabel_configs": relabelConfigs,
				"static_configs": []any{map[string]any{
					"targets": []any{aggregateTarget},
					"labels":  map[string]any{labelInstance: literal(s.values.Destination.Instance)},
				}},
			}},
		},
	}
}

// literal keeps the collector from expanding what looks like a variable in its configuration.
func literal(text string) string {
	return strings.ReplaceAll(text, "$", "$$")
}

// resourceProcessor gives series their labels `otel_scope_*` back, and strips the resources. The shared resources lose their
// identity, so that Prometheus adds no `job` and `instance` of its own, and get the external labels of their series; the resource of `up` and
// `scrape_*` keeps its identity and nothing else. A resource with an identity and a further attribute would become a series `target_info`,
// which pull does not have.
func resourceProcessor() map[string]any {
	const (
		jobAttribute      = `resource.attributes["service.name"]`
		instanceAttribute = `resource.attributes["service.instance.id"]`
	)
	isShared := fmt.Sprintf("%[1]s == %[2]q or %[1]s == %[3]q", jobAttribute, sharedResource, sharedScopedResource)

	return map[string]any{
		"error_mode": "propagate",
		// Two groups, because all statements of a group run for each sample if one of them does.
		"metric_statements": []any{
			map[string]any{"statements": []any{
				fmt.Sprintf(`replace_all_patterns(datapoint.attributes, "key", %q, %q) where %s == %q`, "^"+carriedScopePrefix, scopePrefix, jobAttribute, sharedScopedResource),
			}},
			map[string]any{"statements": []any{
				`keep_keys(resource.attributes, ["service.name", "service.instance.id"])`,
				fmt.Sprintf(`merge_maps(resource.attributes, ExtractPatterns(%s, %q), "upsert") where %s`, instanceAttribute, externalLabelsPattern(), isShared),
				fmt.Sprintf(`keep_keys(resource.attributes, ["%s"]) where %s`, strings.Join(constants.ExternalLabels(), `", "`), isShared),
			}},
		},
	}
}

// attributesProcessor gives the series their `job` and `instance` back.
func attributesProcessor() map[string]any {
	return map[string]any{
		"actions": []any{
			map[string]any{"action": "upsert", "key": labelJob, "from_attribute": carriedJob},
			map[string]any{"action": "delete", "key": carriedJob},
			map[string]any{"action": "upsert", "key": labelInstance, "from_attribute": carriedInstance},
			map[string]any{"action": "delete", "key": carriedInstance},
		},
	}
}

func (s *seedCollector) exporter() map[string]any {
	config := map[string]any{
		"endpoint":         s.values.Destination.Endpoint,
		"auth":             map[string]any{"authenticator": authenticator},
		"compression":      s.values.Compression,
		"timeout":          sendTimeout.String(),
		"retry_on_failure": collector.RetryForever(maxRetryInterval),
		"sending_queue":    collector.SendingQueue(s.values.Queue, consumers, collector.SizerBytes, maxRequest),
	}

	if s.values.CompressionLevel != nil {
		config["compression_params"] = map[string]any{"level": *s.values.CompressionLevel}
	}

	tls := map[string]any{"min_version": "1.2"}
	if len(s.values.Destination.CABundle) > 0 {
		// Not a file: the collector does not reload it, whereas a change of its configuration replaces the pod.
		tls["ca_pem"] = string(s.values.Destination.CABundle)
	}
	config["tls"] = tls

	return config
}
