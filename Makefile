# `make run` and `make test` are all a newcomer needs; both set everything up first.
PYTHON ?= python3
TORCH ?= auto
# Where models lie; like the setting of that name, and handed on to it.
MODELS ?= $(WARMTALK_MODELS_DIR)
ifneq ($(MODELS),)
export WARMTALK_MODELS_DIR := $(MODELS)
endif

# What is not given here is left to the configuration file and to WARMTALK_... variables.
PLACES = $(if $(CONFIG),--config '$(CONFIG)')
SERVER = $(PLACES) $(if $(RESULTS),--results-dir '$(RESULTS)') $(if $(HOST),--host '$(HOST)') \
	$(if $(PORT),--port '$(PORT)') $(if $(ENGINE),--engine '$(ENGINE)')

.PHONY: help setup models run test bench
.DEFAULT_GOAL := help

help:
	@echo 'make run    set up, prepare the demo avatar, serve  [PORT=8000 HOST=127.0.0.1 RESULTS=results'
	@echo '            ENGINE=viseme MODELS=models CONFIG=configs/live.yaml]'
	@echo 'make test   set up, check the sources, run the tests'
	@echo 'make bench  measure; one table and results/bench.json  [NAMES="session lips"]'
	@echo 'make setup  only the virtual environment, the packages and the face models'
	@echo '            [PYTHON=python3 TORCH=auto|cpu|registry MODELS=models]'
	@echo 'make models the weights of the neural engine, 3.9 GB  [MODELS=models CONFIG=configs/live.yaml]'

setup:
	@$(PYTHON) scripts/set_up.py --torch $(TORCH) $(if $(MODELS),--models '$(MODELS)')

models: setup
	@.venv/bin/python -m warm models download $(PLACES)

run: setup
	@.venv/bin/python -m warm prepare --demo $(PLACES) $(if $(RESULTS),--results '$(RESULTS)')
	@exec .venv/bin/python app.py $(SERVER)

test:
	@$(PYTHON) scripts/set_up.py --torch $(TORCH) --requirements requirements-dev.txt
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/python -m pytest -n 2 --dist loadscope -rs

bench:
	@$(PYTHON) scripts/set_up.py --torch $(TORCH)
	@.venv/bin/python -m bench $(NAMES)
