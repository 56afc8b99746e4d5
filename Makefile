# Yett. `make run` starts a gateway to try, `make test` runs the tests; both install what they need into .venv first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
JOBS ?= 2
ARGS ?=
CONFIG ?= config/dev.yaml
PROOF_LIMIT_S ?= 720

.PHONY: help run test setup check schema bench bench-detectors bench-peers ci-proofs chaos fuzz nightly lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

run: setup ## Start the gateway with an embedded demo model on 127.0.0.1:8080 (CONFIG=... for another configuration)
	@echo "make: starting the gateway with $(CONFIG); stop it with Ctrl-C"
	@exec $(BIN)/yett serve --config $(CONFIG)

test: setup ## Run the test suite (ARGS="-k name" for a part of it)
	$(PYTEST) tests -m "not proof" -n $(JOBS) --dist loadfile $(ARGS)

setup: $(STAMP) ## Create .venv and install the locked versions

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: Python 3.11 or newer is needed; say which with: make PYTHON=/path/to/python3"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "make: creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV); } \
	  || { echo "make: python3 cannot make virtual environments (on Debian: apt-get install python3-venv)"; exit 1; }
	@echo "make: installing $$(grep -c '==' requirements.lock) locked packages into $(VENV), a minute or two"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@echo "make: installing yett itself, editable"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)
	@echo "make: ready"

check: setup schema ## Lint, format, types, import rules, freshness of the generated schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

schema: setup
	@$(BIN)/yett schema | diff -u config/gateway.schema.json - \
	  || { echo "make: config/gateway.schema.json is stale: yett schema > config/gateway.schema.json"; exit 1; }
	@$(BIN)/yett policy schema | diff -u config/policy.schema.json - \
	  || { echo "make: config/policy.schema.json is stale: yett policy schema > config/policy.schema.json"; exit 1; }

bench: setup ## Measure Yett, nginx and the installed peers, about four minutes (ARGS=--quick for a look)
	$(BIN)/python bench/run.py $(ARGS)

bench-detectors: setup ## Measure what the default detectors cost, in process
	$(BIN)/python bench/detectors.py $(ARGS)

bench-peers: setup ## Install the peers that the bench compares with, into bench/.venvs
	$(BIN)/python bench/peers.py

ci-proofs: setup ## Slow proofs: real clients, kill loops, large random runs; at most 12 minutes
	timeout $(PROOF_LIMIT_S) $(PYTEST) tests -m proof $(ARGS)

chaos: setup ## Kill, fill the disk, break the provider
	$(PYTEST) tests/chaos -m "proof or not proof" $(ARGS)

fuzz: setup ## Random input against everything that parses
	YETT_RANDOM=1 $(PYTEST) tests/fuzz -m "proof or not proof" $(ARGS)

nightly: setup ## Everything, without a time limit
	$(MAKE) check
	YETT_RANDOM=1 $(PYTEST) tests -m "proof or not proof" $(ARGS)
	$(MAKE) bench

lock: ## Write requirements.lock anew from pyproject.toml, with hashes (five minutes)
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder/venv"; \
	"$$folder/venv/bin/pip" install --quiet --disable-pip-version-check pip-tools; \
	printf 'hatchling>=1.27\neditables\n' > "$$folder/build.in"; \
	"$$folder/venv/bin/pip-compile" --quiet --strip-extras --extra dev --generate-hashes --allow-unsafe \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate \
	  --output-file "$$folder/lock" pyproject.toml "$$folder/build.in"; \
	{ echo '# Exact versions and hashes of everything that `make setup` installs. Made by `make lock`; do not edit.'; \
	  sed -E '/^#/d; /^yett @/d; /^$$/d' "$$folder/lock"; } > requirements.lock; \
	echo "make: $$(grep -c '==' requirements.lock) packages locked"

clean: ## Remove what make built; keeps var/, where the audit lies
	rm -rf $(VENV) .venv-* bench/.venvs dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
