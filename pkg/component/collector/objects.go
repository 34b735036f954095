// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	monitoringutils "github.com/gardener/gardener/pkg/component/observability/monitoring/utils"
)

// ScrapeAnnotations admit the Prometheis that reach the given targets (like [v1beta1constants.LabelNetworkPolicySeedScrapeTargets]) to
// the collector's metrics port. The operator hands them down to the Services, where Gardener looks for them.
func ScrapeAnnotations(scrapeTargets string) map[string]string {
	return map[string]string{
		resourcesv1alpha1.NetworkPolicyFromPolicyAnnotationPrefix + scrapeTargets + resourcesv1alpha1.NetworkPolicyFromPolicyAnnotationSuffix: fmt.Sprintf(`[{"protocol":"TCP","port":%d}]`, MetricsPort),
	}
}

// ServiceAccount returns the ServiceAccount of a collector. It may do nothing and its token is not mounted.
func ServiceAccount(name, namespace string, labels map[string]string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta:                   metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		AutomountServiceAccountToken: new(false),
	}
}

// ServiceMonitor returns the ServiceMonitor by which the Prometheus with the given label scrapes a collector's own metrics. The interval is
// not left to the Prometheus, because the ranges in rules and dashboards must fit it.
func ServiceMonitor(name, namespace, prometheusLabel string, interval time.Duration) *monitoringv1.ServiceMonitor {
	return &monitoringv1.ServiceMonitor{
		ObjectMeta: monitoringutils.ConfigObjectMeta(name, namespace, prometheusLabel),
		Spec: monitoringv1.ServiceMonitorSpec{
			Selector: metav1.LabelSelector{MatchLabels: map[string]string{
				v1beta1constants.LabelApp:                          name,
				"operator.opentelemetry.io/collector-service-type": "monitoring",
			}},
			Endpoints: []monitoringv1.Endpoint{{
				Port:     MonitoringPortName,
				Interval: monitoringv1.Duration(model.Duration(interval).String()),
				RelabelConfigs: []monitoringv1.RelabelConfig{{
					Action:      "replace",
					Replacement: new(name),
					TargetLabel: "job",
				}},
				MetricRelabelConfigs: append(monitoringutils.StandardMetricRelabelConfig(Metrics()...), plainLabels()...),
			}},
		},
	}
}

// plainLabels renames the label of MetricRequests. Prometheus stores names with dots since its version 3, and not every consumer can ask
// for them. A view of the collector can rename a metric, but not an attribute.
func plainLabels() []monitoringv1.RelabelConfig {
	const name = `http\.response\.status_code`
	return []monitoringv1.RelabelConfig{
		{Action: "labelmap", Regex: name, Replacement: new(LabelStatus)},
		{Action: "labeldrop", Regex: name},
	}
}

// VerticalPodAutoscaler returns the VerticalPodAutoscaler of the collector with the same name.
func VerticalPodAutoscaler(name, namespace string, labels map[string]string, minAllowed corev1.ResourceList) *vpaautoscalingv1.VerticalPodAutoscaler {
	return &vpaautoscalingv1.VerticalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		Spec: vpaautoscalingv1.VerticalPodAutoscalerSpec{
			TargetRef: &autoscalingv1.CrossVersionObjectReference{
				APIVersion: otelv1beta1.GroupVersion.String(),
				Kind:       "OpenTelemetryCollector",
				Name:       name,
			},
			UpdatePolicy: &vpaautoscalingv1.PodUpdatePolicy{UpdateMode: new(vpaautoscalingv1.UpdateModeInPlaceOrRecreate)},
			ResourcePolicy: &vpaautoscalingv1.PodResourcePolicy{
				ContainerPolicies: []vpaautoscalingv1.ContainerResourcePolicy{
					{
						ContainerName:    ContainerName,
						MinAllowed:       minAllowed,
						ControlledValues: new(vpaautoscalingv1.ContainerControlledValuesRequestsOnly),
					},
					{
						ContainerName: vpaautoscalingv1.DefaultContainerResourcePolicy,
						Mode:          new(vpaautoscalingv1.ContainerScalingModeOff),
					},
				},
			},
		},
	}
}
