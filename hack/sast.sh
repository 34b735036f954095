#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Looks for insecure code in what is delivered, with gosec. `test` and `hack` are left out: they are not delivered, and run and read what they
# are told to. An exception is a comment `#nosec <rule> -- <reason>` in the code, and must have a reason.
# Usage: hack/sast.sh [file for a report in SARIF]

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

source hack/tools/tools.sh

require_tools gosec

echo "> Check that every exception has a reason"
if grep -rn --include='*.go' --exclude-dir=test --exclude-dir=hack --exclude-dir=bin '#nosec' . | grep -v '#nosec \(G[0-9]\+ \)\+-- .'; then
  echo "The exceptions above name no rule or no reason: write '#nosec <rule> -- <reason>'" >&2
  exit 1
fi

echo "> Run gosec"
report=()
if [[ -n "${1:-}" ]]; then
  report=(-fmt sarif -out "$1" -stdout -verbose text -track-suppressions)
fi
"${TOOLS_BIN_DIR}/gosec" -quiet -exclude-generated -exclude-dir=test -exclude-dir=hack -exclude-dir=bin "${report[@]}" ./...
echo "> gosec has found nothing"
