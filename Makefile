# The project's commands. Everything is installed into .venv; nothing outside this folder changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Only lower-case exact names are commands; the rest are files that make builds.
.PHONY: help demo serve test lint format bench train clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.cpu ## Create the server script, start it, ask the lesson's questions, stop
	@$(BIN)/python scripts/demo.py

serve: $(VENV)/.cpu ## Serve the model that ships on http://127.0.0.1:8080
	@$(BIN)/ttdirect serve

test: $(VENV)/.dev ## Run every test
	$(BIN)/pytest

lint: $(VENV)/.dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(VENV)/.dev ## Put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure tokens/s beside transformers' own loop (a few minutes)
	$(BIN)/python benchmarks/serving.py

train: $(VENV)/.dev ## Train the model that ships again (under 20 minutes on 2 cores)
	$(BIN)/python -m ttdirect.demo_model.train

clean: ## Remove what make has built
	rm -rf $(VENV) .cache build dist

$(BIN)/python:
	@$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages, so that `make demo` does not wait for the linters.
$(VENV)/.cpu $(VENV)/.dev: $(VENV)/.%: pyproject.toml requirements/constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --constraint requirements/constraints.txt --editable '.[$*]'
	@touch $@
