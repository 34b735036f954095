#!/usr/bin/env bash
#
# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

# Builds the programs of the local landscape that have a Go module of their own beside this script into bin/landscape: those of
# third parties, whose versions the modules pin, and the one that draws dashboards, whose libraries nothing else needs. Only what
# is missing or whose pin has changed, one at a time.

set -o errexit
set -o nounset
set -o pipefail

parts_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
bin_dir="$(cd "$parts_dir/../../.." && pwd)/bin/landscape"
stamps_dir="$bin_dir/.stamps"
logs_dir="$bin_dir/.logs"

# binary, module (a directory beside this script), package
programs=(
  "etcd                       etcd                    go.etcd.io/etcd/server/v3"
  "prometheus-config-reloader prometheus-operator     github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader"
  "prometheus-operator        prometheus-operator     github.com/prometheus-operator/prometheus-operator/cmd/operator"
  "kube-controller-manager    kubernetes              k8s.io/kubernetes/cmd/kube-controller-manager"
  "kube-apiserver             kubernetes              k8s.io/kubernetes/cmd/kube-apiserver"
  "kubectl                    kubernetes              k8s.io/kubernetes/cmd/kubectl"
  "prometheus                 prometheus              github.com/prometheus/prometheus/cmd/prometheus"
  "promtool                   prometheus              github.com/prometheus/prometheus/cmd/promtool"
  "gardener-resource-manager  gardener                github.com/gardener/gardener/cmd/gardener-resource-manager"
  "gardener-apiserver         gardener                github.com/gardener/gardener/cmd/gardener-apiserver"
  "gardener-controller-manager gardener               github.com/gardener/gardener/cmd/gardener-controller-manager"
  "gardener-admission-controller gardener             github.com/gardener/gardener/cmd/gardener-admission-controller"
  "opentelemetry-operator     opentelemetry-operator  github.com/open-telemetry/opentelemetry-operator"
  "otelcol                    collector               -"
  "dashboard-image            dashboard-image         ."
)

export CGO_ENABLED=0
# The modules beside this script must not be changed by building them.
export GOFLAGS="-trimpath -buildvcs=false -mod=readonly"
export GOWORK=off

# linker_flags prints the linker flags of a module. Kubernetes' and Gardener's programs are told their version.
linker_flags() {
  local version_of=""
  case "$1" in
  kubernetes) version_of="k8s.io/kubernetes" ;;
  gardener) version_of="github.com/gardener/gardener" ;;
  esac
  printf -- '-s -w'
  if [[ -n "$version_of" ]]; then
    local version package="k8s.io/component-base/version"
    version="$(awk -v module="$version_of" '$1 == module { print $2 } $1 == "require" && $2 == module { print $3 }' "$parts_dir/$1/go.mod")"
    printf -- ' -X %s.gitVersion=%s' "$package" "$version"
    printf -- ' -X %s.gitMajor=%s' "$package" "$(cut -d . -f 1 <<<"${version#v}")"
    printf -- ' -X %s.gitMinor=%s' "$package" "$(cut -d . -f 2 <<<"${version#v}")"
  fi
}

# pin prints what identifies how a program of a module is built: its version, the code that is here, and the linker flags.
pin() {
  local file files=("$parts_dir/$1/go.mod" "$parts_dir/$1/go.sum")
  for file in "$parts_dir/$1/manifest.yaml" "$parts_dir/$1"/*.go; do
    if [[ -f "$file" && "$file" != *_test.go ]]; then
      files+=("$file")
    fi
  done
  (cat "${files[@]}" && linker_flags "$1") | sha256sum | cut -d ' ' -f 1
}

is_current() {
  local binary="$1" module="$2"
  [[ -x "$bin_dir/$binary" && -f "$stamps_dir/$binary" && "$(<"$stamps_dir/$binary")" == "$(pin "$module")" ]]
}

build_collector() {
  local sources="$bin_dir/build/otelcol"
  rm -rf "$sources"
  mkdir -p "$(dirname "$sources")"
  go build -C "$parts_dir/collector" -o "$bin_dir/build/builder" go.opentelemetry.io/collector/cmd/builder
  # The path of the output in the manifest is relative to the root of the repository. The builder writes a module of its own.
  (cd "$parts_dir/../../.." && GOFLAGS="-trimpath" "$bin_dir/build/builder" --skip-compilation --config "$parts_dir/collector/manifest.yaml")
  GOFLAGS="-trimpath" go build -C "$sources" -ldflags="$(linker_flags collector)" -o "$bin_dir/otelcol.tmp" .
}

build() {
  local binary="$1" module="$2" package="$3"
  if [[ "$package" == "-" ]]; then
    build_collector
  else
    go build -C "$parts_dir/$module" -ldflags="$(linker_flags "$module")" -o "$bin_dir/$binary.tmp" "$package"
  fi
  mv "$bin_dir/$binary.tmp" "$bin_dir/$binary"
}

elapsed() {
  printf '%02d:%02d' $((($(date +%s) - $1) / 60)) $((($(date +%s) - $1) % 60))
}

# show_progress prints how long a build takes: on a terminal every second in place, otherwise a line every 30 seconds.
show_progress() {
  local text="$1" start="$2" pid="$3" seconds=0
  while kill -0 "$pid" 2>/dev/null; do
    if [[ -t 2 ]]; then
      printf '\r%s ... %s' "$text" "$(elapsed "$start")" >&2
    elif ((seconds % 30 == 0)); then
      printf '%s ... %s\n' "$text" "$(elapsed "$start")" >&2
    fi
    sleep 1
    seconds=$((seconds + 1))
  done
}

outdated=()
for program in "${programs[@]}"; do
  read -r binary module package <<<"$program"
  if ! is_current "$binary" "$module"; then
    outdated+=("$program")
  fi
done
if ((${#outdated[@]} == 0)); then
  exit 0
fi

mkdir -p "$stamps_dir" "$logs_dir"
builder_pid=""
trap '[[ -z "$builder_pid" ]] || kill "$builder_pid" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

echo "Building ${#outdated[@]} of ${#programs[@]} programs into bin/landscape (only once, until their version changes)." >&2
for i in "${!outdated[@]}"; do
  read -r binary module package <<<"${outdated[$i]}"
  text="[$((i + 1))/${#outdated[@]}] building $binary"
  log="$logs_dir/$binary.log"
  start="$(date +%s)"

  (build "$binary" "$module" "$package") >"$log" 2>&1 &
  builder_pid=$!
  show_progress "$text" "$start" "$builder_pid"
  if ! wait "$builder_pid"; then
    builder_pid=""
    printf '\n%s failed after %s. Last lines of %s:\n' "$text" "$(elapsed "$start")" "$log" >&2
    tail -n 15 "$log" >&2
    exit 1
  fi
  builder_pid=""
  pin "$module" >"$stamps_dir/$binary"
  if [[ -t 2 ]]; then
    printf '\r' >&2
  fi
  printf '%s done in %s\n' "$text" "$(elapsed "$start")" >&2
done
