// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector_test

import (
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const (
	name     = "otel-federation-garden"
	first    = name + "-0"
	second   = name + "-1"
	image    = "collector:v1"
	capacity = int64(168000000)
	jwks     = `{"keys":[]}`

	host             = "otel-federation.ingress.garden.local"
	gatewayNamespace = "virtual-garden-istio-ingress"
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
		Image:    image,
		Replicas: 2,
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("500Mi")},
		},
		Queue:           collectortest.MemoryQueue(capacity),
		PrometheusHosts: []string{"prometheus-garden-0.prometheus-operated:9090", "prometheus-garden-1.prometheus-operated:9090"},
		JWKS:            []byte(jwks),
		ReturnAfter:     2 * time.Minute,
		TokenValidity:   7 * 24 * time.Hour,
	}
}

func gatewaySelector() map[string]string {
	return map[string]string{"app": "virtual-garden-istio-ingressgateway", "istio": "ingressgateway"}
}

func ingress() *Ingress {
	return &Ingress{
		Host:             host,
		GatewaySelector:  gatewaySelector(),
		GatewayNamespace: gatewayNamespace,
		TLSSecretName:    "my-cert",
		TLSSecretData:    map[string][]byte{"tls.crt": []byte("certificate"), "tls.key": []byte("key"), "ca.crt": []byte("ca")},
	}
}

// expectedCollector is the collector of the given name for the default values, but for the checksum that withChecksums adds.
func expectedCollector(collectorName string) *otelv1beta1.OpenTelemetryCollector {
	obj := collectortest.OpenTelemetryCollector(collectorName, name, image)
	obj.Labels["networking.gardener.cloud/to-dns"] = "allowed"
	obj.Labels["otel-federation.extensions.gardener.cloud/receives"] = "true"
	obj.Labels["networking.resources.gardener.cloud/to-prometheus-garden-tcp-9090"] = "allowed"
	obj.Annotations = map[string]string{
		"networking.resources.gardener.cloud/from-all-garden-scrape-targets-allowed-ports": `[{"protocol":"TCP","port":8888}]`,
	}
	obj.Spec.PriorityClassName = "gardener-garden-system-100"
	obj.Spec.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("500Mi")},
	}
	obj.Spec.Volumes = []corev1.Volume{{
		Name: "jwks",
		VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "otel-federation-garden-jwks"},
		}},
	}}
	obj.Spec.VolumeMounts = []corev1.VolumeMount{{Name: "jwks", MountPath: "/etc/otel-federation/jwks", ReadOnly: true}}
	for _, key := range []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"} {
		obj.Spec.TopologySpreadConstraints = append(obj.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew:           1,
			TopologyKey:       key,
			WhenUnsatisfiable: "ScheduleAnyway",
			LabelSelector:     &metav1.LabelSelector{MatchLabels: collectortest.PodSelector(name)},
		})
	}
	obj.Spec.Config = expectedConfig()
	return obj
}

// withChecksums adds the checksums that a finished collector has.
func withChecksums(obj *otelv1beta1.OpenTelemetryCollector, values Values) *otelv1beta1.OpenTelemetryCollector {
	AddChecksums(obj, values)
	return obj.DeepCopy()
}

