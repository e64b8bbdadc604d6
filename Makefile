# make serve   the book in both languages, at http://127.0.0.1:8000, with live reload
# make test    everything that proves it
# Also: build · check · labs · bench · clean. Each installs what it needs, once, then does its work.

PYTHON ?= python3
BIN := .venv/bin
LAB := .venv-labs/bin
export NO_MKDOCS_2_WARNING := 1
export PYTHONUTF8 := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: serve build check test labs bench setup clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

serve: setup
	$(BIN)/python -m mkdocs serve $(ARGS)

build: setup
	$(BIN)/python -m mkdocs build --strict $(ARGS)

check: setup .venv/.check node_modules/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/python -m tools check
	$(BIN)/python -m tools.npm run --silent lint
	$(BIN)/python -m tools.typography
	$(BIN)/python -m pytest tests/unit -q

test: check build .venv-labs/.installed .venv-seed/.installed
	$(BIN)/python -m tools.browser
	$(BIN)/python -m pytest tests/build tests/search tests/browser -q
	$(LAB)/python -m pytest tests/labs -q
	$(LAB)/python -m tools.notebooks --run

labs: .venv-labs/.installed .venv-seed/.installed
	$(LAB)/python -m tools.notebooks $(ARGS)

bench: setup .venv/.check node_modules/.check
	$(BIN)/python -m tools.browser
	$(BIN)/python -m tools.bench $(ARGS)

clean:
	rm -rf site .site.* .cache .venv .venv-labs .venv-seed node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what is installed, once -----------------------------------------------------------------

setup: .venv/.site node_modules/.site

.venv/.site: requirements/site.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the site's Python packages (about a minute, once) …"
	$(BIN)/python -m pip install -r requirements/site.txt
	@touch $@

.venv/.check: requirements/check.txt .venv/.site
	@echo "Installing the packages for the checks (about a minute, once) …"
	$(BIN)/python -m pip install -r requirements/check.txt
	@touch $@

.venv-labs/.installed: requirements/labs.txt
	@test -x $(LAB)/python || $(PYTHON) -m venv .venv-labs
	@echo "Installing the labs' packages: PyTorch and friends (a few minutes, once) …"
	$(LAB)/python -m pip install -r requirements/labs.txt
	@touch $@

.venv-seed/.installed: requirements/seed.txt
	@test -x .venv-seed/bin/python || $(PYTHON) -m venv .venv-seed
	@echo "Installing TensorFlow for the seed's own code (a minute or two, once) …"
	.venv-seed/bin/python -m pip install -r requirements/seed.txt
	@touch $@

node_modules/.site: package-lock.json | .venv/.site
	@echo "Installing the front-end packages …"
	$(BIN)/python -m tools.npm ci --omit=dev
	@touch $@

node_modules/.check: package-lock.json node_modules/.site
	@echo "Installing the front-end packages for the checks …"
	$(BIN)/python -m tools.npm ci
	@touch node_modules/.site $@
