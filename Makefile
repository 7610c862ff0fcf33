# `make demo` shows what Embudo does; `make test` checks everything. Both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/embudo
export CARGO_TARGET_DIR ?= $(CACHE)/target
export CARGO_TERM_COLOR ?= auto
VENV := .venv
BIN := $(VENV)/bin
DIST := $(CACHE)/dist
SOURCES := $(shell git ls-files -co --exclude-standard crates python Cargo.toml Cargo.lock 2>/dev/null | grep -v -E '^python/tests/')

.PHONY: help demo test lint test-rust test-slt test-python test-packages test-docs test-sqlalchemy test-compat test-golden test-crash test-fuzz check-targets bench soak wheel fmt clean
.DEFAULT_GOAL := help

help: ## This list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/demo ## Build, install into .venv and show the product on an embedded database and over REST.
	$(BIN)/python examples/quickstart.py

test: lint test-rust test-slt test-python test-packages test-docs test-sqlalchemy test-compat test-golden test-crash test-fuzz ## Everything that must pass.
	@echo "make test: all parts passed"

lint: $(VENV)/test ## Formatting, lints, layers, types.
	cargo fmt --all --check
	$(PYTHON) tools/check_layers.py
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check python examples tools tests bench
	cd python && ../$(BIN)/mypy
	$(BIN)/mypy --strict --ignore-missing-imports examples tools tests/*.py tests/compat/run.py
	$(BIN)/mypy --strict --ignore-missing-imports bench/{run,connectors,asynchronous,frames,starting}.py
	@tools/optional.sh cargo-deny cargo deny --log-level error check
	@tools/optional.sh typos typos

test-rust: ## Unit, property and simulation tests of every crate.
	cargo test --quiet --no-fail-fast --workspace --exclude embudo-python --exclude embudo-tests

test-slt: ## The SQL corpus, embedded and over REST.
	cargo test --quiet --package embudo-tests --test slt

test-python: $(VENV)/test ## The Python packages.
	$(BIN)/python -m pytest python/tests

test-packages: $(VENV)/test ## What pip makes of the wheel in fresh environments, beside the official packages; the source distribution.
	$(BIN)/python tests/packages.py $(DIST)/*.whl

check-targets: ## Whether the sources compile for Windows, musl, macOS and arm64, as far as those targets are installed.
	@tools/check_targets.sh

test-docs: $(VENV)/test ## The documentation, whose warnings are errors.
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs $(CACHE)/docs

test-sqlalchemy: $(VENV)/test ## SQLAlchemy's own suite for dialects, over every transport.
	$(BIN)/python tests/sqlalchemy_suite/run.py

test-compat: $(VENV)/test ## Official clients, unmodified, against our server.
	$(BIN)/python tests/compat/run.py

test-golden: $(VENV)/test ## Recorded answers of a TDengine, replayed against our server.
	$(BIN)/python tests/golden.py

test-crash: $(VENV)/test ## 200 kills of a writing process; nothing acknowledged is lost.
	$(BIN)/python tests/crash.py --kills 200

test-fuzz: ## Every fuzz target for 30 seconds.
	@tools/fuzz.sh 30

bench: $(VENV)/test ## Side by side with DuckDB and chDB, in one run.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check duckdb chdb
	$(BIN)/python bench/run.py

soak: $(VENV)/test ## The long forms: 2,000 kills, ten minutes a fuzz target, long simulations of failing disks, 2,000 random databases, 100,000 connections, a wheel of the source distribution.
	EMBUDO_SOAK=1 $(BIN)/python -m pytest python/tests/test_leaks.py
	$(BIN)/python tests/packages.py $(DIST)/*.whl --build-source
	$(BIN)/python tests/crash.py --kills 2000
	EMBUDO_SIMULATIONS=100 cargo test --quiet --package embudo-storage --lib store::tests::model
	EMBUDO_SIMULATIONS=100 cargo test --quiet --package embudo-engine --lib simulation
	EMBUDO_SEED=$$RANDOM$$RANDOM EMBUDO_DIFFERENTIAL=2000 cargo test --quiet --package embudo-engine --test session differential
	@tools/fuzz.sh 600

wheel: $(DIST)/built ## The wheel, into the cache's dist folder.
	@ls -l $(DIST)/*.whl

fmt: $(VENV)/test ## Format everything.
	cargo fmt --all
	$(BIN)/ruff format python examples tools tests bench
	$(BIN)/ruff check --fix .

clean: ## Forget the environment and the caches.
	rm -rf $(VENV) $(CACHE)

$(VENV)/made:
	@$(PYTHON) tools/preflight.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2'
	@touch $@

$(DIST)/built: $(SOURCES) | $(VENV)/made
	@rm -rf $(DIST) && mkdir -p $(DIST)
	@$(PYTHON) tools/build_progress.py embudo-python -- $(BIN)/maturin build --release --locked --manifest-path python/Cargo.toml --out $(DIST)
	@touch $@

$(VENV)/installed: $(DIST)/built
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(DIST)/*.whl
	@touch $@

$(VENV)/demo: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pandas>=2.2' 'sqlalchemy>=2.0' matplotlib
	@touch $@

$(VENV)/test: $(VENV)/installed python/requirements-test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r python/requirements-test.txt
	@touch $@
