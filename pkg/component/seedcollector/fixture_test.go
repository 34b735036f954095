// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector_test

import (
	"crypto/sha256"
	"fmt"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const (
	name     = "otel-federation-seed"
	image    = "collector:v1"
	capacity = int64(8400000)
	caBundle = `-----BEGIN CERTIFICATE-----
MIIBWzCCAQKgAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxzb21lLXRl
c3QtY2EwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBcxFTATBgNV
-----END CERTIFICATE-----
`
)

// variant is a set of values and the change that it makes to the expected collector.
type variant struct {
	name   string
	values func(*Values)
	expect func(obj *otelv1beta1.OpenTelemetryCollector)
	claim  *corev1.PersistentVolumeClaimSpec
}

func defaultValues() Values {
	return Values{
		Image: image,
		Destination: &Destination{
			Endpoint:   "https://otel-federation.ingress.garden.local",
			Instance:   "p-seed.ingress.foo.local",
			SecretName: "otel-federation",
		},
		ScrapeInterval: time.Minute,
		ScrapeTimeout:  50 * time.Second,
		Selectors:      []string{`{__name__=~"shoot:(.+):(.+)"}`, `{__name__="ALERTS"}`},
		Compression:    "zstd",
		Queue:          collectortest.MemoryQueue(capacity),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("50m"), "memory": resource.MustParse("200Mi")},
		},
	}
}

// expectedCollector is the collector for the default values.
func expectedCollector() *otelv1beta1.OpenTelemetryCollector {
	obj := collectortest.OpenTelemetryCollector(name, name, image)
	for _, key := range []string{
		"networking.gardener.cloud/to-dns",
		"networking.gardener.cloud/to-public-networks",
		"networking.gardener.cloud/to-private-networks",
		"networking.resources.gardener.cloud/to-all-istio-ingresses-istio-ingressgateway-tcp-9443",
		"networking.resources.gardener.cloud/to-prometheus-aggregate-tcp-9090",
	} {
		obj.Labels[key] = "allowed"
	}
	obj.Annotations = map[string]string{
		"networking.resources.gardener.cloud/from-all-seed-scrape-targets-allowed-ports": `[{"protocol":"TCP","port":8888}]`,
	}
	obj.Spec.PodAnnotations = map[string]string{
		// The checksum of nothing.
		"otel-federation.extensions.gardener.cloud/ca-bundle": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	}
	obj.Spec.PriorityClassName = "gardener-system-600"
	obj.Spec.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("50m"), "memory": resource.MustParse("200Mi")},
	}
	obj.Spec.Volumes = []corev1.Volume{{
		Name:         "credentials",
		VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "otel-federation"}},
	}}
	obj.Spec.VolumeMounts = []corev1.VolumeMount{{Name: "credentials", MountPath: "/var/run/secrets/otel-federation", ReadOnly: true}}
	obj.Spec.Config = expectedConfig()
	return obj
}

