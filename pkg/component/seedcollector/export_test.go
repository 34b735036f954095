// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector

import (
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
)

// What the tests compare with Gardener's own configuration.
const (
	MetricsPath       = metricsPath
	ParameterSelector = parameterSelector
	HonorLabels       = honorLabels
	HonorTimestamps   = honorTimestamps
)

// MetricRelabelConfigs returns the relabelling of the scraped series.
var MetricRelabelConfigs = metricRelabelConfigs

// PrometheusRule returns the rules for the given values.
func PrometheusRule(namespace string, values Values) *monitoringv1.PrometheusRule {
	return (&seedCollector{namespace: namespace, values: values}).prometheusRule()
}

// Dashboard returns the ConfigMap with the dashboard for the given values.
func Dashboard(namespace string, values Values) (*corev1.ConfigMap, error) {
	return (&seedCollector{namespace: namespace, values: values}).dashboard()
}

// Config returns the collector's configuration for the given values.
func Config(values Values) otelv1beta1.Config {
	return (&seedCollector{values: values}).config()
}
