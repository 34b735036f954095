// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package charts holds the Helm chart by which gardener-operator and gardenlet deploy the extension.
package charts

import "embed"

// Name is the name of the chart, and of its directory in Chart.
const Name = "gardener-extension-otel-federation"

// Chart is the chart.
//
//go:embed all:gardener-extension-otel-federation
var Chart embed.FS
