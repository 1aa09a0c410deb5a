# The developer's entry points. Two of them do everything: `make demo` and `make test`.

VENV := .venv
PYTHON := $(VENV)/bin/python
DEMO_SECONDS ?= 30
FLINK ?= python3
COUNT ?= 300
SEED ?= 1
FAULTS_KILLS ?= 1000
export DEMO_SECONDS REAL

.DEFAULT_GOAL := help
.PHONY: help setup demo test pythons wheel bench explore soak lint tidy format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## system packages, .venv, release build; quick when nothing changed
	@tools/setup.sh

demo: setup ## access logs from Kafka to three results, 30 s (DEMO_SECONDS); REAL=1: real Kafka and Elasticsearch
	@if [ "$(REAL)" = 1 ]; then tools/setup.sh services; fi
	@$(PYTHON) examples/access_logs/demo.py $(if $(filter 1,$(REAL)),--real)

test: setup ## C++ (plain, asan+ubsan, tsan), Python, real servers; parts: make test ONLY="cpp python"
	@tools/test.sh $(ONLY)

pythons: setup ## Python tests with 3.10, 3.12 and 3.13 too; parts: make pythons ONLY=3.12
	@tools/pythons.sh $(ONLY)

wheel: setup ## a wheel in dist/ that carries its libraries
	@tools/wheel.sh

bench: setup ## the measurements of bench/, into bench/RESULTS.md
	@$(PYTHON) bench/run.py

explore: setup ## random job graphs, here and on Apache Flink; make explore FLINK=<its python> COUNT=5000 SEED=1
	@$(PYTHON) tests/parity/explore.py --flink $(FLINK) --count $(COUNT) --seed $(SEED)

soak: setup ## jobs killed 1000 times (FAULTS_KILLS), nothing lost, nothing doubled; FAULTS_SEED=7 plans the same again
	@tools/setup.sh services
	@$(PYTHON) tests/faults/soak.py --kills $(FAULTS_KILLS) $(if $(FAULTS_SEED),--seed $(FAULTS_SEED)) $(SOAK)

lint: setup ## clang-format, ruff, mypy and the rules of tests/tidy
	@tools/lint.sh

tidy: setup ## clang-tidy on cpp/ (slow); make tidy FILES=cpp/types/batch.cc
	@tools/lint.sh tidy $(FILES)

format: setup ## clang-format and ruff rewrite what they can
	@tools/lint.sh format

clean: ## remove build output; the virtual environment and the caches stay
	rm -rf build dist
