// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package collectortest holds what the tests of the two collectors have in common: the parts of the expected objects that do
// not differ, written out by hand, and the specs about the life of a collector.
package collectortest

import (
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
)

// Namespace is the namespace of the collectors.
const Namespace = "garden"

// ObjectLabels returns the labels of the objects of the given component.
func ObjectLabels(name string) map[string]string {
	return map[string]string{
		"app":                              name,
		"role":                             "observability",
		"gardener.cloud/role":              "observability",
		"observability.gardener.cloud/app": name,
	}
}

// PodSelector returns the labels of the pods of the given component.
func PodSelector(name string) map[string]string {
	return map[string]string{
		"app":                         name,
		"app.kubernetes.io/component": "opentelemetry-collector",
	}
}

// OpenTelemetryCollector returns the expected frame of a collector of the given component.
func OpenTelemetryCollector(name, component, image string) *otelv1beta1.OpenTelemetryCollector {
	labels := ObjectLabels(component)
	labels["projected-token-mount.resources.gardener.cloud/skip"] = "true"

	return &otelv1beta1.OpenTelemetryCollector{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace, Labels: labels},
		Spec: otelv1beta1.OpenTelemetryCollectorSpec{
			Mode:            "statefulset",
			UpgradeStrategy: "none",
			NetworkPolicy:   otelv1beta1.NetworkPolicy{Enabled: new(false)},
			StartupProbe:    &otelv1beta1.Probe{PeriodSeconds: new(int32(2)), FailureThreshold: new(int32(1800))},
			Observability: otelv1beta1.ObservabilitySpec{
				Metrics: otelv1beta1.MetricsConfigSpec{DisablePrometheusAnnotations: true},
			},
			OpenTelemetryCommonFields: otelv1beta1.OpenTelemetryCommonFields{
				ManagementState: "managed",
				Image:           image,
				Replicas:        new(int32(1)),
				ServiceAccount:  component,
				IpFamilyPolicy:  new(corev1.IPFamilyPolicyPreferDualStack),
				PodSecurityContext: &corev1.PodSecurityContext{
					RunAsNonRoot:   new(true),
					RunAsUser:      new(int64(65532)),
					RunAsGroup:     new(int64(65532)),
					FSGroup:        new(int64(65532)),
					SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"},
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					ReadOnlyRootFilesystem:   new(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			},
		},
	}
}

// ServiceAccount returns the expected ServiceAccount.
func ServiceAccount(name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta:                   metav1.ObjectMeta{Name: name, Namespace: Namespace, Labels: ObjectLabels(name)},
		AutomountServiceAccountToken: new(false),
	}
}

// ServiceMonitor returns the expected ServiceMonitor for the Prometheus with the given name, if all durations are the defaults.
func ServiceMonitor(name, prometheus string) *monitoringv1.ServiceMonitor {
	return &monitoringv1.ServiceMonitor{
		ObjectMeta: metav1.ObjectMeta{
			Name:      prometheus + "-" + name,
			Namespace: Namespace,
			Labels:    map[string]string{"prometheus": prometheus},
		},
		Spec: monitoringv1.ServiceMonitorSpec{
			Selector: metav1.LabelSelector{MatchLabels: map[string]string{
				"app": name,
				"operator.opentelemetry.io/collector-service-type": "monitoring",
			}},
			Endpoints: []monitoringv1.Endpoint{{
				Port:     "monitoring",
				Interval: "1m",
				RelabelConfigs: []monitoringv1.RelabelConfig{{
					Action:      "replace",
					Replacement: &name,
					TargetLabel: "job",
				}},
				MetricRelabelConfigs: []monitoringv1.RelabelConfig{{
					SourceLabels: []monitoringv1.LabelName{"__name__"},
					Action:       "keep",
					Regex: "^(http_server_request_body_size_count|http_server_request_body_size_sum|" +
						"otelcol_exporter_enqueue_failed_metric_points|otelcol_exporter_in_flight_requests|otelcol_exporter_queue_capacity|" +
						"otelcol_exporter_queue_size|otelcol_exporter_send_failed_metric_points|otelcol_exporter_sent_metric_points|" +
						"otelcol_process_cpu_seconds|otelcol_process_memory_rss|otelcol_process_uptime|otelcol_processor_incoming_items|" +
						"otelcol_processor_memory_limiter_refused_metric_points|otelcol_processor_outgoing_items|" +
						"otelcol_receiver_accepted_metric_points|otelcol_receiver_failed_metric_points|otelcol_receiver_refused_metric_points)$",
				}, {
					Action:      "labelmap",
					Regex:       `http\.response\.status_code`,
					Replacement: new("http_response_status_code"),
				}, {
					Action: "labeldrop",
					Regex:  `http\.response\.status_code`,
				}},
			}},
		},
	}
}

// VerticalPodAutoscaler returns the expected VerticalPodAutoscaler of a collector of the given component.
func VerticalPodAutoscaler(name, component string) *vpaautoscalingv1.VerticalPodAutoscaler {
	return &vpaautoscalingv1.VerticalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace, Labels: ObjectLabels(component)},
		Spec: vpaautoscalingv1.VerticalPodAutoscalerSpec{
			TargetRef: &autoscalingv1.CrossVersionObjectReference{
				APIVersion: "opentelemetry.io/v1beta1",
				Kind:       "OpenTelemetryCollector",
				Name:       name,
			},
			UpdatePolicy: &vpaautoscalingv1.PodUpdatePolicy{UpdateMode: new(vpaautoscalingv1.UpdateModeInPlaceOrRecreate)},
			ResourcePolicy: &vpaautoscalingv1.PodResourcePolicy{
				ContainerPolicies: []vpaautoscalingv1.ContainerResourcePolicy{
					{
						ContainerName:    "otc-container",
						MinAllowed:       corev1.ResourceList{"memory": resource.MustParse("100Mi")},
						ControlledValues: new(vpaautoscalingv1.ContainerControlledValuesRequestsOnly),
					},
					{
						ContainerName: "*",
						Mode:          new(vpaautoscalingv1.ContainerScalingModeOff),
					},
				},
			},
		},
	}
}
