# `make audit` and `make test` do all the set-up; see README.md.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Waiting threads sleep soon, so that work beside other work takes its share of the time and no more.
ifndef OMP_WAIT_POLICY
export GOMP_SPINCOUNT ?= 1000
endif

# The many processes of a test run, and each command, would compile what they import anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: audit setup test docs benchmark mutants fuzz clean

audit: setup
	@# 1 means findings, which is an audit's business and no failure of make.
	$(BIN)/probe audit adult-mlp fashion-cnn || [ $$? -eq 1 ]

setup: .venv/.installed

test: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# One thread for each of several processes: tests are many and small. The fast ones check types and shapes too.
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" -n auto --dist worksteal
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow --jaxtyping-packages= -n auto --dist worksteal

# The pages of docs/ with the reference that the methods write, without a warning: build/docs/index.html
docs: .venv/.installed-docs
	$(BIN)/python docs/reference.py
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

# Beside other libraries, in an environment of their own, on a quiet machine; SHORT=--short compares answers alone.
benchmark:
	test -d build/peers || $(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet -c constraints.txt -e ".[images]" -r benchmarks/requirements.txt
	build/peers/bin/python -m benchmarks $(SHORT)

# Do the tests bite? Small errors in the modules that decide numbers; takes about half an hour, and no part of `test`.
mutants: .venv/.installed-dev
	$(BIN)/python -m tests.mutation --count 300 --seed 0

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dashboard]"
	@touch $@

.venv/.installed-dev: .venv/.installed pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dashboard,dev]"
	@touch $@

.venv/.installed-docs: .venv/.installed pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[docs]"
	@touch $@

# Inputs that nobody would write on purpose, ten times as many as `test` tries.
fuzz: .venv/.installed-dev
	OMP_NUM_THREADS=1 FUZZ=10 $(BIN)/pytest tests/fuzz --timeout 3000 -n auto --dist worksteal

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
