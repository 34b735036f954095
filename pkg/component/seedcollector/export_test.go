// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector

// What the tests compare with Gardener's own configuration.
const (
	MetricsPath       = metricsPath
	ParameterSelector = parameterSelector
	HonorLabels       = honorLabels
	HonorTimestamps   = honorTimestamps
)

// MetricRelabelConfigs returns the relabelling of the scraped series.
var MetricRelabelConfigs = metricRelabelConfigs
