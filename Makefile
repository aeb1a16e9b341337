# Paths are relative, so that the checkout may lie in a folder with spaces in its name.

PYTHON ?= python3
PORT ?= 8000
UV_VERSION := 0.13.9

export PORT
export PYTHONUNBUFFERED := 1
export UV_PYTHON_DOWNLOADS := never

py := .venv/bin/python
uv := var/bootstrap/bin/uv
compile := $(uv) pip compile --quiet --universal --generate-hashes --no-annotate --no-header pyproject.toml
dev := --group dev --constraints requirements.lock

# What `check --deploy` looks at: a shop in production, with made-up values.
production := HOLDFAST_ENV=production SECRET_KEY=not-secret-1234567890-abcdefghijklmnopqrstuvwxyz-0987654321 \
	ALLOWED_HOSTS=shop.example.com SITE_URL=https://shop.example.com PAYMENT_GATEWAYS= \
	DATABASE_URL=postgres://holdfast@127.0.0.1:1/holdfast REDIS_URL=redis://127.0.0.1:1/0

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# Running

.PHONY: demo
demo: env ## The shop with made-up goods, a sale about to open, and a crowd (PORT=8000 SHOPPERS=300)
	@exec $(py) -m config.demo

.PHONY: run
run: env ## The shop for development: web server that loads changed code, worker and beat (PORT=8000)
	@exec $(py) -m config.demo develop

.PHONY: seed
seed: env ## Make the tables, and the demo's goods, shoppers and sale
	@$(py) manage.py migrate --verbosity 0
	@HOLDFAST_ENV=demo $(py) manage.py seed_demo

# Checking

.PHONY: test
test: env ## All tests but the long ones (ARGS= for pytest)
	@$(py) -m pytest --numprocesses auto $(ARGS)

.PHONY: race
race: env ## The races alone: real threads and processes on real servers
	@$(py) -m pytest tests/races $(ARGS)

.PHONY: soak
soak: env ## The long tests
	@$(py) -m pytest -m soak $(ARGS)

.PHONY: bench
bench: env ## Measure, and write var/bench/*.json (BENCH=quick for less than five minutes)
	@$(py) -m bench

.PHONY: check
check: lint types env $(uv) ## Everything but the tests: style, types, rooms, migrations, deployment, API schema, lock files
	@$(py) manage.py makemigrations --check --dry-run
	@$(production) $(py) manage.py check --deploy --fail-level WARNING
	@$(py) manage.py spectacular --validate --fail-on-warn --file /dev/null
	@rm -rf var/lock && mkdir -p var/lock && cp requirements*.lock var/lock
	@$(compile) --output-file var/lock/requirements.lock
	@$(compile) $(dev) --output-file var/lock/requirements-dev.lock
	@for lock in requirements.lock requirements-dev.lock; do \
		diff -q $$lock var/lock/$$lock >/dev/null || \
		{ echo "$$lock does not agree with pyproject.toml: run make lock"; exit 1; }; \
	done
	@echo "make check: all is well"

.PHONY: lint
lint: env ## Style, and which room may import which
	@$(py) -m ruff check .
	@$(py) -m ruff format --check .
	@.venv/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

.PHONY: types
types: env ## Types
	@$(py) -m mypy .

# Languages: shoppers' texts alone; the back office is English.

strings := --ignore .venv --ignore var --ignore 'tests*' --ignore bench --ignore 'templates/admin*' --ignore 'shop/admin*' \
	--ignore '*/management/*'

.PHONY: messages
messages: env ## Collect texts to be translated into locale/, and compile the translations (needs GNU gettext)
	@$(py) manage.py makemessages --all --no-location --no-wrap --no-obsolete $(strings)
	@$(py) manage.py compilemessages --ignore .venv --ignore var

# Keeping house

.PHONY: lock
lock: $(uv) ## Write the lock files from pyproject.toml (ARGS=--upgrade for the newest of all)
	@$(compile) $(ARGS) --output-file requirements.lock
	@$(compile) $(dev) $(ARGS) --output-file requirements-dev.lock

.PHONY: stop
stop: env ## Stop embedded servers that a killed process left behind
	@$(py) -m config.embedded stop

.PHONY: clean
clean: ## Stop the embedded servers and delete var/ with all data; .venv stays
	@if [ -e var ] && [ -x $(py) ]; then $(py) -m config.embedded erase; fi
	@rm -rf var

# The environment: installed again when the lock file changes.

.PHONY: env
env: .venv/installed

.venv/installed: requirements-dev.lock
	@[ -x $(uv) ] || $(MAKE) $(uv)
	@echo "Installing into .venv ..."
	@$(py) -c '' 2>/dev/null || $(uv) venv --quiet --clear --python "$$(var/bootstrap/bin/python -c 'import sys; print(sys._base_executable)')" .venv
	@$(uv) pip sync --quiet --compile-bytecode --require-hashes --python $(py) requirements-dev.lock
	@touch $@

$(uv):
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "There is no $(PYTHON) here. Holdfast needs Python 3.11 to 3.13; name yours: make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "$(PYTHON) is $$("$(PYTHON)" --version). Holdfast needs Python 3.11 to 3.13; name another: make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Getting the installer ..."
	@rm -rf var/bootstrap
	@"$(PYTHON)" -m venv var/bootstrap
	@var/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
