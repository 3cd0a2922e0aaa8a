.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_FLAGS := --simulate --faults jobs/faults.yaml --yes --rate 200/s --run-dir .bulkip
JOBS ?= 2
BENCH ?=
# once for all, where Python is told to write no bytecode: the tests start a thousand processes
COMPILE := $(RUN)/python -m compileall -q bulkip tests

.PHONY: help setup demo demo-cluster test lint types cov chaos bench system-deps clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment in .venv

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,cluster,metrics,notify,parquet]'
	@touch $(READY)

demo: $(READY) ## rehearse the PTR migration of jobs/ against the simulator, with faults that heal
	$(RUN)/bulkip run jobs/ptr-migration.yaml $(DEMO_FLAGS)

demo-cluster: $(READY) ## kill one of three workers on a real PostgreSQL in mid-run, and see the run finish
	@$(RUN)/python -m tests.demo

test: $(READY) ## run the tests
	@$(COMPILE)
	$(RUN)/python -m pytest -n $(JOBS) --dist loadgroup -q

lint: $(READY) ## check style and formatting
	$(RUN)/ruff check . && $(RUN)/ruff format --check .

types: $(READY) ## check types, tests included
	$(RUN)/mypy

cov: $(READY) ## run the tests and show what no test reaches
	$(RUN)/coverage run -m pytest -q && $(RUN)/coverage combine --quiet && $(RUN)/coverage report

chaos: $(READY) ## kill and resume runs for a quarter of an hour, and hold them against the laws
	BULKIP_CHAOS=1 $(RUN)/python -m pytest -n $(JOBS) -q tests/chaos && $(RUN)/python -m tests.chaos

bench: $(READY) ## measure, side by side, against the budgets; BENCH names sections, or --quick
	@$(COMPILE)
	$(RUN)/python -m tests.bench $(BENCH)

system-deps: ## install the Debian packages that some tests need (as root)
	apt-get update -qq && apt-get install -y -qq --no-install-recommends bind9 bind9-utils chromium

clean: ## remove what the other targets made
	rm -rf $(VENV) .bulkip .coverage* .mypy_cache .ruff_cache dist
