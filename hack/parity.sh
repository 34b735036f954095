#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Starts a landscape with a Prometheus that pulls, compares what it stores with what both replicas of the garden Prometheus get
# by push, and stops the landscape.
# Usage: hack/parity.sh <landscape binary> <parity binary> <state directory> <N>
# The corpus of each seed has 7*N series.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage="usage: hack/parity.sh <landscape binary> <parity binary> <state directory> <N>"
landscape="${1:?${usage}}"
parity="${2:?${usage}}"
directory="${3:?${usage}}"
n="${4:?${usage}}"

series=$(( 7 * n ))
# 5 s are too short for two cores to scrape, pull and push many series.
interval="${SCRAPE_INTERVAL:-}"
if [[ -z "${interval}" ]]; then
  interval=5s
  (( series > 10000 )) && interval=20s
fi

trap '"${landscape}" down --dir "${directory}"' EXIT

echo "> Compare pull and push with ${series} series per seed, scraped every ${interval}"
"${landscape}" up --dir "${directory}" --seeds 2 --corpus-series "${series}" --scrape-interval "${interval}" --hand-over Push --reference
"${parity}" --dir "${directory}" --wait 10m --all
