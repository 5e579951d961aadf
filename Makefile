# make run    sets everything up in .venv and watches a simulated driver for 72 s, with the live page
# make test   sets up the tools for development as well, and runs the default tests
# make docs   builds the documentation into site/; a dead link fails
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8480
SITE ?= site
# 18 s each: attentive, the phone at the ear, attentive, falling asleep.
DEMONSTRATION := simulated:attentive,phoning,attentive,drowsy?each=18&seconds=72&camera=inner_mirror&driver=3&detail=0.3

.PHONY: run test lint docs clean

run: $(VENV)/.run
	$(BIN)/edge-c2vl run --camera '$(DEMONSTRATION)' --reasons all --serve 127.0.0.1:$(PORT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadfile $(TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/structure.py --quiet

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --site-dir $(SITE)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

# The package is installed in place, so what is here is what runs.
$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[sample,web]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV)
