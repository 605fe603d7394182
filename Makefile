# Two commands matter: `make demo` and `make test`. Both set the machine up first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint bench docs setup clean

demo: setup
	$(BIN)/maskdesign demo

test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: setup
	$(BIN)/python -m benchmarks

# Pictures and figures of the docs, from the run that `make demo` left.
docs: setup
	$(BIN)/python -m benchmarks.update_docs runs/demo

setup: $(STAMP)

# torch comes first and pinned: anything that asks for it later finds it there and fetches no other build.
$(STAMP): pyproject.toml constraints.txt setup_system.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	$(BIN)/python setup_system.py
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist
