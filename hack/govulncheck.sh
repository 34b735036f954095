#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Looks for known vulnerabilities in what the extension calls, with govulncheck. It needs the Go vulnerability database: VULNDB is its URL,
# or that of a mirror (http(s):// or file://). Without the database there is no result, and the script fails with exit code 2: that is not
# the same as no vulnerability.
# Usage: hack/govulncheck.sh [packages], by default what the image contains.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

source hack/tools/tools.sh

vulndb="${VULNDB:-https://vuln.go.dev}"
packages=("$@")
if [[ ${#packages[@]} -eq 0 ]]; then
  packages=(./cmd/...)
fi

if [[ "${vulndb}" == file://* ]]; then
  reachable() { [[ -r "${vulndb#file://}/index/db.json" ]]; }
else
  reachable() { curl --silent --show-error --fail --location --max-time 20 --output /dev/null "${vulndb}/index/db.json"; }
fi
if ! reachable; then
  echo "NOT CHECKED: the vulnerability database ${vulndb} cannot be reached. Nothing is known about vulnerabilities." >&2
  echo "Run this where it can be reached, or set VULNDB to a mirror." >&2
  exit 2
fi

require_tools govulncheck

echo "> Run govulncheck with the database ${vulndb}"
"${TOOLS_BIN_DIR}/govulncheck" -db "${vulndb}" "${packages[@]}"
