#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Runs each fuzz test for a time. What a fuzz test fails with is written to testdata/fuzz beside it: commit it with the fix, and the unit tests
# run it for ever.
# Usage: hack/fuzz.sh <time for each, as 30s> [packages]

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

time="${1:?usage: hack/fuzz.sh <time for each> [packages]}"
shift
packages=("$@")
if [[ ${#packages[@]} -eq 0 ]]; then
  packages=(./cmd/... ./pkg/...)
fi

count=0
while read -r directory; do
  # One fuzz test at a time: go takes no more.
  for name in $(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "${directory}"/*_test.go 2>/dev/null | cut -d ' ' -f 2); do
    echo "> ${name} in .${directory#"${PWD}"}"
    go test -run '^$' -fuzz "^${name}\$" -fuzztime "${time}" -parallel "${FUZZ_PARALLEL:-2}" "${directory}"
    count=$((count + 1))
  done
done < <(go list -f '{{.Dir}}' "${packages[@]}")

if [[ ${count} -eq 0 ]]; then
  echo "There are no fuzz tests" >&2
  exit 1
fi
echo "> ${count} fuzz tests ran for ${time} each"
