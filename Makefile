# Everything works on a fresh machine with Python 3.11 or later and make: the first target that
# needs it builds .venv with the versions of constraints.txt, again only when those change.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
# Two processes, whatever the machine: each imports TensorFlow, which takes 1.5 GB.
PYTEST := $(BIN)/python -m pytest -q --durations=10 --numprocesses 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow fuzz check docs bench figures clean

help: ## Show these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(STAMP) ## Make .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rnnkit needs Python 3.11 or later; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; TensorFlow is large, this takes minutes) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev,english]'
	@touch $@

demo: $(STAMP) ## Train on Shakespeare for a minute or two and write in his manner
	$(BIN)/rnnkit train configs/shakespeare.yaml
	$(BIN)/rnnkit generate --seed "ROMEO:" --length 400 --temperature 0.8

test: $(STAMP) ## Run the test suite
	$(PYTEST)

test-slow: $(STAMP) ## Run the tests that take minutes each
	$(PYTEST) -m slow

fuzz: $(STAMP) ## Search at random for FUZZ_SECONDS (600) for inputs that end in a bug
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(BIN)/python -m pytest -q -s -m fuzz tests/fuzz

check: $(STAMP) ## Lint, check formatting and types, run the test suite
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(PYTEST)

docs: $(STAMP) ## Write the generated pages of docs/ anew
	$(BIN)/rnnkit config schema --markdown > docs/CONFIG.md.new && mv docs/CONFIG.md.new docs/CONFIG.md
	$(BIN)/python -m rnnkit.cli.reference > docs/CLI.md.new && mv docs/CLI.md.new docs/CLI.md

bench: $(STAMP) ## Measure the figures that the documentation quotes
	$(BIN)/python -m bench.run && $(BIN)/python -m bench.tables

figures: $(STAMP) ## Train the runs of docs/guides/what-the-options-do.md and draw its figures
	$(BIN)/python -m bench.guide_figures

clean: ## Remove .venv and what tools leave behind; runs/ is kept
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
