# `make` alone lists what there is. Everything sets up its own .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench bench-quality clean lock

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## Make .venv with exactly the locked packages

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed and was not found"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; set PYTHON=path/to/it"; exit 1; }
	@echo "setting up $(VENV) (about a minute) …"
	@$(PYTHON) -m venv $(VENV)
	@# The lock is complete, so nothing is resolved: pip would stumble over extras of locked packages.
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Run everything on a simulated telescope, or on INPUT=path [MAPPING=file.toml]
	@$(BIN)/dante demo $(if $(INPUT),--input "$(INPUT)") $(if $(MAPPING),--mapping "$(MAPPING)")

# Two halves at once, one a core; what the first says is shown when both are done.
FIRST := tests/sources tests/simulate tests/benchmarks tests/evaluate tests/sequences tests/contracts \
	tests/clustering tests/embedding tests/tracking tests/store tests/export tests/labels tests/report \
	tests/pipeline

test: setup lint ## Lint, type-check, hold the layers, run all tests
	@said=$$(mktemp) && { $(BIN)/python -m pytest $(FIRST) >"$$said" 2>&1 & first=$$!; \
		$(BIN)/python -m pytest $(FIRST:%=--ignore=%); second=$$?; \
		wait $$first; first=$$?; cat "$$said"; rm -f "$$said"; \
		test $$first -eq 0 && test $$second -eq 0; }

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup ## Measure how fast files are ingested, beside other readers (ten minutes); ARGS=pcap
	@$(BIN)/python -m benchmarks.ingest $(ARGS)

bench-quality: setup ## Compare with rivals on simulated telescopes, write docs/benchmarks.md (half an hour)
	@$(BIN)/python -m benchmarks.quality --write docs/benchmarks.md $(if $(ARGS),$(ARGS))

lock: setup ## Make requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-annotate --no-emit-index-url pyproject.toml -o requirements.lock

clean: ## Remove .venv, caches and the demo
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo
