# SPDX-License-Identifier: Apache-2.0
# Needs python3 (3.11 or later, with its venv module); everything is made inside this directory.
#
#   make run     try it: a demo cloud, rated, in the foreground until Ctrl-C
#                PROMETHEUS_URL=http://...   usage from your own Prometheus instead of the demo
#                SCOPE_KEY=label             the label that says whose usage it is
#                METRICS=path                your own metrics.yml, or one of etc/cloudkitty
#                API_PORT=8889               where the API listens
#   make test    the tests; ARGS="-k hashmap" goes to pytest
#   make lint    ruff, mypy, release notes
#   make docs    the documentation, into doc/build/html
#   make clean   remove what the above made

PYTHON ?= python3
ARGS ?=
export PROMETHEUS_URL SCOPE_KEY METRICS API_PORT
BIN = .venv/bin

.PHONY: help run test lint docs clean
.NOTPARALLEL:

help:
	@sed -n '4,13s/^# \{0,1\}//p' Makefile

run:
	@exec $(PYTHON) tools/run.py

test:
	@$(PYTHON) tools/venv.py test
	$(BIN)/python -m pytest -rs -n auto --maxprocesses 4 $(ARGS)

lint:
	@$(PYTHON) tools/venv.py lint test docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy cloudkitty tools/run.py tools/venv.py
	$(BIN)/reno --quiet lint

docs:
	@$(PYTHON) tools/venv.py docs
	$(BIN)/sphinx-build -W --keep-going -q -b html doc/source doc/build/html
	@echo "doc/build/html/index.html"

clean:
	rm -rf .venv .run doc/build doc/source/_generated build dist *.egg-info .eggs .coverage cover \
	    .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find cloudkitty tools benchmarks doc -name __pycache__ -type d -prune -exec rm -rf {} +
