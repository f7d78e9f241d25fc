# `make demo` and `make test` do all set-up themselves; `make help` lists the rest.
VENV ?= .venv
PYTHON ?=
BIN := $(VENV)/bin
export VENV PYTHON
export OPENBLAS_NUM_THREADS ?= 2
TORTURE_SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint types format bench torture screenshots train clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## Make the virtual environment and install system packages, where they are missing
	@scripts/setup

demo: setup ## Open the app on garments; without a display do the main job and save images of it
	@scripts/with-display $(BIN)/napari-fashion demo --overwrite

test: setup ## Run all tests, under a virtual display; in two processes, or those of ARGS in one
	@scripts/run-tests $(ARGS)

test-fast: setup ## Run the tests that open no window
	@$(BIN)/python -m pytest -m "not window" $(ARGS)

lint: setup ## Check style and the plugin's manifest
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/npe2 validate napari_fashion

types: setup ## Check types (strict in schema, coco and engine)
	@$(BIN)/mypy

format: setup ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: setup ## Run the benchmarks
	@for f in benchmarks/bench_*.py; do echo "== $$f"; $(BIN)/python $$f || exit 1; done

torture: setup ## Fuzz files, bytes, journals, TOML and models for ten minutes each and kill a window and a training hundreds of times
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt atheris
	@$(BIN)/python tests/torture/fuzz.py generated --files 10000
	@$(BIN)/python tests/torture/fuzz.py bytes --seconds $(TORTURE_SECONDS)
	@$(BIN)/python tests/torture/fuzz.py lines --seconds $(TORTURE_SECONDS)
	@$(BIN)/python tests/torture/fuzz.py toml --seconds $(TORTURE_SECONDS)
	@$(BIN)/python tests/torture/fuzz.py models --seconds $(TORTURE_SECONDS)
	@$(BIN)/python tests/torture/killing.py --kills 500
	@$(BIN)/python tests/torture/training_kills.py --kills all --full-disk all --moments 200

screenshots: setup ## Take the images in docs/img again
	@scripts/with-display --virtual $(BIN)/napari-fashion demo --samples --headless --images docs/img --epochs 40 --overwrite

train: setup ## Train the bundled model again, all four runs (hours on a CPU; needs the photos)
	@$(BIN)/napari-fashion train training/recipes/bundled.toml --run runs/bundled

clean: ## Remove the virtual environment and what is made again (not runs/)
	rm -rf $(VENV) demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
