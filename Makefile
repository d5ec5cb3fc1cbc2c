# `make help` explains every target. A recipe that needs more than a line is a script beside what it is about.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-system test-days lint shape bench fuzz sbom audit-deps chromium faketime lock clean

BIN := .venv/bin
APPS := lib providers traffic costs alerts dashboard demo sandbox benchmarks
# More options of `manage.py up`, for example: make demo UP="--port 9000 --data /srv/breakeven"
UP ?=
# Which tests and how, for example: make test TESTS="tests/costs -k staircase"
TESTS ?=
# On which days, for example: make test-days DAYS="2027-03-28T01:10 2028-02-29T12:00"
export DAYS ?=
BENCH ?= all
SECONDS ?= 60
# More options of pip-audit, for example: make audit-deps AUDIT="--vulnerability-service osv"
AUDIT ?=
SEED ?=
# One more than there are processors: a test waits for servers about a third of its time.
WORKERS := $(shell echo $$(($$(nproc) < 7 ? $$(nproc) + 1 : 8)))

XDIST := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
PYTEST = $(BIN)/pytest $(XDIST)
# A quarter of the tests, and two thirds of their time: they start what people start and kill it, or visit every page.
SYSTEM := tests/browser tests/demo tests/benchmarks tests/test_loop.py tests/traffic/gateway \
	tests/traffic/ingest/test_ingest_process.py tests/traffic/ingest/test_live_emitters.py \
	tests/traffic/trials/test_killed_worker.py \
	$(addprefix tests/dashboard/,up backup embedded front health http/test_confinement.py test_openapi.py test_access.py \
	test_without_figures.py test_page_audit.py test_sentences.py test_markup_in_names.py) tests/costs/test_many_names.py

help: ## Explain every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv with the locked packages (hashes checked) and collect the static files
	@requirements/install.sh demo

demo: setup ## Start the demo company; prints its address and the login (more options: UP="--port 9000")
	@$(BIN)/python manage.py up --demo $(UP)

# Some sixty processes are started, of which each would compile everything anew where this is set.
test: export PYTHONDONTWRITEBYTECODE :=
test: ## Run the tests, without those of the whole system (some of them, of all: TESTS="tests/costs -k staircase")
	@requirements/install.sh dev
	$(PYTEST) $(or $(TESTS),$(addprefix --ignore=,$(SYSTEM)))

test-system: export PYTHONDONTWRITEBYTECODE :=
test-system: ## Run the others: they start processes and browsers, kill servers, or visit every page
	@requirements/install.sh dev
	$(PYTEST) $(SYSTEM)

test-days: export PYTHONDONTWRITEBYTECODE :=
test-days: ## Run the tests on days on which dates behave oddly (one of them: DAYS=2028-02-29T12:00; needs make faketime)
	@requirements/install.sh dev
	@tests/days.sh $(XDIST) $(TESTS)

lint: export BREAKEVEN_DATA := $(CURDIR)/.venv/lint
lint: ## Check style, types, imports between apps, templates, the repository's shape and missing migrations
	@requirements/install.sh dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/python -m tests.shape
	$(BIN)/mypy $(APPS) tests manage.py
	@# Without a database it warns that it could not compare the history; only missing migrations are of interest.
	@found=$$($(BIN)/python manage.py makemigrations --check --dry-run 2>&1) || { echo "$$found"; exit 1; }

shape: ## Count modules, lines and other measures of the repository's shape, each with its limit
	@requirements/install.sh dev
	@$(BIN)/python -m tests.shape

bench: ## Measure speed and print a table (one measurement: BENCH=ingest)
	@requirements/install.sh dev
	$(BIN)/python manage.py bench $(BENCH)

fuzz: ## Send a demo of its own mutated requests to every address (how long: SECONDS=1800; the same again: SEED=7)
	@requirements/install.sh demo
	$(BIN)/python manage.py fuzz --seconds $(SECONDS) $(SEED:%=--seed %)

sbom: ## Write sbom.cdx.json, the packages that the product runs on with their licences, in CycloneDX
	@requirements/install.sh dev
	@$(BIN)/python requirements/sbom.py

audit-deps: ## Hold every locked package against the published advisories (needs a service that has them)
	@requirements/install.sh dev
	@$(BIN)/python requirements/audit.py $(AUDIT)

chromium: ## Install Debian's Chromium, which the browser tests drive (needs root or sudo)
	@requirements/debian.sh chromium

faketime: ## Install Debian's faketime, by which test-days moves the clock (needs root or sudo)
	@requirements/debian.sh faketime

lock: ## Choose the newest allowed versions and write them to requirements/*.txt
	@requirements/lock.sh

clean: ## Remove what the other targets made; the data in ./var stays
	rm -rf .venv .venv-lock sbom.cdx.json staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
