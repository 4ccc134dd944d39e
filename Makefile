# The project's commands. Python's packages are installed into .venv, Node's into node_modules, the
# editor into .cache; nothing outside this folder changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

VERSION := $(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' package.json)
VSIX    := dist/tt-direct-api-$(VERSION).vsix
MODULES := node_modules/.package-lock.json
CODE_SERVER := .cache/editor/code-server/installed
LITELLM := .cache/litellm
TTNN    := .cache/ttnn
NATIVE  := backend/ttdirect/generator/native
# Changing them makes the VSIX out of date.
PACKED := $(shell find extension/media extension/src walkthroughs backend/ttdirect docs/images \
          -type f -not -name '*.pyc') \
          package.json $(wildcard package.nls*.json l10n/*.json) .vscodeignore README.md CHANGELOG.md LICENSE pyproject.toml \
          scripts/build_extension.mjs scripts/package_extension.mjs scripts/readme_pictures.mjs

LIBRARY := $(NATIVE)/decoder.x86-64-v3.so

# Only lower-case exact names are commands; the rest are files that make builds.
.PHONY: help demo serve editor package test test-python test-extension test-editor images lint \
        format bench bench-all train clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/.cpu $(LIBRARY) ## Create the server script, start it, ask the lesson's questions, stop
	@$(BIN)/python scripts/demo.py

serve: $(VENV)/.cpu $(LIBRARY) ## Serve the model that ships on http://127.0.0.1:8080
	@$(BIN)/ttdirect serve

editor: $(VSIX) $(CODE_SERVER) $(VENV)/.cpu ## Open VS Code with the extension in the browser
	@node scripts/editor.mjs

package: $(VSIX) ## Build the VSIX, to be installed into any VS Code
	@ls -s --block-size=KiB $(VSIX)

test: test-python test-extension test-editor ## Run every test

test-python: $(VENV)/.dev $(LITELLM)/.installed $(TTNN)/.installed $(LIBRARY) ## Test the backend
	$(BIN)/pytest
	$(LITELLM)/bin/python -m pytest tests/python/server/openai -k litellm

test-extension: $(MODULES) ## Test the extension's logic, without an editor
	npm test

test-editor: $(VSIX) $(CODE_SERVER) $(VENV)/.cpu ## Test the extension in a real VS Code
	npx playwright test --config tests/editor

images: $(VSIX) $(CODE_SERVER) $(VENV)/.cpu ## Renew the pictures in docs/images, in a real VS Code
	npx playwright test --config tests/editor/pictures.config.ts

lint: $(VENV)/.dev $(MODULES) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	npm run check
	npm run lint

format: $(VENV)/.dev $(MODULES) ## Put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm run format

bench: $(VENV)/.dev $(LIBRARY) ## Measure tokens/s beside transformers and llama.cpp (minutes, once built)
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/peers.py --models m135 --users 1 8 --peers Q8_0 --rounds 3

bench-all: $(VENV)/.dev $(LIBRARY) ## Measure all that docs/performance.md shows (an hour)
	$(BIN)/python benchmarks/peers.py --precision int8 int4
	$(BIN)/python benchmarks/repeating.py
	$(BIN)/python benchmarks/long_context.py
	$(BIN)/python benchmarks/starting.py

train: $(VENV)/.dev ## Train the model that ships again (under 20 minutes on 2 cores)
	$(BIN)/python -m ttdirect.demo_model.train

clean: ## Remove what make has built
	rm -rf $(VENV) .cache build dist node_modules test-results

$(BIN)/python:
	@$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages, so that `make demo` does not wait for the linters.
$(VENV)/.cpu $(VENV)/.dev: $(VENV)/.%: pyproject.toml requirements/constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --constraint requirements/constraints.txt --editable '.[$*]'
	@touch $@

# litellm pins other versions than ours, so it has an environment of its own that sees ours, too.
$(LITELLM)/.installed: requirements/litellm.txt | $(VENV)/.dev
	$(PYTHON) -m venv --clear $(LITELLM)
	$(LITELLM)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	$(LITELLM)/bin/python scripts/see_environment.py $(BIN)/python
	@touch $@

# ttnn's wheel is for other Pythons than ours may be. Where it cannot be had, its tests are skipped.
$(TTNN)/.installed: requirements/ttnn.txt scripts/install_ttnn.py
	$(PYTHON) scripts/install_ttnn.py $(TTNN) $<

$(MODULES): package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

# For every processor that we know, where there is a compiler; without one PyTorch computes.
$(LIBRARY): $(wildcard $(NATIVE)/*.[ch]) $(NATIVE)/build.py | $(BIN)/python
	$(BIN)/python $(NATIVE)/build.py

$(VSIX): $(PACKED) $(MODULES) $(LIBRARY) | $(BIN)/python
	node scripts/package_extension.mjs $(BIN)/python

$(CODE_SERVER): scripts/install_editor.sh
	scripts/install_editor.sh
	@touch $@
