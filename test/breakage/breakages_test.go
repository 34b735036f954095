// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package breakage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

const (
	pipeline = "metrics"
	// plainFamily has nothing special but that it has neither job nor instance.
	plainFamily = "shoot:a:b"
)

// changedByProcessor changes what processors and exporters of a collector might well change: long values and many labels are
// cut off, characters and floats are replaced, labels and metrics are renamed.
func changedByProcessor() breakage {
	return breakage{
		seedCollector: func(config *otelv1beta1.Config) {
			addProcessor(config, "transform/broken", map[string]any{"metric_statements": []any{
				map[string]any{"statements": []any{
					`replace_all_patterns(datapoint.attributes, "value", "[^ -~]", "?")`,
					`replace_all_patterns(datapoint.attributes, "value", "[$${}]", "?")`,
					`replace_all_patterns(datapoint.attributes, "value", "^( .*|[0-9.]+|true)$", "x$${1}") where IsMatch(metric.name, "corpus:(shapes|label_values_)")`,
					`replace_all_patterns(datapoint.attributes, "key", "^(le|quantile|empty|other|exported_.*|_.*|.*__.*|.*_|key_.*|upper|UPPER|l0|service_.*|target_info)$", "x_$${1}")`,
					`truncate_all(datapoint.attributes, 1000)`,
					`limit(datapoint.attributes, 40, ["seed"])`,
					`set(datapoint.value_double, 0.0) where datapoint.value_double > 1000000000000000.0 or datapoint.value_double < -1000000000000000.0`,
				}},
				map[string]any{"statements": []any{
					`replace_pattern(metric.name, "^(.*_(total|bucket|sum|count|info|created|seconds|milliseconds|bytes|ratio|percent)(:.*)?)$", "$${1}_x")`,
				}},
			}})
		},
		families: []string{
			"ALERTS",
			"shoot:corpus:label_values_utf8", "shoot:corpus:label_values_escaped", "shoot:corpus:label_values_space",
			"shoot:corpus:label_values_syntax", "shoot:corpus:label_values_typed", "shoot:corpus:label_values_long",
			"shoot:corpus:label_values_empty", "shoot:corpus:labels_many",
			"shoot:corpus:le", "shoot:corpus:quantile", "shoot:corpus:exported_labels", "shoot:corpus:labels_underscores",
			"shoot:corpus:labels_leading_underscore", "shoot:corpus:labels_leading_underscores", "shoot:corpus:labels_reserved",
			"shoot:corpus:labels_case", "shoot:corpus:labels_digits", "shoot:corpus:resource_attributes", "shoot:corpus:label_target_info",
			"shoot:corpus:values",
			"shoot:foo:rate_total", "shoot:foo:latency_bucket", "shoot:foo:latency_sum", "shoot:foo:latency_count",
			"shoot:foo:build_info", "shoot:foo:build_created", "shoot:foo:size_bytes", "shoot:foo:size_ratio", "shoot:foo:uptime_seconds",
			"shoot:foo:latency_milliseconds", "shoot:foo:usage_percent", "shoot:foo:latency",
			"seed:target_info:count", "shoot:otel_scope_info:sum", "seed:foo_seconds_total:sum", "shoot:foo_info:count",
		},
		intact: []string{plainFamily, "shoot:corpus:instances", "shoot:corpus:otel_scope"},
	}
}

// withoutExchange is a collector that leaves it to the receiver what becomes of job, instance and the labels of a scope.
func withoutExchange() breakage {
	return breakage{
		seedCollector: func(config *otelv1beta1.Config) {
			scrape := scrapeConfig(config)
			scrape["metric_relabel_configs"] = scrape["metric_relabel_configs"].([]any)[:1]
		},
		families: []string{
			plainFamily, "shoot:a:b:c", "shoot::b:c::d", "shoot:UPPER:CamelCase", "seed::count:count", "seed:with:several:colons:count",
			"shoot:corpus:plain", "shoot:corpus:job_only", "shoot:corpus:instances", "shoot:corpus:jobs",
			"shoot:corpus:otel_scope", "shoot:corpus:seed_own", "shoot:corpus:seed_empty", "shoot:corpus:external_labels",
		},
		intact: []string{"shoot:corpus:job_and_instance", "shoot:corpus:job_of_federation"},
	}
}

// withoutRelabelling is a scrape configuration that does not copy the names of alerts.
func withoutRelabelling() breakage {
	return breakage{
		seedCollector: func(config *otelv1beta1.Config) {
			scrape := scrapeConfig(config)
			scrape["metric_relabel_configs"] = scrape["metric_relabel_configs"].([]any)[1:]
		},
		families: []string{"ALERTS", "shoot:corpus:shoot_alertname"},
		intact:   []string{plainFamily, "shoot:corpus:instances", "shoot:corpus:labels_underscores"},
	}
}

