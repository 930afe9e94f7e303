# `make run` and `make test` set up everything that they need first.
PYTHON ?= python3
TORCH ?= auto
# The folder of the models: the setting models_dir, also for the programs started here.
MODELS ?= $(WARMTALK_MODELS_DIR)
ifneq ($(MODELS),)
export WARMTALK_MODELS_DIR := $(MODELS)
endif

# A value as one word of the shell, whatever characters it has.
quoted = '$(subst ','\'',$(1))'
# A flag with its value; nothing where the value is empty, so that other settings apply.
flag = $(if $(2),$(1) $(call quoted,$(2)))

CONFIG_FLAG = $(call flag,--config,$(CONFIG))
SERVER_FLAGS = $(CONFIG_FLAG) $(call flag,--results-dir,$(RESULTS)) $(call flag,--host,$(HOST)) \
	$(call flag,--port,$(PORT)) $(call flag,--engine,$(ENGINE))
SET_UP = $(PYTHON) scripts/set_up.py --torch $(call quoted,$(TORCH))
CHECK_SOURCES = .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy --num-workers 2
# The tests start hundreds of programs: without compiled modules each would compile all of them again.
# Three processes suit two cores, because many tests wait. Their order is that of tests/conftest.py.
# A process that dies fails its test and ends the run: pytest-xdist 3.8 waits for ever if it is replaced late.
PYTEST = PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder \
	--max-worker-restart 0 -rs

.PHONY: help setup models voice chat hear run check test integrations bench
.DEFAULT_GOAL := help

help:
	@echo 'make run    set up, prepare the demo avatar, serve  [PORT=8000 HOST=127.0.0.1 RESULTS=results'
	@echo '            ENGINE=viseme MODELS=models CONFIG=configs/live.yaml]'
	@echo 'make check  set up, check the sources, run the fast tests'
	@echo 'make test   set up, check the sources, run all tests'
	@echo 'make integrations  test the plugins for LiveKit and Pipecat, each with its own packages (1.5 GB)'
	@echo 'make bench  measure; prints a table, writes results/bench.json  [NAMES="session lips"]'
	@echo 'make setup  only the virtual environment, the packages and the face models'
	@echo '            [PYTHON=python3 TORCH=auto|cpu|registry MODELS=models]'
	@echo 'make voice  download a Piper voice     [NAME=en_US-amy-medium MODELS=models CONFIG=configs/live.yaml]'
	@echo 'make chat   download the embedded language model, 127 MB  [MODELS=models CONFIG=configs/live.yaml]'
	@echo 'make hear   download the recogniser of speech, 68 MB  [MODELS=models CONFIG=configs/live.yaml]'
	@echo 'make models download the weights of the neural engine, 3.9 GB  [MODELS=models CONFIG=configs/live.yaml]'

setup:
	@$(SET_UP) $(call flag,--models,$(MODELS))

models: setup
	@.venv/bin/python -m warm models download $(CONFIG_FLAG)

voice: setup
	@.venv/bin/python -m warm voices fetch $(CONFIG_FLAG) -- $(call quoted,$(NAME))

chat: setup
	@.venv/bin/python -m warm chat fetch $(CONFIG_FLAG)

hear: setup
	@.venv/bin/python -m warm hear fetch $(CONFIG_FLAG)

run: setup
	@.venv/bin/python -m warm prepare --demo $(CONFIG_FLAG) $(call flag,--results,$(RESULTS))
	@exec .venv/bin/python app.py $(SERVER_FLAGS)

check:
	@$(SET_UP) --requirements requirements-dev.txt
	@$(CHECK_SOURCES)
	@$(PYTEST) -m 'not slow and not browser'

test:
	@$(SET_UP) --requirements requirements-dev.txt
	@$(CHECK_SOURCES)
	@$(PYTEST)

integrations:
	@$(SET_UP) --requirements requirements-dev.txt
	@.venv/bin/python integrations/run_tests.py

bench:
	@$(SET_UP)
	@.venv/bin/python -m bench $(NAMES)
