# The commands of this repository; `make help` lists them.
#
# Settings, all optional:   make studio HOST=0.0.0.0 PORT=8000 DATA=/srv/stemgen
#   HOST, PORT     where the studio listens          DATA         its sessions and sounds
#   BUNDLE         folder of the model               PYTHON       a Python 3.11
#   TORCH_INDEX    pip index to take torch from (the README says when)
#   MINUTES        how long `make soak` uses the studio

PYTHON ?= python3.11
HOST ?= 127.0.0.1
PORT ?= 7860
DATA ?=
BUNDLE ?=
TORCH_INDEX ?=
MINUTES ?= 60

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
# Tests that hear a page in real time, or measure a process, want the machine for themselves.
ALONE := tests/app tests/torture
TORCH := $(shell grep '^torch==' requirements.txt)

.DEFAULT_GOAL := help
.PHONY: help studio install install-dev test slow torture soak audit check fix screenshots system-tools script-tools corpus-tools

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 22

studio: install  ## install if need be and serve the studio at http://127.0.0.1:7860
	@HOST="$(HOST)" PORT="$(PORT)" $(if $(DATA),STEMGEN_DATA="$(DATA)") $(if $(BUNDLE),STEMGEN_BUNDLE="$(BUNDLE)") $(BIN)/python -m app

install: $(VENV)/.installed  ## make .venv with all that the studio and `stemgen` need

install-dev: $(VENV)/.installed-dev  ## add what tests, checks and training need

test: install-dev system-tools script-tools  ## install what tests need and run them
	$(BIN)/python -m pytest -n auto --maxprocesses 4 $(ALONE:%=--ignore %)
	$(BIN)/python -m pytest $(ALONE)

slow: install-dev system-tools script-tools  ## run the tests that take longer than 2 s
	$(BIN)/python -m pytest -m slow

torture: install-dev system-tools  ## run the full proofs of safety and durability (over an hour; docs/testing.md)
	nice -n 10 $(BIN)/python -m pytest -m torture

soak: install-dev system-tools  ## use a studio for an hour and watch its memory and files; MINUTES=10 for less
	STEMGEN_SOAK_MINUTES="$(MINUTES)" nice -n 10 $(BIN)/python -m pytest -s -m soak

audit: install-dev  ## look the installed packages up in the database of known holes (needs the internet)
	@$(BIN)/python .ci/audit.py

check: install-dev  ## format, lint, types, import rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	@.ci/script-tools check

fix: install-dev  ## format and repair what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@.ci/script-tools fix

screenshots: install-dev system-tools  ## go through a session and write docs/screenshots/*.png
	$(BIN)/python -m docs.screenshots.take

system-tools:  ## install ffmpeg, Chromium, FluidSynth, Postgres and soundfonts with apt where they are missing (for tests)
	@sh .ci/system-tools ffmpeg chromium fluidsynth postgres soundfonts

script-tools:  ## install biome and axe-core with npm, where npm is, to check the page's scripts with
	@.ci/script-tools install

corpus-tools:  ## install FluidSynth, soundfonts and mma with apt where they are missing (for `stemgen synthesize`)
	@sh .ci/system-tools fluidsynth soundfonts mma

# The stamps make a second start take seconds; they are older than the requirements when those change.
$(VENV)/.installed: requirements.txt requirements-no-deps.txt pyproject.toml | $(BIN)/python
ifneq ($(TORCH_INDEX),)
	$(PIP) install --index-url "$(TORCH_INDEX)" "$(TORCH)"
endif
	$(PIP) install -r requirements.txt
	$(PIP) install --no-deps -r requirements-no-deps.txt
	$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) install -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "StemGen needs Python 3.11, and '$(PYTHON)' was not found. Install it, or say where it is: make studio PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "StemGen needs Python 3.11, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Say where a 3.11 is: make studio PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON)' could not make a virtual environment. On Debian and Ubuntu: apt install python3.11-venv" >&2; exit 1; }
