# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

NAME := gardener-extension-otel-federation

# The same flags everywhere, so that programs, tests and linters share one build cache. Static binaries run in any image.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath -buildvcs=false
export GOTOOLCHAIN := local

# Number of seeds in the local landscape. The first one is the runtime cluster.
SEEDS ?= 2
# Number of series that the corpus exporter of each seed offers.
SERIES ?= 2000
# Interval at which everything in the local landscape is scraped. A minute in a real landscape.
SCRAPE_INTERVAL ?= 5s

LANDSCAPE          := bin/landscape/landscape
LANDSCAPE_DIR      ?= .landscape
LANDSCAPE_TEST_DIR := .landscape-test

PARITY := bin/landscape/parity
# Size of the landscape that `make parity` starts: the corpus of each seed has 7*N series.
N ?= 100
# URLs of two Prometheis of a running landscape, which `make parity` compares instead of starting one, and further flags.
PULL         ?=
PUSH         ?=
PARITY_FLAGS ?=

# How long `make fuzz` runs each fuzz test.
FUZZ_TIME ?= 30s
# A file into which `make sast` writes a report, and the database of `make govulncheck`.
SAST_REPORT ?=
VULNDB      ?=

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### Local landscape

.PHONY: up
up: landscape-binaries ## Run a landscape with this extension on this machine (SEEDS=2, SERIES=2000).
	@$(LANDSCAPE) up --dir $(LANDSCAPE_DIR) --seeds $(SEEDS) --corpus-series $(SERIES) --scrape-interval $(SCRAPE_INTERVAL)
	@bash hack/dashboard-image.sh $(LANDSCAPE) $(LANDSCAPE_DIR) if-missing || echo "The dashboard could not be drawn. The landscape is up all the same."

.PHONY: status
status: ## Show the state of the landscape.
	@test -x $(LANDSCAPE) || { echo "No landscape has been built yet: run 'make up' first." >&2; exit 1; }
	@$(LANDSCAPE) status --dir $(LANDSCAPE_DIR)

.PHONY: down
down: ## Stop the landscape.
	@test ! -x $(LANDSCAPE) || $(LANDSCAPE) down --dir $(LANDSCAPE_DIR)

.PHONY: dashboard-image
dashboard-image: landscape-binaries ## Draw the dashboard of the garden, with the data of the running landscape, for the docs.
	@bash hack/dashboard-image.sh $(LANDSCAPE) $(LANDSCAPE_DIR) always

.PHONY: landscape-binaries
landscape-binaries: build ## Build the programs of the landscape, as far as they are missing or their pins have changed.
	@bash test/landscape/parts/build.sh
	@go build -ldflags='-s -w' -o bin/landscape/ ./test/landscape/cmd/...

.PHONY: parity
ifneq ($(PULL)$(PUSH),)
parity: ## Compare push with pull, in a landscape of its own (N=100) or in a running one (PULL=url PUSH=url).
	@go build -ldflags='-s -w' -o bin/landscape/ ./test/landscape/cmd/parity
	@$(PARITY) --pull "$(PULL)" --push "$(PUSH)" $(PARITY_FLAGS)
else
parity: landscape-binaries
	@bash hack/parity.sh $(LANDSCAPE) $(PARITY) $(LANDSCAPE_TEST_DIR) $(N)
endif

##### Extension

.PHONY: build
build: ## Build the extension.
	@go build -ldflags='-s -w' -o bin/ ./cmd/$(NAME)

.PHONY: docker-image
docker-image: ## Build the container image (PLATFORMS=linux/amd64,linux/arm64).
	@bash hack/docker-image.sh

.PHONY: chart-package
chart-package: ## Check the chart and package it into bin/charts.
	@bash hack/chart-package.sh

.PHONY: extension-up
extension-up: ## Deploy the extension into Gardener's own local setup, which needs a container engine.
	@bash hack/extension.sh up

.PHONY: extension-down
extension-down: ## Remove the extension from Gardener's own local setup.
	@bash hack/extension.sh down

.PHONY: generate
generate: ## Generate deepcopy, defaults, conversion, the API reference, and the manifests for the installation.
	@bash hack/update-codegen.sh

.PHONY: format
format: ## Format the Go files.
	@bash hack/format.sh

.PHONY: check
check: ## Check format, vet, lint, and that generated files are up to date.
	@bash hack/check.sh

