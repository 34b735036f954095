// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
)

// AddChecksums annotates the pods of a collector with checksums over what they are made of.
var AddChecksums = addChecksums

// PrometheusRule returns the rules for the given values.
func PrometheusRule(namespace string, values Values) *monitoringv1.PrometheusRule {
	return (&gardenCollector{namespace: namespace, values: values}).prometheusRule()
}

// Dashboard returns the ConfigMap with the dashboard for the given values.
func Dashboard(namespace string, values Values) (*corev1.ConfigMap, error) {
	return (&gardenCollector{namespace: namespace, values: values}).dashboard()
}

// Config returns the configuration of a collector for the given values.
func Config(values Values) otelv1beta1.Config {
	return (&gardenCollector{values: values}).config()
}
