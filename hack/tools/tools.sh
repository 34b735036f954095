#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# To be sourced from the root of the repository. Builds the tools that hack/tools/go.mod pins, and those that have a module of their
# own below hack/tools.

TOOLS_BIN_DIR="$(pwd)/bin/tools"

# require_tools builds the named tools into TOOLS_BIN_DIR. A tool that is up to date costs a fraction of a second only, because
# go reuses its build cache.
require_tools() {
  local tool package module_dir

  mkdir -p "${TOOLS_BIN_DIR}"

  for tool in "$@"; do
    module_dir="hack/tools"
    if [[ -d "hack/tools/${tool}" ]]; then
      module_dir="hack/tools/${tool}"
    fi

    package="$(cd "${module_dir}" && go list -f '{{.ImportPath}}' tool | grep "/${tool}\$")" ||
      { echo "The tool ${tool} is not listed in ${module_dir}/go.mod" >&2; return 1; }

    (cd "${module_dir}" && CGO_ENABLED=0 go build -trimpath -o "${TOOLS_BIN_DIR}/${tool}" "${package}")
  done
}
