#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Formats the Go files of this module, and of the one that draws dashboards.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

source hack/tools/tools.sh

require_tools goimports

{
  go list -f '{{.Dir}}' ./...
  go list -C test/landscape/parts/dashboard-image -f '{{.Dir}}' ./...
} | while read -r directory; do
  find "${directory}" -maxdepth 1 -name '*.go' ! -name 'zz_generated.*'
done | xargs --no-run-if-empty "${TOOLS_BIN_DIR}/goimports" -w
