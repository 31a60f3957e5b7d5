# One place for everything one does here. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
BENCHMARKS := slstm mcgsm step frontier inpainting scoring memory curve

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Threads that spin while they wait take the processor from each other.
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.PHONY: help setup test fuzz demo lint format bench bench-gpu clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with ride and all that its tests, demo and tools need

# Everything is made anew when the requirements or the compiled sources change, so that no leftovers of old ones stay.
$(STAMP): pyproject.toml constraints.txt $(wildcard src/ride/native/*.[ch])
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[demo,test,dev]'
	touch $@

test: lint ## Linter, type checker and all tests
	$(BIN)/pytest

fuzz: $(STAMP) ## Damage compressed files in 20,000 new ways
	RIDE_FUZZ=20000 $(BIN)/pytest tests/codec/test_images.py tests/codec/test_planes.py -k "hostile or any_bytes or any_list"

demo: $(STAMP) ## The main job in a few minutes: train, compare, score, sample, draw into demo/
	$(BIN)/ride demo --out demo

lint: $(STAMP) ## Linter, formatter's check and type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Let the formatter rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Time all jobs against their bare matrix products and write docs/speed.md and docs/profile.md
	mkdir -p build/bench
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --json build/bench/$$name.json || exit 1; done
	$(BIN)/python benchmarks/report.py build/bench docs

bench-gpu: $(STAMP) ## The same for the GPU kernels, on a machine with a GPU
	mkdir -p build/bench
	$(BIN)/python benchmarks/gpu.py --json build/bench/gpu.json

clean: ## Remove everything made here, the environment too
	rm -rf $(VENV) build dist demo src/ride/native/*.so .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.egg-info' -type d -prune -exec rm -rf {} +
