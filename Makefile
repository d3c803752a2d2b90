# Everything here is what the README gives a user; CI calls `make test`.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down lint test soak abroad prove bench lock

PYTHON ?= python3
SIZE ?= 1GB
N ?= 20
SEED ?= 1
# Each test file by one of two processes, in the order of the folders: unit, integration, drills.
TWO_AT_ONCE := -n 2 --dist loadfile --no-loadscope-reorder
BIN := .venv/bin

help:            ## show these lines
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: .venv/installed  ## install system packages (apt) and Python packages (.venv)

.venv/installed: pyproject.toml constraints.txt deployments/install-packages
	deployments/install-packages
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install -q --python .venv -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup      ## a whole site, backups, a loss on purpose and the way back; leaves the UI open
	$(BIN)/recover demo

demo-down: setup  ## stop and remove all that the demo made
	$(BIN)/recover demo --down

lint: setup      ## ruff, mypy strict, import-linter
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

test: setup      ## all that must hold: lint, then unit, integration, drills; goes on to the end whatever fails
	@$(MAKE) --no-print-directory lint; lint=$$?; \
	$(BIN)/python -m pytest -m 'not long' $(TWO_AT_ONCE) --second-try --durations=20 || exit $$?; \
	[ $$lint = 0 ] || echo 'all tests passed, but lint did not: see above' >&2; exit $$lint

soak: N = 3
soak: setup      ## all tests N times beside three busy loops, no second tries: N=3
	$(BIN)/python -m tests.soak $(N)

abroad: setup    ## the drills once as in another country: its language, its clock, its way to write dates
	localedef --list-archive 2>/dev/null | grep -qx de_DE.utf8 || localedef -i de_DE -f UTF-8 de_DE.UTF-8
	DRILLS_ABROAD=1 TZ=Asia/Kathmandu LC_ALL=de_DE.UTF-8 LANGUAGE=de $(BIN)/python -m pytest -m 'not long' $(TWO_AT_ONCE) tests/drills

prove: setup     ## the long campaigns: N=20 SEED=1
	N=$(N) SEED=$(SEED) $(BIN)/python -m pytest -m 'campaign or long' -s --timeout=3600

bench: setup     ## backup and restore side by side with other tools: SIZE=1GB
	$(BIN)/python -m benchmarks --size $(SIZE)

lock:            ## pin all packages anew into constraints.txt
	$(BIN)/uv pip compile -q pyproject.toml --all-extras --no-header --no-annotate --no-emit-index-url --universal --upgrade -o constraints.txt
