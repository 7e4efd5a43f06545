# `make` alone lists the targets. Everything runs from .venv, which is built when it is missing or older than
# requirements.lock; nothing else is needed than Python >= 3.11 with pip.
SHELL := bash
PYTHON ?= python3
BIN := .venv/bin
CONFIG = config/config.yaml
CORES = all
ARGS =
QUOTED_CONFIG = '$(subst ','\'',$(CONFIG))'
OPTIONS = --cores $(CORES) --configfile $(QUOTED_CONFIG) $(ARGS)

.PHONY: help run plan verify test check bench calibrate lint lock format docs .venv
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "  Another study: make run CONFIG=config/studies/real-sample.yaml CORES=2 ARGS='--config mirror=file:///folder'"

.venv: .venv/installed

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("error: Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; set PYTHON=python3.12, say")'
	rm -rf .venv && $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

# It sees the packages of .venv, and holds those that the peers need in addition or in another version.
.venv/peers/installed: .venv/installed benchmarks/peers.txt
	rm -rf .venv/peers && $(BIN)/python -m venv .venv/peers
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$(.venv/peers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/workflow.pth"
	.venv/peers/bin/pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

# An environment of its own, so that a lock file from which .venv cannot be built can still be replaced.
.venv/lock/installed: Makefile
	rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet --disable-pip-version-check pip-tools==7.6.2
	@touch $@

run: .venv/installed ## run the study CONFIG to its report; only what changed is run again
	@$(BIN)/python workflow_scripts/run.py $(OPTIONS)

verify: .venv/installed ## read everything that the study CONFIG depends on, and name what is damaged or stale
	@$(BIN)/python workflow_scripts/verify.py $(OPTIONS)

plan: .venv/installed ## print what the study CONFIG needs, and what would run now and why
	@$(BIN)/python workflow_scripts/plan.py $(QUOTED_CONFIG) $(ARGS)

test: .venv/installed ## run all tests
	$(BIN)/python -m pytest $(ARGS)

check: lint ## check format, types and rules, and run the unit tests
	$(BIN)/python -m pytest tests/unit

docs: .venv/installed ## write from the code the tables of keys, methods, models and findings, and config/schema.json
	$(BIN)/python docs/write_config_tables.py
	$(BIN)/python docs/write_findings_tables.py
	$(BIN)/python docs/write_models_table.py

bench: .venv/peers/installed ## measure and print ratios, write benchmarks/results/
	$(BIN)/python -m benchmarks

calibrate: .venv/installed ## simulate how often intervals and verdicts are right, and write docs/calibration.md
	$(BIN)/python -m calibration

lint: .venv/installed ## check format, types, rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow rules
	$(BIN)/snakemake --lint

lock: .venv/lock/installed ## regenerate requirements.lock from pyproject.toml; ARGS=--upgrade takes newer versions
	CUSTOM_COMPILE_COMMAND="make lock (pip-tools, from pyproject.toml)" .venv/lock/bin/pip-compile --quiet --all-extras \
	  --strip-extras --no-annotate --no-emit-options --output-file requirements.lock $(ARGS) pyproject.toml
	sed -i.old 's/^\(torch==[^+]*\)+.*/\1/' requirements.lock && rm requirements.lock.old # for CPUs or GPUs, as the index has it

format: .venv/installed ## format all code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow rules