// withoutHonoringLabels is a scrape configuration by which the labels of the target win.
func withoutHonoringLabels() breakage {
	return breakage{
		seedCollector: func(config *otelv1beta1.Config) { scrapeConfig(config)["honor_labels"] = false },
		families: []string{
			"shoot:corpus:job_and_instance", "shoot:corpus:job_only", "shoot:corpus:instance_only", "shoot:corpus:job_of_federation",
			"prometheus_tsdb_lowest_timestamp", "prometheus_tsdb_storage_blocks_bytes", "kube_node_spec_taint",
		},
		intact: []string{"up", "scrape_samples_scraped"},
	}
}

// withoutStripping leaves the attributes that the receiver has given to the resources.
func withoutStripping() breakage {
	return breakage{
		seedCollector: func(config *otelv1beta1.Config) {
			groups := config.Processors.Object["transform/resource"].(map[string]any)["metric_statements"].([]any)
			resource := groups[1].(map[string]any)
			resource["statements"] = resource["statements"].([]any)[1:]
		},
		gardenCollectors: func(config *otelv1beta1.Config) { removeProcessor(config, "transform/resource") },
		families:         []string{"target_info"},
		intact:           []string{plainFamily, "ALERTS", "shoot:corpus:instances"},
	}
}

// withoutSelectors asks for the series of shoots only.
func withoutSelectors() breakage {
	return breakage{
		seedCollector: func(config *otelv1beta1.Config) {
			params := scrapeConfig(config)["params"].(map[string]any)
			params["match[]"] = slices.DeleteFunc(params["match[]"].([]any), func(selector any) bool {
				return !strings.HasPrefix(selector.(string), `{__name__=~"shoot:`)
			})
		},
		families: []string{
			"seed:reqs:count", "seed:x:sum", "seed:x:sum_cp", "seed:x:sum_by_pod", "seed:x:sum_by_container", "ALERTS", "shoot:availability",
			"prometheus_tsdb_lowest_timestamp", "prometheus_tsdb_storage_blocks_bytes", "seed:persistentvolume:inconsistent_size",
			"seed:kube_pod_container_status_restarts_total:max_by_namespace", "metering:cpu_requests:sum_by_namespace",
			"metering:machines:sum_by_instance_type", "kube_node_spec_taint", "scrape_samples_scraped",
		},
		intact: []string{plainFamily, "shoot:corpus:shapes"},
	}
}

// withTranslation is a garden Prometheus with the default of OTLP's translation.
func withTranslation() breakage {
	return breakage{
		gardenPrometheus: func(prometheus *monitoringv1.Prometheus) {
			prometheus.Spec.OTLP.TranslationStrategy = new(monitoringv1.UnderscoreEscapingWithSuffixes)
		},
		families: []string{
			"shoot:double__underscore:_leading_", "shoot:corpus:labels_leading_underscore", "seed:corpus.requests:count", "shoot:größe:sum",
		},
		intact: []string{plainFamily, "ALERTS", "shoot:corpus:instances", "shoot:corpus:label_values_escaped"},
	}
}

// withoutStamping is a fan-out that stores the series of all seeds under the name of one that nobody knows.
func withoutStamping() breakage {
	return breakage{
		gardenCollectors: func(config *otelv1beta1.Config) {
			config.Processors.Object["attributes/seed"] = map[string]any{"actions": []any{map[string]any{
				"action": "upsert", "key": constants.LabelSeed, "value": "nobody",
			}}}
		},
		families: []string{"up", "shoot:corpus:seed_own", "shoot:corpus:seed_foreign", "shoot:corpus:seed_empty"},
	}
}

// withoutStaleness drops the markers of staleness.
func withoutStaleness() breakage {
	return breakage{
		seedCollector: func(config *otelv1beta1.Config) {
			addProcessor(config, "filter/broken", map[string]any{"metric_conditions": []any{`datapoint.flags == FLAG_NO_RECORDED_VALUE`}})
		},
		changes:  &corpus.Changes{Hide: []corpus.Matcher{{model.MetricNameLabel: plainFamily}}},
		families: []string{plainFamily},
		intact:   []string{"ALERTS", "shoot:a:b:c"},
	}
}

func scrapeConfig(config *otelv1beta1.Config) map[string]any {
	receiver := config.Receivers.Object["prometheus"].(map[string]any)["config"].(map[string]any)
	return receiver["scrape_configs"].([]any)[0].(map[string]any)
}

// addProcessor adds a processor behind all others.
func addProcessor(config *otelv1beta1.Config, name string, processor map[string]any) {
	config.Processors.Object[name] = processor
	config.Service.Pipelines[pipeline].Processors = append(config.Service.Pipelines[pipeline].Processors, name)
}

func removeProcessor(config *otelv1beta1.Config, name string) {
	delete(config.Processors.Object, name)
	config.Service.Pipelines[pipeline].Processors = slices.DeleteFunc(config.Service.Pipelines[pipeline].Processors, func(other string) bool { return other == name })
}

// expectFederatedAnew waits until the collector of the seed has scraped all series twice from now on.
func expectFederatedAnew(ctx context.Context) {
	started := time.Now()
	Eventually(func(g Gomega) {
		samples, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf(`timestamp(up{job=%q,seed=%q}) > %d`, constants.JobPrometheusAggregate, seed, started.Add(2*ls.ScrapeInterval).Unix()))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(samples).To(HaveLen(1))
	}).Should(Succeed())
}
