#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Generates the helpers (zz_generated.*.go) and the reference documentation of the configuration API, and the manifests by which the
# extension is installed.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CGO_ENABLED=0

MODULE="github.com/gardener/gardener-extension-otel-federation"
INTERNAL="./pkg/apis/config"
VERSIONED="${INTERNAL}/v1alpha1"
BOILERPLATE="hack/LICENSE_BOILERPLATE.txt"
REFERENCE="docs/api-reference/config.md"

source hack/tools/tools.sh

require_tools deepcopy-gen defaulter-gen conversion-gen crd-ref-docs

echo "> Generate the helpers of the configuration API"
"${TOOLS_BIN_DIR}/deepcopy-gen" \
  --go-header-file "${BOILERPLATE}" \
  --output-file zz_generated.deepcopy.go \
  "${MODULE}/${INTERNAL#./}" "${MODULE}/${VERSIONED#./}"
"${TOOLS_BIN_DIR}/defaulter-gen" \
  --go-header-file "${BOILERPLATE}" \
  --output-file zz_generated.defaults.go \
  "${MODULE}/${VERSIONED#./}"
"${TOOLS_BIN_DIR}/conversion-gen" \
  --go-header-file "${BOILERPLATE}" \
  --output-file zz_generated.conversion.go \
  "${MODULE}/${VERSIONED#./}"

echo "> Generate the reference of the configuration API"
mkdir -p "$(dirname "${REFERENCE}")"
"${TOOLS_BIN_DIR}/crd-ref-docs" \
  --source-path "${VERSIONED}" \
  --config hack/api-reference/config.yaml \
  --renderer markdown \
  --output-path "${REFERENCE}" \
  --max-depth 10 \
  --log-level ERROR

hack/generate-manifests.sh
