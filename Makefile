# Everything a person or CI runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help venv venv-vllm up test check format crds dashboards manifests cluster-up cluster-down cluster-shell e2e e2e-full lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
LOCK = $(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11

# Real traces and timings, where they are: tests that need them skip elsewhere.
ifndef TANDEM_DATA
ifneq ($(wildcard ../shared/data),)
export TANDEM_DATA := $(abspath ../shared/data)
endif
endif

help: ## list what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

venv: $(VENV)/.ready ## make .venv: everything but vLLM
$(VENV)/.ready: requirements/dev.txt requirements/uv.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt; }
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

venv-vllm: .venv-vllm/.ready ## make .venv-vllm: the real engine on CPU (about 6 GB, 3 minutes)
.venv-vllm/.ready: requirements/vllm.txt | venv
	PATH=$$PATH:/sbin ldconfig -p | grep libnuma.so.1 >/dev/null || { apt-get update -qq && apt-get install -y -qq libnuma1; } || \
		{ echo "vLLM on CPU needs libnuma1: install it as root" >&2; exit 1; }
	$(BIN)/uv venv -q --clear --python $(BIN)/python .venv-vllm
	$(BIN)/uv pip install -q --python .venv-vllm/bin/python --require-hashes --no-deps -r requirements/vllm.txt
	# Bytecode now: pods mount this read-only, and every engine would compile 10 s worth of it anew.
	PYTHONDONTWRITEBYTECODE= .venv-vllm/bin/python -c 'import vllm.entrypoints.openai.api_server, vllm.v1.engine.core, \
		vllm.v1.executor.multiproc_executor, vllm.v1.worker.cpu_model_runner, vllm.model_executor.models.llama' >/dev/null 2>&1
	touch $@

up: venv ## run a fleet on this machine, fed by real traffic, until Ctrl-C
	$(BIN)/tandem up $(ARGS)

test: venv ## unit, property and simulator tests
	$(BIN)/pytest $(ARGS)

check: venv ## lint, formatting, types, imports, spelling, generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/tandem crds --out crds --check
	$(BIN)/tandem crds --out charts/tandem/files/crds --check
	$(BIN)/tandem dashboards --out charts/tandem --check

format: venv ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

crds: venv ## render crds/ from the models
	$(BIN)/tandem crds --out crds
	$(BIN)/tandem crds --out charts/tandem/files/crds

dashboards: venv ## render dashboards and alert rules into the chart
	$(BIN)/tandem dashboards --out charts/tandem

manifests: crds dashboards ## render install.yaml from the chart (builds helm at the first time)
	$(BIN)/python -m e2e.manifests

cluster-up: venv ## bring a real Kubernetes up in a network namespace (10 minutes at the first time)
	$(BIN)/python -m e2e.cluster up

cluster-down: venv ## take it away
	$(BIN)/python -m e2e.cluster down

cluster-shell: venv ## a shell inside it, with kubectl and helm
	$(BIN)/python -m e2e.cluster shell

e2e: venv venv-vllm ## end-to-end: a real Kubernetes in a box, real vLLM with NIXL on CPU
	$(BIN)/pytest e2e -m "e2e and not full" --durations=25 $(ARGS)

e2e-full: venv venv-vllm ## end-to-end, the long ones too
	$(BIN)/pytest e2e -m e2e $(ARGS)

lock: venv ## compile the locked requirements anew
	$(LOCK) pyproject.toml --extra cli --group dev -o requirements/dev.txt
	$(LOCK) -c requirements/dev.txt pyproject.toml --extra operator -o requirements/operator.txt
	for process in gateway emulator; do $(LOCK) -c requirements/dev.txt pyproject.toml --extra $$process \
		--no-emit-package cronsim --no-emit-package numpy --no-emit-package scipy -o requirements/$$process.txt; done
	$(LOCK) -c requirements/dev.txt requirements/build.in -o requirements/build.txt

clean: ## remove what make made
	rm -rf $(VENV) .venv-vllm .cache .run .mypy_cache .ruff_cache .pytest_cache .hypothesis
