# The one front door. `make` prints what there is.

.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

STEP := scripts/step
PAIRS ?= 2000
SEED ?= 1
SECONDS ?= 60
MINUTES ?= 20
HYDRA ?= yes
LOAD ?=
TOKENS ?= 10000000
REVOCATIONS ?= 1000000

## For a person

help: ## Print these targets
	@awk -F ':.*## ' '/^## / { print "\n" substr($$0, 4) } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

demo: ## Cluster, Istio, chart and examples; send requests and print what was refused (root)
	@$(STEP) "demo" scripts/suite demo

up: ## The demo's cluster, with the chart and the examples, kept for a person (root)
	@$(STEP) "cluster" scripts/suite up

shell: ## A shell in that cluster, with kubectl and helm
	@scripts/testbed shell

down: ## End that cluster
	@scripts/testbed down

image: ## Build the static release binary and its image
	@$(STEP) "image" scripts/image release

## Before a commit

fmt: ## Format the code
	@cargo fmt --all

gen: ## Write the generated files anew
	@cargo run --quiet -p countersign-crds --bin crdgen charts/countersign/templates
	@cargo run --quiet -p countersign-scan --bin vapgen charts/countersign/templates

check: check-format check-lint check-licences check-rooms check-generated check-chart check-unit ## All that needs neither root nor a cluster

lint: check-format check-lint ## Format and clippy alone

test: check test-tools test-testbed test-api test-cluster ## Everything (root)

## Longer

differential: ## The same requests to decide and to a real Istio (root): PAIRS=20000 SEED=…
	@scripts/suite differential --pairs $(PAIRS) --seed $(SEED)

bench: bench-scan bench-webhook bench-signer bench-tokens ## Time and memory: scans, the webhook, the signer, tokens, 10,000 policies into target/bench.json (root)
	@$(STEP) "bench" scripts/suite bench

bench-scan: ## What finding credentials costs for each object: COUNTERSIGN_CORPUS=FILE measures your own
	@$(STEP) "bench of scans" cargo bench --locked -p countersign-scan

bench-webhook: ## The webhook on one processor, over TLS, at 1,000 requests a second
	@$(STEP) "webhook under load" cargo run --locked --release -p countersign-webhook --example load

bench-signer: ## Certificates a second on one processor, beside its signatures; 10,000 workloads; through Istio's CA API too
	@$(STEP) "signer from inside" cargo run --locked --release -p countersign-signer --example signer_load
	@$(STEP) "signer under load" cargo run --locked --release -p countersign-signer --example istio_load

bench-tokens: ## Tokens a second on one processor, beside its signatures and Ory Hydra: HYDRA=no without; LOAD="--postgres --families 1000000" for more
ifneq ($(HYDRA),no)
	@$(STEP) "Ory Hydra, for comparison" scripts/peers hydra
endif
	@$(STEP) "token service under load" cargo run --locked --release -p countersign-tokens --example token_load -- \
		$(if $(filter no,$(HYDRA)),,--hydra "$$(scripts/peers hydra)/hydra") $(LOAD)

bench-store: ## The token service's store on PostgreSQL beside 10 million refresh tokens and 1 million revocations, which need 20 GB in /tmp, and beside 10,000 and 1,000: TOKENS=200000 REVOCATIONS=20000 for fewer (root, for huge pages)
	@$(STEP) "store, small and full" scripts/huge-pages 6600 cargo run --locked --release -p countersign-tokens --example store_load -- \
		--postgres --tokens $(TOKENS) --revocations $(REVOCATIONS)

fuzz: ## Each fuzz target for a minute, or for SECONDS=600
	@$(STEP) "fuzz" scripts/fuzz $(SECONDS)

soak: ## A mesh with certificates of ten minutes, while root, intermediate and signers are replaced: MINUTES=20 (root)
	@$(STEP) "soak" env SOAK_MINUTES=$(MINUTES) scripts/suite soak

compat: ## The API-server tests on Kubernetes 1.36 (root)
	@$(STEP) "API server tests on Kubernetes 1.36" scripts/suite light --kubernetes 1.36

clean: ## Remove what was built in the checkout; the cache outside it stays
	@cargo clean

# The steps of `check` and `test`, each of which can be run alone.

check-format:
	@$(STEP) "format" cargo fmt --all --check

check-lint:
	@$(STEP) "lints" cargo clippy --locked --workspace --all-targets -- -D warnings

check-licences:
	@$(STEP) "licences and bans" scripts/check-licences

check-rooms:
	@$(STEP) "purity and direction of the rooms" scripts/check-rooms

check-generated:
	@$(STEP) "generated files" scripts/check-generated

check-chart:
	@$(STEP) "chart" scripts/check-chart

check-unit:
	@$(STEP) "programs of others, for the tests" scripts/peers
	@$(STEP) "unit and golden tests" cargo test --locked --workspace
	@$(STEP) "grants of tokens, attacks and clients of others, on PostgreSQL" env COUNTERSIGN_TEST_STORE=postgres \
		cargo test --locked --workspace --test grants --test attacks --test interop

test-tools:
	@$(STEP) "programs of the cluster" scripts/testbed tools --istio

test-testbed:
	@$(STEP) "what a testbed leaves behind" scripts/suite lifecycle

test-api:
	@$(STEP) "PostgreSQL, for the tests" scripts/peers store
	@$(STEP) "API server tests" scripts/suite light

test-cluster:
	@$(STEP) "cluster tests" scripts/suite mesh

.PHONY: help demo up shell down image fmt gen check lint test differential bench bench-scan bench-webhook bench-signer bench-tokens bench-store fuzz soak compat clean check-format check-lint \
	check-licences check-rooms check-generated check-chart check-unit test-tools test-testbed test-api test-cluster
