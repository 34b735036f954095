#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Starts a landscape, runs the end-to-end tests in it, and stops it.
# Usage: hack/test-e2e.sh <landscape binary> <state directory>

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

landscape="${1:?usage: hack/test-e2e.sh <landscape binary> <state directory>}"
directory="${2:?usage: hack/test-e2e.sh <landscape binary> <state directory>}"

started="${SECONDS}"
echo "> Run the end-to-end tests"
trap '"${landscape}" down --dir "${directory}"' EXIT

"${landscape}" up --dir "${directory}" --seeds 2 --corpus-series 700 --scrape-interval 5s
LANDSCAPE_DIR="${PWD}/${directory}" go test -timeout=16m -count=1 ./test/e2e/... -ginkgo.v
echo "> The end-to-end tests took $(( (SECONDS - started + 30) / 60 )) minutes ($(( SECONDS - started )) seconds)"
