#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Starts a landscape, runs tests in it, and stops it.
# LABELS selects specs; by default those without the label `long`.
# Usage: hack/test-landscape.sh <landscape binary> <state directory> <folders of the tests, separated by commas> <minutes> [further flags of `landscape up`]

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage="usage: hack/test-landscape.sh <landscape binary> <state directory> <folders of the tests> <minutes> [flags]"
landscape="${1:?${usage}}"
directory="${2:?${usage}}"
tests="${3:?${usage}}"
minutes="${4:?${usage}}"
shift 4

started="${SECONDS}"
echo "> Run ${tests}"
trap '"${landscape}" down --dir "${directory}"' EXIT

"${landscape}" up --dir "${directory}" --seeds 2 --corpus-series 700 --scrape-interval 5s --reference "$@"
IFS=, read -r -a folders <<< "${tests}"
# One after the other: each has the landscape for itself.
LANDSCAPE_DIR="${PWD}/${directory}" go test -v -p 1 -timeout="${minutes}m" -count=1 "${folders[@]/#/./}" -ginkgo.v -ginkgo.label-filter="${LABELS:-!long}" -ginkgo.timeout="$((minutes - 1))m"
echo "> ${tests} took $(( (SECONDS - started + 30) / 60 )) minutes ($(( SECONDS - started )) seconds)"