.PHONY: sast
sast: ## Look for insecure code (SAST_REPORT=file writes a report in SARIF).
	@bash hack/sast.sh $(SAST_REPORT)

.PHONY: govulncheck
govulncheck: ## Look for known vulnerabilities in what the extension calls (VULNDB=url of a mirror of the database).
	@VULNDB="$(VULNDB)" bash hack/govulncheck.sh

##### Tests

.PHONY: test
test: test-unit test-integration test-e2e ## Run all tests.

.PHONY: test-unit
test-unit: landscape-binaries ## Run the unit tests.
	@bash hack/test.sh unit

.PHONY: test-integration
test-integration: landscape-binaries ## Run the controllers against a real API server.
	@bash hack/test.sh integration

.PHONY: test-e2e
test-e2e: landscape-binaries ## Run the end-to-end tests and the quick security tests in a landscape of their own.
	@bash hack/test-landscape.sh $(LANDSCAPE) $(LANDSCAPE_TEST_DIR) test/e2e,test/security 30

.PHONY: test-e2e-long
test-e2e-long: landscape-binaries ## Run the end-to-end tests that take too long for `make test`.
	@LABELS=long bash hack/test-landscape.sh $(LANDSCAPE) $(LANDSCAPE_TEST_DIR) test/e2e 25

.PHONY: test-breakage
test-breakage: landscape-binaries ## Break the federation on purpose and see `make parity` name what broke (takes longer, not part of `make test`).
	@bash hack/test-landscape.sh $(LANDSCAPE) $(LANDSCAPE_TEST_DIR) test/breakage 40 --hand-over Push

.PHONY: test-faults
test-faults: landscape-binaries ## Inject faults and look for every sample afterwards (takes longer, not part of `make test`).
	@LABELS='!catch-up' bash hack/test-landscape.sh $(LANDSCAPE) $(LANDSCAPE_TEST_DIR) test/faults 60 --hand-over Push --rising
	@LABELS=catch-up bash hack/test-landscape.sh $(LANDSCAPE) $(LANDSCAPE_TEST_DIR) test/faults 20 --hand-over Push --seeds 1 --corpus-series 70000 --scrape-interval 15s --reference=false

.PHONY: test-security
test-security: landscape-binaries ## Attack the federation in a landscape of its own (takes longer, not part of `make test`).
	@LABELS='long || !long' bash hack/test-landscape.sh $(LANDSCAPE) $(LANDSCAPE_TEST_DIR) test/security 40

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZ_TIME=30s; `make test-unit` runs what they have found before.
	@bash hack/fuzz.sh $(FUZZ_TIME)

##### Measurements

# The document into which the results are written. Without one they are printed.
BENCH_OUTPUT ?= docs/benchmarks.md
# Number of scrapes that are measured, and further flags of the program.
SCRAPES     ?= 12
BENCH_FLAGS ?=

.PHONY: bench
bench: SERIES = 700,7000,70000,200000
bench: ## Measure push, pull and other ways side by side and write docs/benchmarks.md (SERIES=700,7000,70000,200000 SCRAPES=12).
	@bash hack/bench.sh "$(SERIES)" "$(SCRAPES)" "$(BENCH_OUTPUT)" $(BENCH_FLAGS)

.PHONY: bench-soak
bench-soak: SERIES = 70000
bench-soak: ## Watch the memory for an hour, cut the WAN for half an hour, and write docs/benchmarks.md (takes 95 minutes).
	@bash hack/bench.sh "$(SERIES)" 4 "$(BENCH_OUTPUT)" --target bench-soak --command "make bench-soak" --ways extension --together 2 --latency-scrapes 0 --soak 1h --outage 30m $(BENCH_FLAGS)

.PHONY: bench-scale
bench-scale: landscape-binaries ## Measure what 100 and 1,000 Seeds cost the garden, in a landscape of its own, and write docs/benchmarks.md.
	@bash hack/test-landscape.sh $(LANDSCAPE) $(LANDSCAPE_TEST_DIR) test/scale 55 --seeds 1 --reference=false

.PHONY: bench-micro
bench-micro: ## Run the Go benchmarks of the extension's own code.
	@go test -run='^$$' -bench=. -benchmem ./pkg/...

.PHONY: clean
clean: down ## Stop the landscape and remove what was built.
	@rm -rf bin .bench $(LANDSCAPE_DIR) $(LANDSCAPE_TEST_DIR)
