#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Checks the format of the Go files, runs go vet and golangci-lint, and checks that the generated files are up to date.
# Usage: hack/check.sh [packages], by default all packages, also those of the module that draws dashboards.
# CHECK_GENERATE=false leaves out the check of the generated files.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CGO_ENABLED=0

packages=("$@")
if [[ ${#packages[@]} -eq 0 ]]; then
  packages=(./...)
fi

source hack/tools/tools.sh

require_tools goimports golangci-lint

# go list rather than find: it leaves out the modules below test/landscape/parts, of which one has code (see below), and the directories bin and .landscape.
echo "> Check the format (gofmt, goimports)"
directories="$(go list -f '{{.Dir}}' "${packages[@]}")"
unformatted="$(
  while read -r directory; do
    find "${directory}" -maxdepth 1 -name '*.go' ! -name 'zz_generated.*'
  done <<<"${directories}" | sort -u | xargs --no-run-if-empty "${TOOLS_BIN_DIR}/goimports" -l
)"
if [[ -n "${unformatted}" ]]; then
  echo "These files are not formatted, run bin/tools/goimports -w on them:" >&2
  echo "${unformatted}" >&2
  exit 1
fi

echo "> Check go.mod"
go mod tidy -diff

echo "> Vet"
GOFLAGS="${GOFLAGS:--trimpath}" go vet "${packages[@]}"

# golangci-lint caches findings together with the paths of the files that they are in. With -trimpath two clones share its keys,
# so that a cache of the user would bring findings of other folders, to which this folder's exclusions do not apply.
export GOLANGCI_LINT_CACHE="${PWD}/bin/cache/golangci-lint"

echo "> Lint"
GOFLAGS="${GOFLAGS:--trimpath}" "${TOOLS_BIN_DIR}/golangci-lint" run "${packages[@]}"

if [[ $# -eq 0 ]]; then
  (
    cd test/landscape/parts/dashboard-image
    echo "> Check ${PWD##*/}"
    unformatted="$("${TOOLS_BIN_DIR}/goimports" -l ./*.go)"
    if [[ -n "${unformatted}" ]]; then
      echo "These files are not formatted, run bin/tools/goimports -w on them:" >&2
      echo "${unformatted}" >&2
      exit 1
    fi
    go mod tidy -diff
    GOFLAGS="${GOFLAGS:--trimpath}" go vet ./...
    GOFLAGS="${GOFLAGS:--trimpath}" "${TOOLS_BIN_DIR}/golangci-lint" run ./...
  )
fi

if [[ "${CHECK_GENERATE:-true}" == "true" ]]; then
  hack/check-generate.sh
fi

echo "> All checks passed"