func expectedConfig() otelv1beta1.Config {
	return otelv1beta1.Config{
		Extensions: &otelv1beta1.AnyConfig{Object: collectortest.Extensions("bearertokenauth", map[string]any{
			"filename": "/var/run/secrets/otel-federation/token",
		})},
		Receivers: otelv1beta1.AnyConfig{Object: map[string]any{
			"prometheus": map[string]any{
				"config": map[string]any{"scrape_configs": []any{expectedScrapeConfig()}},
			},
		}},
		Processors: &otelv1beta1.AnyConfig{Object: map[string]any{
			"memory_limiter": map[string]any{"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20},
			"transform/resource": map[string]any{
				"error_mode": "propagate",
				"metric_statements": []any{
					map[string]any{"statements": []any{
						`replace_all_patterns(datapoint.attributes, "key", "^otel_federation_scope_", "otel_scope_") where resource.attributes["service.name"] == "otel-federation-scoped"`,
					}},
					map[string]any{"statements": []any{
						`keep_keys(resource.attributes, ["service.name", "service.instance.id"])`,
						`merge_maps(resource.attributes, ExtractPatterns(resource.attributes["service.instance.id"], "^(?P<prometheus>[^;]*);(?P<prometheus_replica>[^;]*)"), "upsert") where resource.attributes["service.name"] == "otel-federation" or resource.attributes["service.name"] == "otel-federation-scoped"`,
						`keep_keys(resource.attributes, ["prometheus", "prometheus_replica"]) where resource.attributes["service.name"] == "otel-federation" or resource.attributes["service.name"] == "otel-federation-scoped"`,
					}},
				},
			},
			"attributes/identity": map[string]any{
				"actions": []any{
					map[string]any{"action": "upsert", "key": "job", "from_attribute": "otel_federation_job"},
					map[string]any{"action": "delete", "key": "otel_federation_job"},
					map[string]any{"action": "upsert", "key": "instance", "from_attribute": "otel_federation_instance"},
					map[string]any{"action": "delete", "key": "otel_federation_instance"},
				},
			},
		}},
		Exporters: otelv1beta1.AnyConfig{Object: map[string]any{
			"otlp_http/garden": map[string]any{
				"endpoint":    "https://otel-federation.ingress.garden.local",
				"auth":        map[string]any{"authenticator": "bearertokenauth"},
				"tls":         map[string]any{"min_version": "1.2"},
				"compression": "zstd",
				"timeout":     "30s",
				"retry_on_failure": map[string]any{
					"enabled":          true,
					"initial_interval": "1s",
					"max_interval":     "5s",
					"max_elapsed_time": "0s",
				},
				"sending_queue": collectortest.SendingQueue(capacity, 1, "bytes", 2097152),
			},
		}},
		Service: otelv1beta1.Service{
			Extensions: []string{"health_check", "bearertokenauth"},
			Telemetry:  collectortest.Telemetry(),
			Pipelines: map[string]*otelv1beta1.Pipeline{"metrics": {
				Receivers:  []string{"prometheus"},
				Processors: []string{"memory_limiter", "transform/resource", "attributes/identity"},
				Exporters:  []string{"otlp_http/garden"},
			}},
		},
	}
}

func expectedScrapeConfig() map[string]any {
	return map[string]any{
		"job_name":         "prometheus-aggregate",
		"scrape_interval":  "1m",
		"scrape_timeout":   "50s",
		"honor_labels":     true,
		"honor_timestamps": false,
		"metrics_path":     "/federate",
		"params": map[string]any{
			"match[]": []any{`{__name__=~"shoot:(.+):(.+)"}`, `{__name__="ALERTS"}`},
		},
		"metric_relabel_configs": []any{
			map[string]any{"source_labels": []any{"alertname"}, "target_label": "shoot_alertname"},
			map[string]any{"source_labels": []any{"job"}, "target_label": "otel_federation_job"},
			map[string]any{"source_labels": []any{"instance"}, "target_label": "otel_federation_instance"},
			map[string]any{"target_label": "job", "replacement": "otel-federation"},
			map[string]any{"target_label": "instance", "replacement": "otel-federation"},
			map[string]any{"action": "labelmap", "regex": "otel_scope_(.+)", "replacement": "otel_federation_scope_$$1"},
			map[string]any{"action": "labelmap", "regex": "otel_scope_.+", "replacement": "otel_federation_scoped"},
			map[string]any{"source_labels": []any{"otel_federation_scoped"}, "regex": ".+", "target_label": "job", "replacement": "otel-federation-scoped"},
			map[string]any{"action": "labeldrop", "regex": "otel_scope_.+|otel_federation_scoped"},
			map[string]any{"action": "labeldrop", "regex": "seed"},
			map[string]any{"source_labels": []any{"otel_federation_job"}, "regex": "prometheus-aggregate", "target_label": "otel_federation_job", "replacement": ""},
			map[string]any{"source_labels": []any{"prometheus", "prometheus_replica"}, "separator": ";", "regex": "([^;]*;[^;]*)", "target_label": "instance"},
			map[string]any{"source_labels": []any{"instance"}, "regex": "[^;]*;[^;]*", "target_label": "prometheus", "replacement": ""},
			map[string]any{"source_labels": []any{"instance"}, "regex": "[^;]*;[^;]*", "target_label": "prometheus_replica", "replacement": ""},
		},
		"static_configs": []any{map[string]any{
			"targets": []any{"prometheus-aggregate:80"},
			"labels":  map[string]any{"instance": "p-seed.ingress.foo.local"},
		}},
	}
}

func exporterOf(obj *otelv1beta1.OpenTelemetryCollector) map[string]any {
	return obj.Spec.Config.Exporters.Object["otlp_http/garden"].(map[string]any)
}

func scrapeConfigOf(obj *otelv1beta1.OpenTelemetryCollector) map[string]any {
	config := obj.Spec.Config.Receivers.Object["prometheus"].(map[string]any)["config"].(map[string]any)
	return config["scrape_configs"].([]any)[0].(map[string]any)
}

// variants are all variants of a collector that is deployed.
func variants() []variant {
	out := []variant{
		{
			name:   "a CA bundle",
			values: func(v *Values) { v.Destination.CABundle = []byte(caBundle) },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				exporterOf(obj)["tls"] = map[string]any{"min_version": "1.2", "ca_pem": caBundle}
				obj.Spec.PodAnnotations["otel-federation.extensions.gardener.cloud/ca-bundle"] = fmt.Sprintf("%x", sha256.Sum256([]byte(caBundle)))
			},
		},
		{
			name: "another endpoint, instance and Secret",
			values: func(v *Values) {
				v.Destination = &Destination{Endpoint: "https://example.com:8443", Instance: "foo", SecretName: "my-secret"}
			},
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				exporterOf(obj)["endpoint"] = "https://example.com:8443"
				scrapeConfigOf(obj)["static_configs"].([]any)[0].(map[string]any)["labels"] = map[string]any{"instance": "foo"}
				obj.Spec.Volumes[0].Secret.SecretName = "my-secret"
			},
		},
		{
			name:   "all labels of the series",
			values: func(v *Values) { v.Destination.AllLabels = true },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				config := scrapeConfigOf(obj)
				config["metric_relabel_configs"] = config["metric_relabel_configs"].([]any)[:9]
			},
		},
		{
			name:   "the debug exporter",
			values: func(v *Values) { v.DebugExporter = true },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				obj.Spec.Config.Exporters.Object["debug"] = map[string]any{"verbosity": "basic"}
				obj.Spec.Config.Service.Pipelines["metrics"].Exporters = []string{"otlp_http/garden", "debug"}
			},
		},
		{
			name: "a memory limit",
			values: func(v *Values) {
				v.Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("500Mi")}
			},
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				obj.Spec.Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("500Mi")}
				obj.Spec.Env = []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "419430400"}}
				obj.Spec.Config.Processors.Object["memory_limiter"] = map[string]any{"check_interval": "1s", "limit_mib": 400, "spike_limit_mib": 100}
			},
		},
		{
			name: "an interval and a timeout in milliseconds",
			values: func(v *Values) {
				v.ScrapeInterval, v.ScrapeTimeout = 1500*time.Millisecond, 200*time.Millisecond
			},
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				scrapeConfigOf(obj)["scrape_interval"] = "1s500ms"
				scrapeConfigOf(obj)["scrape_timeout"] = "200ms"
			},
		},
		{
			name:   "the default selectors",
			values: func(v *Values) { v.Selectors = DefaultSelectors() },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				scrapeConfigOf(obj)["params"] = map[string]any{"match[]": DefaultSelectors()}
			},
		},
		{
			name:   "a selector with dollars, which the collector would expand",
			values: func(v *Values) { v.Selectors = []string{`{__name__=~"^foo$",bar=~"${HOME}"}`} },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				scrapeConfigOf(obj)["params"] = map[string]any{"match[]": []any{`{__name__=~"^foo$$",bar=~"$${HOME}"}`}}
			},
		},
		{
			name:   "an instance with a dollar",
			values: func(v *Values) { v.Destination.Instance = "${HOME}" },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				scrapeConfigOf(obj)["static_configs"].([]any)[0].(map[string]any)["labels"].(map[string]any)["instance"] = "$${HOME}"
			},
		},
	}

	for _, queue := range collectortest.QueueVariants(capacity) {
		out = append(out, variant{
			name:   "a queue " + queue.Name,
			values: func(v *Values) { v.Queue = queue.Queue },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				queue.Expect(obj, exporterOf(obj)["sending_queue"].(map[string]any))
			},
			claim: queue.Claim,
		})
	}

	return append(out, compressionVariants()...)
}

func compressionVariants() []variant {
	var out []variant

	for _, compression := range []struct {
		algorithm string
		levels    []int32
	}{
		{algorithm: "none"},
		{algorithm: "snappy"},
		{algorithm: "gzip", levels: []int32{1, 9}},
		{algorithm: "zstd", levels: []int32{1, 3, 11}},
	} {
		out = append(out, variant{
			name:   "compression " + compression.algorithm,
			values: func(v *Values) { v.Compression = compression.algorithm },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) { exporterOf(obj)["compression"] = compression.algorithm },
		})
		for _, level := range compression.levels {
			out = append(out, variant{
				name:   "compression " + fmt.Sprintf("%s of level %d", compression.algorithm, level),
				values: func(v *Values) { v.Compression, v.CompressionLevel = compression.algorithm, &level },
				expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
					exporterOf(obj)["compression"] = compression.algorithm
					exporterOf(obj)["compression_params"] = map[string]any{"level": level}
				},
			})
		}
	}

	return out
}
