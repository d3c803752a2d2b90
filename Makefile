# Everything here is what the README gives a user; CI calls `make test`.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down lint test prove bench lock

PYTHON ?= python3
SIZE ?= 1GB
N ?= 20
SEED ?= 1
BIN := .venv/bin

help:            ## show these lines
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: .venv/installed  ## install system packages (apt) and Python packages (.venv)

.venv/installed: pyproject.toml constraints.txt deployments/install-packages
	deployments/install-packages
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup      ## a whole site, backups, a loss on purpose and the way back; leaves the UI open
	$(BIN)/recover demo

demo-down: setup  ## stop and remove all that the demo made
	$(BIN)/recover demo --down

lint: setup      ## ruff, mypy strict, import-linter
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

test: lint       ## all that must hold
	$(BIN)/python -m pytest

prove: setup     ## the long campaigns: N=20 SEED=1
	N=$(N) SEED=$(SEED) $(BIN)/python -m pytest -m campaign -s --timeout=3600

bench: setup     ## backup and restore side by side with other tools: SIZE=1GB
	$(BIN)/python -m benchmarks --size $(SIZE)

lock:            ## pin all packages anew into constraints.txt
	uv pip compile pyproject.toml --all-extras --no-header --no-annotate --no-emit-index-url --universal --upgrade -o constraints.txt
