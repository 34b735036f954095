#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Runs the unit tests (everything that starts no server) or the integration tests (everything below an `integration` folder).
# Usage: hack/test.sh unit|integration

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

kind="${1:?usage: hack/test.sh unit|integration}"
packages="$(go list ./... | grep -v -e '/test/e2e' -e '/test/breakage' -e '/test/faults' -e '/test/security' -e '/test/scale')"

case "${kind}" in
  unit)
    packages="$(grep -v '/integration' <<<"${packages}")"
    timeout=5m
    ;;
  integration)
    packages="$(grep '/integration' <<<"${packages}")"
    timeout=6m
    ;;
  *)
    echo "unknown kind of tests: ${kind}" >&2
    exit 2
    ;;
esac

# The tests of rules and dashboards run promtool.
export PATH="${PWD}/bin/landscape:${PATH}"

started="${SECONDS}"
echo "> Run the ${kind} tests"
# One package at a time where servers are started: two cores are not enough for more.
parallel=2
[[ "${kind}" == "integration" ]] && parallel=1

# shellcheck disable=SC2086 # A list of packages.
go test -timeout="${timeout}" -p="${parallel}" ${packages} | grep -v '\[no test files\]'
if [[ "${kind}" == "unit" ]]; then
  # A module of its own.
  go test -C test/landscape/parts/dashboard-image -timeout="${timeout}" ./...
fi
echo "> The ${kind} tests took $(( (SECONDS - started + 30) / 60 )) minutes ($(( SECONDS - started )) seconds)"
