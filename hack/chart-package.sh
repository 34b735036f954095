#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Checks the chart with the values of both classes and packages it into bin/charts, as version VERSION. After
# `helm push bin/charts/<package> oci://<repository>` its reference is <repository>/gardener-extension-otel-federation:<VERSION>.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

CHART_DIR="charts/gardener-extension-otel-federation"
PACKAGES_DIR="bin/charts"

source hack/tools/tools.sh

require_tools helm
helm="${TOOLS_BIN_DIR}/helm"

version="$(<VERSION)"

echo "> Lint the chart as gardenlet deploys it in a seed"
"${helm}" lint "${CHART_DIR}" --strict --quiet --namespace extension-otel-federation \
  --set gardener.version=v1.150.0

echo "> Lint the chart as gardener-operator deploys it in the garden runtime cluster"
"${helm}" lint "${CHART_DIR}" --strict --quiet --namespace runtime-extension-otel-federation \
  --set gardener.runtimeCluster.enabled=true,gardener.runtimeCluster.priorityClassName=gardener-garden-system-200

echo "> Package the chart"
mkdir -p "${PACKAGES_DIR}"
"${helm}" package "${CHART_DIR}" --version "${version}" --destination "${PACKAGES_DIR}"
