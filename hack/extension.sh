#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Builds the extension and deploys it into Gardener's own local setup (`make kind-up gardener-up` in github.com/gardener/gardener), or
# removes it from there. KUBECONFIG must name its garden runtime cluster (dev-setup/kubeconfigs/runtime/kubeconfig). The pods start
# when the extension is enabled in spec.extensions of Garden `local` and, in the virtual garden, of Seed `local`: see example/.
# CI cannot run this, since it has no container engine; `make up` runs a landscape without one.
# Usage: hack/extension.sh up|down

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

command="${1:?usage: hack/extension.sh up|down}"

for tool in skaffold kubectl yq; do
  command -v "${tool}" >/dev/null ||
    { echo "${tool} is missing: Gardener's local setup installs it into hack/tools/bin of github.com/gardener/gardener; put that into PATH." >&2; exit 1; }
done
: "${KUBECONFIG:?must name the kubeconfig of the garden runtime cluster of the local setup}"

source hack/tools/tools.sh

require_tools helm
export PATH="${TOOLS_BIN_DIR}:${PATH}"

GARDENER_HACK_DIR="$(go list -m -f '{{.Dir}}' github.com/gardener/gardener)/hack"
EXTENSION_VERSION="$(<VERSION)"
export GARDENER_HACK_DIR EXTENSION_VERSION
export SKAFFOLD_DEFAULT_REPO="${SKAFFOLD_DEFAULT_REPO:-registry.local.gardener.cloud:5001}"
export SKAFFOLD_PUSH=true
export SKAFFOLD_CHECK_CLUSTER_NODE_PLATFORMS=true
# The same in each run, so that nothing is rolled that has not changed.
export SKAFFOLD_LABEL="skaffold.dev/run-id=extension-otel-federation"

case "${command}" in
  up)
    skaffold run
    ;;
  down)
    # gardener-operator refuses while the Garden or a Seed still enables the extension.
    skaffold delete
    ;;
  *)
    echo "unknown command: ${command}" >&2
    exit 2
    ;;
esac
