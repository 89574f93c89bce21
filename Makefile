# Needs Python 3.11 to 3.14 and make; everything else goes into .venv.
#   make demo                      the whole chain once, from a lens to a restored photograph
#   make PYTHON=python3.12 test    with another interpreter

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Both stamps lie inside .venv, so that they go when it goes.
MADE := $(VENV)/.made
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_DOCS := $(VENV)/.installed-docs
# One resolve for torch and torchvision, which only work in matching versions.
INSTALL := $(BIN)/uv pip install --python $(BIN)/python -c constraints.txt

# Where an environment forbids to keep compiled modules, every process of the demo and the tests would compile its own
# two thousand: seconds each.
export PYTHONDONTWRITEBYTECODE :=

# Of benchmarks/driver.py: make bench BENCH='--json now.json --before earlier.json --tolerance 0.2'.
BENCH ?=

.DEFAULT_GOAL := help
FUZZ_SECONDS ?= 600

.PHONY: help demo test test-all fuzz docs docs-check coverage lint type photos bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## run the whole chain on embedded defaults into demo/ (replaces an earlier one)
	rm -rf demo
	$(BIN)/metalens demo -o demo
	@echo "Report: $(CURDIR)/demo/report.html"

# A process for each core, a thread for each process: threads of several would wait for each other. What JAX compiles is
# kept beside the packages, for all processes, however small: each module of tests, notebook and command would compile the
# same hundred sums and products anew, at a twentieth of a second each. For the small arrays of tests compiling is most
# of the time: it is told not to optimise, and to emit fused loops in the older way, which compiles in half the time. It
# need not write into each compiled operation by which of a hundred calls it was reached.
TESTING := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	XLA_FLAGS="--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false" \
	JAX_COMPILATION_CACHE_DIR=$(CURDIR)/$(VENV)/.jax JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
	JAX_TRACEBACK_IN_LOCATIONS_LIMIT=0
# Each process begins with its share of the tests in their order, so that a file's fixtures are made once; one that is done
# takes tests from the end of another's share.
PYTEST := -m pytest -n auto --dist worksteal

test: lint type ## style, types, import contracts and all tests but the long ones
	$(TESTING) $(BIN)/python $(PYTEST)

test-all: lint type ## what test runs, and the long tests
	scripts/install_browser.sh
	$(TESTING) $(BIN)/python $(PYTEST) -m ""

fuzz: $(INSTALLED_DEV) ## damaged files for every reader, FUZZ_SECONDS=600 a format
	METALENS_FUZZ_SECONDS=$(FUZZ_SECONDS) $(TESTING) $(BIN)/python $(PYTEST) -m long tests/test_fuzz.py

docs-check: $(INSTALLED_DEV) ## links, commands, cameras and examples in the documents and docstrings
	$(TESTING) $(BIN)/python $(PYTEST) tests/test_documents.py tests/test_doctests.py tests/test_help.py

coverage: $(INSTALLED_DEV) ## branch coverage of all tests
	rm -f .coverage .coverage.*
	$(TESTING) $(BIN)/coverage run $(PYTEST) -m ""
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --skip-empty --sort=cover

lint: $(INSTALLED_DEV) ## style and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

# Workers that have not begun after a few seconds, on a busy machine, end mypy with status 2: it then goes on without.
type: $(INSTALLED_DEV) ## types
	MYPY_NUM_WORKERS=$$($(BIN)/python -c 'import os; print(os.cpu_count())') $(BIN)/mypy || \
		{ [ $$? -eq 2 ] && $(BIN)/mypy; }

# Needs no network once installed. Sphinx's warnings are errors; examples and notebooks are run.
docs: $(INSTALLED_DOCS) ## build the site into build/docs/html; METALENS_DOCS=quick runs nothing, gallery the examples
	$(BIN)/python docs/site/stage.py build/docs/source
	rm -rf build/docs/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html -c docs/site -d build/docs/doctrees build/docs/source build/docs/html
	$(BIN)/python docs/site/check.py build/docs/html
	@echo "Site: $(CURDIR)/build/docs/html/index.html"

photos: $(INSTALLED) ## fetch free photographs from Debian's packages into photos/ (docs/photographs.md)
	$(BIN)/python scripts/debian_photographs.py photos

bench: $(INSTALLED) ## measure speed and memory in one table; BENCH='--before earlier.json --tolerance 0.2' compares
	@$(BIN)/python benchmarks/driver.py $(BENCH)

clean: ## remove the demo, build leftovers and caches; keeps .venv and photos/
	rm -rf demo build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo "metalens needs Python 3.11 to 3.14; choose one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	@touch $@

$(INSTALLED): $(MADE) pyproject.toml constraints.txt
	$(INSTALL) -e '.[all]'
	@touch $@

$(INSTALLED_DEV): $(MADE) pyproject.toml constraints.txt
	$(INSTALL) -e '.[dev]'
	@touch $@ $(INSTALLED)

$(INSTALLED_DOCS): $(MADE) pyproject.toml constraints.txt
	$(INSTALL) -e '.[docs]'
	@touch $@ $(INSTALLED)
