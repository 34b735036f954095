#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Generates all files and fails if what git has differs from them. Commit or stage generated files before.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

generated=(':(glob)**/zz_generated.*.go' 'docs/api-reference' 'example/extension.yaml' 'example/controller-registration.yaml')

hack/update-codegen.sh

echo "> Check that the generated files are up to date"
# Staged changes are fine; changes against the index and files that git does not know are not.
if ! git diff --exit-code -- "${generated[@]}" ||
  [[ -n "$(git ls-files --others --exclude-standard -- "${generated[@]}")" ]]; then
  git ls-files --others --exclude-standard -- "${generated[@]}" >&2
  echo "Generated files are not up to date. Run hack/update-codegen.sh and commit the result." >&2
  exit 1
fi
