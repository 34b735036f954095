#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Builds what is measured and measures it.
# Usage: hack/bench.sh <series> <scrapes> <document> [<flags of bench>]

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage="usage: hack/bench.sh <series> <scrapes> <document> [<flags of bench>]"
series="${1:?${usage}}"
scrapes="${2:?${usage}}"
document="${3-}"
shift 3

bash test/landscape/parts/build.sh
mkdir -p bin/bench
echo "> Build vmagent and the measurement" >&2
GOFLAGS="-trimpath -mod=readonly" go build -C test/bench/parts/vmagent -ldflags='-s -w' -o "${PWD}/bin/bench/" github.com/VictoriaMetrics/VictoriaMetrics/app/vmagent
go build -ldflags='-s -w' -o bin/bench/ ./test/bench/cmd/bench

started="${SECONDS}"
bin/bench/bench --series "${series}" --scrapes "${scrapes}" --output "${document}" --command "make bench SERIES=${series} SCRAPES=${scrapes}" "$@"
echo "> The measurement took $(( (SECONDS - started + 30) / 60 )) minutes" >&2
