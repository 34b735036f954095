#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Builds the container image of the extension with docker, podman or nerdctl.
# ENGINE, IMAGE, EFFECTIVE_VERSION and PLATFORMS (for example linux/amd64,linux/arm64) replace what is chosen here.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

image="${IMAGE:-europe-docker.pkg.dev/gardener-project/public/gardener/extensions/otel-federation}"

# find_engine prints the first engine that works.
find_engine() {
  local engine unusable=""
  for engine in ${ENGINE:-docker podman nerdctl}; do
    command -v "${engine}" >/dev/null || continue
    if "${engine}" info >/dev/null 2>&1; then
      echo "${engine}"
      return
    fi
    unusable+=" ${engine}"
  done

  {
    echo "The container image needs a container engine, and none works here."
    if [[ -n "${unusable}" ]]; then
      echo "Installed, but its service cannot be reached (\`<engine> info\` tells why):${unusable}"
    fi
    echo "Install docker (https://docs.docker.com/engine/install), podman (https://podman.io/docs/installation) or"
    echo "nerdctl with BuildKit (https://github.com/containerd/nerdctl), and start its service."
    echo "Without one, \`make build\` builds the binary, and \`make up\` runs it in a local landscape."
  } >&2
  return 1
}

engine="$(find_engine)"

version="${EFFECTIVE_VERSION:-}"
if [[ -z "${version}" ]]; then
  version="$(<VERSION)-$(git rev-parse HEAD)"
  [[ -z "$(git status --porcelain)" ]] || version+="-dirty"
fi

arguments=(--build-arg "EFFECTIVE_VERSION=${version}")
if [[ -n "${PLATFORMS:-}" ]]; then
  arguments+=(--platform "${PLATFORMS}")
fi
name=--tag
# podman keeps the images of several platforms in a manifest list.
if [[ "${engine}" == "podman" && "${PLATFORMS:-}" == *,* ]]; then
  name=--manifest
fi

echo "> Build ${image}:${version} with ${engine}"
"${engine}" build "${arguments[@]}" "${name}" "${image}:${version}" --file Dockerfile .
