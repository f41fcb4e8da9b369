# Sensorscore: every job of this repository. `make help` is its documentation.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Python 3.11 or newer; all else is installed below .venv and .cache.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
PY := .venv/bin/python
VENV := .venv/.ready
CODE := operator scorer local examples charts requirements tests

##@ Start here
.PHONY: help demo demo-stream test
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  \033[36mmake %-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV) ## The main job from nothing: cluster, operator, 15 models, one ScoringRun, a report
	@$(PY) -m examples.demo

demo-stream: $(VENV) ## Events in, anomalies out: devices, a hub's double, ingest, a schedule, a sink; four hours in four minutes
	@$(PY) -m examples.stream

test: $(VENV) ## All tests: unit, broken files, chart (Helm), component (Azurite), API server, monitoring, whole cluster
	@$(PY) -m tests.run all

##@ Local cluster (a real Kubernetes without Docker, or kind where Docker answers)
.PHONY: cluster deploy monitoring dashboard-preview images status down doctor
cluster: $(VENV) ## Bring up the cluster (KWOK_NODES=10: and so many simulated nodes); kubeconfig at .cache/cluster/kubeconfig
	@$(PY) -m local up $(if $(KWOK_NODES),--kwok-nodes $(KWOK_NODES))

images: $(VENV) ## Build both images and load them into the running cluster (ALSO=sklearn, ALSO=ingest: that one too)
	@$(PY) -m local images $(if $(ALSO),--also $(ALSO))

deploy: $(VENV) ## Cluster, storage, images, and the operator installed with Helm (ALSO=sklearn: that runtime too; ALSO=ingest: its image)
	@$(PY) -m local deploy $(if $(ALSO),--also $(ALSO))

monitoring: $(VENV) ## Prometheus and Alertmanager beside the running cluster, with the chart's rules
	@$(PY) -m local monitoring

dashboard-preview: $(VENV) ## The Grafana dashboards as pages in build/dashboards, drawn from the local Prometheus or PROMETHEUS=http://… (HOURS=24)
	@$(PY) -m local.preview --prometheus "$${PROMETHEUS:-$$($(PY) -m local monitoring)}" $(if $(HOURS),--hours $(HOURS))

status: $(VENV) ## What runs, and where
	@$(PY) -m local status

down: $(VENV) ## Remove the cluster: processes, mounts, network namespace, state
	@$(PY) -m local down

doctor: $(VENV) ## What is there, what is missing, what cannot work on this machine, and why
	@$(PY) -m local doctor

##@ Tests and checks
.PHONY: test-unit test-fuzz test-chart test-component test-controlplane test-monitoring test-faults test-cluster check format bench bench-operator bench-ingest ci
test-unit: $(VENV) ## Unit and contract tests: need nothing but Python
	@$(PY) -m tests.run unit

test-fuzz: $(VENV) ## More than 10,000 broken files to everything that reads one (a minute)
	@$(PY) -m tests.run fuzz

test-chart: $(VENV) ## What the chart renders and refuses, by Helm itself
	@$(PY) -m tests.run chart

test-component: $(VENV) ## Storage against a real Azurite
	@$(PY) -m tests.run component

test-controlplane: $(VENV) ## CRD and operator against a real API server, no root needed
	@$(PY) -m tests.run controlplane

test-monitoring: $(VENV) ## Rules by promtool; every alert fired, every panel's query asked, by a real Prometheus and Alertmanager
	@$(PY) -m tests.run monitoring

test-faults: $(VENV) ## The operator killed at each of its writes and at random, the API server failing in all ways, the past seen again, generated specs, 1,000 runs (most of an hour)
	@SENSORSCORE_FAULTS=whole $(PY) -m tests.run faults

test-cluster: $(VENV) ## Whole runs with real containers on the local cluster (root)
	@$(PY) -m tests.run cluster

check: $(VENV) ## Format, lint, types, layers, chart, manifests against the schema
	@$(PY) -m tests.check

format: $(VENV) ## Format the code and mend what the linter can
	@.venv/bin/ruff check --fix $(CODE)
	@.venv/bin/ruff format $(CODE)

ci: check test ## What continuous integration runs

bench: $(VENV) ## Measure start-up and a run of 15 sensors; figures in build/bench/*.json
	@PYTHONPATH=.:tests:tests/bench $(PY) tests/bench/run.py

bench-operator: $(VENV) ## Measure the operator with 10,000 sensors, Jobs and runs (SENSORS=500: the short form)
	@PYTHONPATH=.:tests:tests/bench SENSORS=$(SENSORS) $(PY) tests/bench/run_operator.py $(BENCHES)

bench-ingest: $(VENV) ## Measure ingest: a message against a bare client, windowing a core, memory, size of the state
	@PYTHONPATH=.:tests:tests/bench $(PY) tests/bench/run.py ingest ingest-memory ingest-window

##@ Maintenance
.PHONY: lock crds values metrics-page dashboards clean
lock: $(VENV) ## Resolve dependencies anew: one resolution, a hashed subset for each part
	@$(PY) requirements/lock.py

crds: $(VENV) ## Copy the CRD into the chart (crds/ is the source)
	@cp crds/*.yaml charts/sensorscore/files/crds/

values: $(VENV) ## Make the chart's schema and its README's table from values.yaml
	@$(PY) -m charts.values_schema
	@$(PY) -m charts.values_table

metrics-page: $(VENV) ## Make the tables of docs/metrics.md from the operator's and ingest's catalogues of series
	@$(PY) -m charts.metrics_page

dashboards: $(VENV) ## Make the chart's Grafana dashboards from charts/dashboards
	@$(PY) -m charts.dashboards

clean: ## Remove what was built here (not the caches of Go, npm and pip)
	@if [ -e $(VENV) ]; then $(PY) -m local down; fi
	@rm -rf build .cache .venv

$(VENV): requirements/all.txt requirements/uv.txt operator/pyproject.toml scorer/pyproject.toml
	@if ! command -v "$(PYTHON)" >/dev/null || ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "Python 3.11 or newer is needed; found: $$("$(PYTHON)" --version 2>/dev/null || echo none). Set PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@echo "── Python environment in .venv"
	@$(PYTHON) -m venv --clear .venv || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/uv.txt
	@VIRTUAL_ENV=.venv .venv/bin/uv pip sync --quiet --require-hashes --compile-bytecode requirements/all.txt
	@VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e operator -e scorer
	@touch $@
