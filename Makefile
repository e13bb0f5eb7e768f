# The menu: `make help`. Everything that CI does is a line of it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Static binaries; one build cache for builds, linters and fuzzing. Only the race detector needs C.
export CGO_ENABLED := 0

# Go and npm keep their caches at home. Without a home (a bare CI user) they get one in the checkout.
ifneq ($(shell test -w "$${HOME:-}" && echo writable),writable)
export HOME := $(CURDIR)/.cache/home
$(shell mkdir -p $(HOME))
endif

# Tools that are not in go.mod: their dependencies are not ours. `go run` keeps what it built.
GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BUF := web/node_modules/.bin/buf

# What stops with make, however make is stopped.
TETHER := .ci/tether

# The packages that `make unit`, `make bench` and `make lint` look at.
PKG ?= ./...
FUZZTIME ?= 3s
N ?= 1000000
SEED ?= 1

# How many requests `make bench-simulate` makes up.
SIMULATE_EVENTS ?= 1000000

# How often `make bench-policy` runs each benchmark.
COUNT ?= 1

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^##@/ { print substr($$0, 5) ":" } /^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run

.PHONY: demo
demo: demo-parts build ## Run the whole product on this machine, on its own Postgres and Redis (ARGS="--help")
	@$(TETHER) bin/sallyport dev --follow-parent $(ARGS)

.PHONY: demo-parts
demo-parts:
	@.ci/parts go postgres redis

.PHONY: build
build: ## Build the binaries into bin/
	@mkdir -p bin
	@$(TETHER) go build -o bin/ $(addprefix ./,$(wildcard cmd/sallyport*))

##@ Check

# In the order of what a person wants to know first. Each is a target of its own.
STAGES := parts generate-check lint unit fuzz e2e

.PHONY: test
test: ## Check everything, and install what that needs: generated code, lint, tests, fuzzing, browser
	@$(TETHER) .ci/stages $(STAGES)

.PHONY: parts
parts:
	@.ci/parts go node cc postgres redis nginx chromium fonts
	@$(MAKE) -s web/node_modules

.PHONY: unit
unit: ## Run the Go tests with the race detector (PKG=./edge/...)
	@mkdir -p bin/test
	@go run ./cmd/internal/testservices -- env CGO_ENABLED=1 go test -race -shuffle=on -json $(PKG) \
	  | go run ./cmd/internal/testreport -log bin/test/go.log

.PHONY: fuzz
fuzz: ## Run every fuzz target for a moment (FUZZTIME=1m)
	@.ci/fuzz $(FUZZTIME)

# The same N and SEED make the same pairs: a run that found something can be run again.
.PHONY: policy-properties
policy-properties: ## Decide random (policy, request) pairs by the engine and by the reference (N=100000000 SEED=2)
	@GOGC=400 go test ./edge/policy -run '^TestProperties$$' -count 1 -timeout 0 -v -pairs $(N) -seed $(SEED)

.PHONY: e2e
e2e: build web/node_modules ## Run the browser tests against the whole product
	@cd web && node --test e2e/*.test.mjs

.PHONY: bench
bench: ## Run the benchmarks (PKG=./edge/policy)
	@go run ./cmd/internal/testservices -- go test -run '^$$' -bench . -benchmem $(PKG)

.PHONY: bench-simulate
bench-simulate: ## Simulate a draft against 1,000,000 recorded requests, made up first (SIMULATE_EVENTS=1000000)
	@SIMULATE_EVENTS=$(SIMULATE_EVENTS) go run ./cmd/internal/testservices -- \
	  go test ./controlplane/simulation -run '^$$' -bench Simulate -benchtime 1x -timeout 0

.PHONY: bench-policy
bench-policy: ## Time decisions, and the same ones by cedar-go and OPA, once all three are shown to decide alike (COUNT=10, for benchstat)
	@go test ./edge/policy/... -run '^$$' -bench . -benchmem -count $(COUNT) -timeout 0
	@cd bench/policy && go test -count 1 -v -run '^TestPeersAgree$$' -timeout 0 . && go test -run '^$$' -bench . -count $(COUNT) -timeout 0 .

.PHONY: lint
lint: lint-proto lint-go ## Run the linters

.PHONY: lint-go
lint-go: ## Run the linters on Go (PKG=./edge/...)
	@$(GOLANGCI) run $(PKG)
	@go mod tidy -diff

.PHONY: lint-proto
lint-proto: web/node_modules ## Run the linters on protos, and refuse breaking changes against main
	@$(BUF) lint
	@$(BUF) format --path proto/sallyport --diff --exit-code
	@if git rev-parse -q --verify main >/dev/null; \
	then $(BUF) breaking --against "$$(git rev-parse --git-common-dir)#branch=main"; \
	else echo 'No branch main here: nothing to compare the protos with.'; fi

##@ Write

.PHONY: fmt
fmt: web/node_modules ## Format Go and protos
	$(GOLANGCI) fmt
	$(BUF) format --path proto/sallyport -w

.PHONY: generate
generate: web/node_modules ## Write proto/gen and proto/third_party
	go run ./proto/third_party/print proto/third_party
	$(BUF) format --path proto/sallyport -w
	$(BUF) generate --template proto/buf.gen.yaml

# Generates beside the checkout, so that looking changes nothing.
.PHONY: generate-check
generate-check: web/node_modules ## Check that `make generate` would change nothing
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	go run ./proto/third_party/print "$$fresh/proto/third_party"; \
	$(BUF) generate --template proto/buf.gen.yaml -o "$$fresh"; \
	diff -r proto/gen "$$fresh/proto/gen" && diff -r proto/third_party/buf "$$fresh/proto/third_party/buf" \
	  || { echo 'Generated files are not up to date: run `make generate`.' >&2; exit 1; }

.PHONY: clean
clean: ## Delete what was built and installed here; the data of the demo stays, in .sallyport/
	@if [ -d .cache ]; then chmod -R u+w .cache; fi
	rm -rf bin .cache web/node_modules

web/node_modules: web/package.json web/package-lock.json
	@cd web && npm ci
	@touch $@
