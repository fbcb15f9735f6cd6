# Leadloop. `make` alone lists what there is to do. Needs python3 (3.11 or newer), make, and the package registry.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test check services bench lock format clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.lock ## serve Leadloop with its demo world (PORT=8000); Ctrl-C stops everything
	@$(PY) manage.py up --check-only --port $(PORT)
	@$(PY) manage.py collectstatic --noinput --verbosity 0
	@$(PY) manage.py migrate --verbosity 0
	@LEADLOOP_BASE_URL=$${LEADLOOP_BASE_URL:-http://127.0.0.1:$(PORT)} $(PY) manage.py seed_demo
	@exec $(PY) manage.py up --port $(PORT)

test: $(VENV)/dev.lock ## run every test: on SQLite, then on PostgreSQL, Redis and Chromium where they are found
	@exec $(PY) -m tests.run

check: $(VENV)/dev.lock ## lint, format, types, import layers, migrations, deployment settings, templates
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/djlint --lint templates
	$(VENV)/bin/djlint --check templates
	$(PY) manage.py makemigrations --check --dry-run
	LEADLOOP_BASE_URL=https://leadloop.example.com ALLOWED_HOSTS=leadloop.example.com \
		$(PY) manage.py check --deploy --fail-level WARNING

services: ## install and start PostgreSQL, Redis and Chromium (Debian; as root or with sudo)
	@.ci/services

bench: $(VENV)/dev.lock ## measure, each figure against a named limit
	@exec $(PY) -m bench

lock: $(VENV)/dev.lock ## compile the locks in requirements/ anew from pyproject.toml (needs uv)
	@.ci/lock

format: $(VENV)/dev.lock ## put code and templates into their standard form
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/djlint --reformat --quiet templates || true

clean: ## remove the environment, caches and all data in var/
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Leadloop needs Python 3.11 or newer. Name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This python3 cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.lock: requirements/run.txt | $(PY)
	@cmp -s $< $@ || { echo "Installing what Leadloop runs on"; $(PIP) -r $<; }
	@cp $< $@

$(VENV)/dev.lock: requirements/dev.txt | $(PY)
	@cmp -s $< $@ || { echo "Installing what Leadloop is tested with"; $(PIP) -r $<; }
	@cp $< $@