func expectedConfig() otelv1beta1.Config {
	return otelv1beta1.Config{
		Extensions: &otelv1beta1.AnyConfig{Object: collectortest.Extensions("oidc", map[string]any{
			"providers": []any{map[string]any{
				"issuer_url":       "https://otel-federation.extensions.gardener.cloud",
				"audience":         "otel-federation",
				"public_keys_file": "/etc/otel-federation/jwks/jwks.json",
			}},
		})},
		Receivers: otelv1beta1.AnyConfig{Object: map[string]any{
			"otlp": map[string]any{
				"protocols": map[string]any{
					"http": map[string]any{
						"endpoint":              "[::]:4318",
						"auth":                  map[string]any{"authenticator": "oidc"},
						"max_request_body_size": 4194304,
						"read_timeout":          "1m0s",
					},
				},
			},
		}},
		Processors: &otelv1beta1.AnyConfig{Object: map[string]any{
			"memory_limiter": map[string]any{"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20},
			"filter/type": map[string]any{"error_mode": "propagate", "metric_conditions": []any{
				"metric.type != METRIC_DATA_TYPE_GAUGE",
				"Len(metric.name) > 1024",
				`not IsMatch(metric.name, "^[^\\x00\\x{FFFD}]+\\z")`,
			}},
			"transform/resource": map[string]any{
				"error_mode": "propagate",
				"metric_statements": []any{
					map[string]any{"statements": []any{
						`set(resource.cache["service.name"], resource.attributes["service.name"]) where IsString(resource.attributes["service.name"]) and Len(resource.attributes["service.name"]) <= 1024 and IsMatch(resource.attributes["service.name"], "^[^\\x00\\x{FFFD}]+\\z")`,
						`set(resource.cache["service.instance.id"], resource.attributes["service.instance.id"]) where IsString(resource.attributes["service.instance.id"]) and Len(resource.attributes["service.instance.id"]) <= 1024 and IsMatch(resource.attributes["service.instance.id"], "^[^\\x00\\x{FFFD}]+\\z")`,
						`set(resource.cache["prometheus"], resource.attributes["prometheus"]) where IsString(resource.attributes["prometheus"]) and Len(resource.attributes["prometheus"]) <= 1024 and IsMatch(resource.attributes["prometheus"], "^[^\\x00\\x{FFFD}]+\\z") and resource.cache["service.name"] == nil and resource.cache["service.instance.id"] == nil`,
						`set(resource.cache["prometheus_replica"], resource.attributes["prometheus_replica"]) where IsString(resource.attributes["prometheus_replica"]) and Len(resource.attributes["prometheus_replica"]) <= 1024 and IsMatch(resource.attributes["prometheus_replica"], "^[^\\x00\\x{FFFD}]+\\z") and resource.cache["service.name"] == nil and resource.cache["service.instance.id"] == nil`,
						`set(resource.attributes, resource.cache)`,
					}},
					map[string]any{"statements": []any{`keep_keys(scope.attributes, [])`}},
					map[string]any{"statements": []any{`keep_keys(metric.metadata, [])`}},
					map[string]any{"statements": []any{
						`stringify_all(datapoint.attributes)`,
						`keep_matching_keys(datapoint.attributes, "^[^\\x00\\x{FFFD}]+\\z")`,
						`replace_all_matches(datapoint.attributes, "*[\uFFFC-\uFFFE]*", "invalid")`,
						`replace_all_matches(datapoint.attributes, "*[!\u0001-\U0010FFFF]*", "invalid")`,
					}},
				},
			},
			"attributes/seed": map[string]any{
				"actions": []any{
					map[string]any{"action": "delete", "pattern": "^seed$"},
					map[string]any{"action": "upsert", "key": "seed", "from_context": "auth.claims.seed"},
					map[string]any{"action": "insert", "key": "job", "value": "prometheus-aggregate"},
				},
			},
		}},
		Exporters: otelv1beta1.AnyConfig{Object: map[string]any{
			"otlp_http/prometheus-garden-0": expectedExporter("http://prometheus-garden-0.prometheus-operated:9090/api/v1/otlp"),
			"otlp_http/prometheus-garden-1": expectedExporter("http://prometheus-garden-1.prometheus-operated:9090/api/v1/otlp"),
		}},
		Service: otelv1beta1.Service{
			Extensions: []string{"health_check", "oidc"},
			Telemetry:  collectortest.ServerTelemetry(),
			Pipelines: map[string]*otelv1beta1.Pipeline{"metrics": {
				Receivers:  []string{"otlp"},
				Processors: []string{"memory_limiter", "filter/type", "transform/resource", "attributes/seed"},
				Exporters:  []string{"otlp_http/prometheus-garden-0", "otlp_http/prometheus-garden-1"},
			}},
		},
	}
}

func expectedExporter(endpoint string) map[string]any {
	return map[string]any{
		"endpoint":    endpoint,
		"compression": "none",
		"timeout":     "5s",
		"retry_on_failure": map[string]any{
			"enabled":          true,
			"initial_interval": "1s",
			"max_interval":     "5s",
			"max_elapsed_time": "0s",
		},
		"sending_queue": collectortest.SendingQueue(capacity, 4, "items", 2000),
	}
}

// variants are all variants of the collector.
func variants() []variant {
	out := []variant{
		{
			name:   "an ingress",
			values: func(v *Values) { v.Ingress = ingress() },
			expect: func(*otelv1beta1.OpenTelemetryCollector) {},
		},
		{
			name:   "denied seeds",
			values: func(v *Values) { v.DeniedSeeds = []string{"foo", "bar-1"} },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				obj.Spec.Config.Processors.Object["filter/denied"] = map[string]any{
					"error_mode": "propagate",
					"metric_conditions": []any{
						`datapoint.attributes["seed"] == "foo"`,
						`datapoint.attributes["seed"] == "bar-1"`,
					},
				}
				pipeline := obj.Spec.Config.Service.Pipelines["metrics"]
				pipeline.Processors = append(pipeline.Processors, "filter/denied")
			},
		},
		{
			name:   "shadow names",
			values: func(v *Values) { v.DeniedSeeds, v.Shadow = []string{"foo"}, true },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				obj.Spec.Config.Processors.Object["filter/denied"] = map[string]any{
					"error_mode":        "propagate",
					"metric_conditions": []any{`datapoint.attributes["seed"] == "foo"`},
				}
				obj.Spec.Config.Processors.Object["transform/shadow"] = map[string]any{
					"error_mode":        "propagate",
					"metric_statements": []any{`set(metric.name, Concat(["shadow:", metric.name], ""))`},
				}
				pipeline := obj.Spec.Config.Service.Pipelines["metrics"]
				pipeline.Processors = append(pipeline.Processors, "filter/denied", "transform/shadow")
			},
		},
		{
			name:   "the debug exporter",
			values: func(v *Values) { v.DebugExporter = true },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				obj.Spec.Config.Exporters.Object["debug"] = map[string]any{"verbosity": "basic"}
				pipeline := obj.Spec.Config.Service.Pipelines["metrics"]
				pipeline.Exporters = append(pipeline.Exporters, "debug")
			},
		},
		{
			name:   "a detached replica of the garden Prometheus",
			values: func(v *Values) { v.DetachedReplicas = []string{"prometheus-garden-1"} },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				cfg := &obj.Spec.Config
				cfg.Connectors = &otelv1beta1.AnyConfig{Object: map[string]any{"forward/prometheus-garden-1": map[string]any{}}}
				cfg.Processors.Object["filter/prometheus-garden-1"] = map[string]any{"error_mode": "propagate", "metric_conditions": []any{`metric.name != ""`}}
				cfg.Service.Pipelines["metrics"].Exporters = []string{"otlp_http/prometheus-garden-0", "forward/prometheus-garden-1"}
				cfg.Service.Pipelines["metrics/prometheus-garden-1"] = &otelv1beta1.Pipeline{
					Receivers:  []string{"forward/prometheus-garden-1"},
					Processors: []string{"filter/prometheus-garden-1"},
					Exporters:  []string{"otlp_http/prometheus-garden-1"},
				}
			},
		},
		{
			name: "a memory limit",
			values: func(v *Values) {
				v.Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("1Gi")}
			},
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				obj.Spec.Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("1Gi")}
				obj.Spec.Env = []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "858993459"}}
				obj.Spec.Config.Processors.Object["memory_limiter"] = map[string]any{"check_interval": "1s", "limit_mib": 819, "spike_limit_mib": 204}
			},
		},
		{
			name:   "one Prometheus",
			values: func(v *Values) { v.PrometheusHosts = v.PrometheusHosts[:1] },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				delete(obj.Spec.Config.Exporters.Object, "otlp_http/prometheus-garden-1")
				obj.Spec.Config.Service.Pipelines["metrics"].Exporters = []string{"otlp_http/prometheus-garden-0"}
			},
		},
	}

	for _, queue := range collectortest.QueueVariants(capacity) {
		out = append(out, variant{
			name:   "queues " + queue.Name,
			values: func(v *Values) { v.Queue = queue.Queue },
			expect: func(obj *otelv1beta1.OpenTelemetryCollector) {
				var sendingQueues []map[string]any
				for _, exporter := range obj.Spec.Config.Exporters.Object {
					sendingQueues = append(sendingQueues, exporter.(map[string]any)["sending_queue"].(map[string]any))
				}
				queue.Expect(obj, sendingQueues...)
			},
			claim: queue.Claim,
		})
	}

	return out
}
