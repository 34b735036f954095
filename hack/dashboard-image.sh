#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Draws the dashboard of the garden with what the garden Prometheus of a running landscape has.
# Usage: hack/dashboard-image.sh <landscape binary> <state directory> always|if-missing
# `always` writes the picture in the docs. `if-missing` leaves one that is there, and writes into the state directory instead.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage="usage: hack/dashboard-image.sh <landscape binary> <state directory> always|if-missing"
landscape="${1:?${usage}}"
directory="${2:?${usage}}"
when="${3:?${usage}}"

config_map="otel-federation-garden-dashboard"
picture="docs/operations/images/garden-dashboard.png"
hint=""
# The picture in the docs is worth waiting for; the other one is not to keep anybody who has just started a landscape.
wait=(--min-span 2m --wait 4m)
if [[ "${when}" == "if-missing" && -f "${picture}" ]]; then
  picture="${directory}/garden-dashboard.png"
  hint=" 'make dashboard-image' updates the one in the docs."
  wait=(--min-span 30s --wait 1m)
fi

status="$("${landscape}" status --dir "${directory}")"
prometheus="$(awk '$1 == "garden-0" && $2 ~ "^http" { print $2 }' <<<"${status}")"

dashboard="$(mktemp)"
trap 'rm -f "${dashboard}"' EXIT
"$(dirname "${landscape}")/kubectl" --kubeconfig "${directory}/kubeconfig.yaml" --context runtime -n garden \
  get configmap "${config_map}" -o jsonpath="{.data.${config_map}\.json}" > "${dashboard}"

echo
echo "> Draw the dashboard of the garden"
"$(dirname "${landscape}")/dashboard-image" --dashboard "${dashboard}" --prometheus "${prometheus}" --out "${picture}" "${wait[@]}"
echo "The picture is ${picture}.${hint}"
