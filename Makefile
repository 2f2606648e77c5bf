# Set-up, demo, tests. Every target makes .venv first where it is needed; see `make help`.
#
#   make test VENV=path        use the virtual environment in path as it is
#   make setup PYTHON=python3.12 TORCH=torch==2.11.0
#   make test JOBS=2           processes that test at the same time

SHELL := /bin/bash
PYTHON ?= python3
TORCH ?= torch==2.13.0
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$(( n > 8 ? 8 : n )))
export PYTHON TORCH

# An environment that the caller names is his: looked at, never changed.
ifeq ($(origin VENV),undefined)
VENV := .venv
READY := $(VENV)/.ready
else
READY := existing-environment
endif
RUN := $(VENV)/bin/python
export PATH := $(abspath $(VENV)/bin):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint bench results existing-environment

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: $(READY)  ## make .venv with everything that is needed (compiles fairseq once, some minutes)

demo: $(READY)  ## learn to translate two small artificial languages without a pair (minutes)
	@$(RUN) examples/demo/demo.py

test: $(READY)  ## unit and end-to-end tests
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n $(JOBS) --dist worksteal tests/end_to_end tests/unit

test-slow: $(READY)  ## tests that train until something is learnt
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n $(JOBS) --dist worksteal tests/learning

lint: $(READY)  ## ruff and mypy
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

bench: $(READY)  ## the benchmarks, each prints a ratio
	@set -e; for file in benchmarks/*.py; do echo "== $$file"; $(RUN) "$$file"; done

results: $(READY)  ## from examples/*/result.json: tables of the README and the cards, and all scores here
	@$(RUN) -m mass_plugins.scoring.results

.venv/.ready: setup.py .ci/set_up
	@.ci/set_up .venv
	@touch $@

existing-environment:
	@test -x $(RUN) || { echo "error: VENV=$(VENV): there is no virtual environment ($(RUN) is missing); leave VENV out and .venv is made" >&2; exit 1; }
	@$(RUN) mass_plugins/doctor.py > /dev/null 2>&1 || { $(RUN) mass_plugins/doctor.py 2>/dev/null | grep '^wrong' >&2; exit 1; }
