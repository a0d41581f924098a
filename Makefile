# make app   opens the dashboard; PORT=8502 on another port
# make test  checks style and import rules, then runs every test
# Both set up what they need in .venv, with the exact versions of requirements.lock.
# make screenshots  makes docs/*.png anew (needs Chromium); ARGS="--scheme dark --width 420 --out x"
# make soak  tries for an hour what breaks programs, and writes docs/soak.md; ARGS="kills" for a part
# make docs  builds the manual into site/, without network; ARGS=serve shows it while you write
# make lock  writes requirements.lock anew from pyproject.toml

SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON := $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
PORT ?= 8501
# uv installs sooner than pip; where it cannot be had, pip does it.
INSTALL = .venv/bin/pip install --quiet uv && .venv/bin/uv pip install --quiet --compile-bytecode \
	--python .venv/bin/python --constraint requirements.lock --editable
SLOWLY = .venv/bin/pip install --quiet --constraint requirements.lock --editable

# The tests start hundreds of processes, and each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: app test soak screenshots docs lock clean
.DELETE_ON_ERROR:

app: .venv/.app
	.venv/bin/redshift-lab app --port $(PORT)

test: .venv/.test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	.venv/bin/python -m pytest --numprocesses 3 --dist loadfile $(ARGS)

soak: .venv/.test
	.venv/bin/python -m scripts.soak $(ARGS)

screenshots: .venv/.test
	.venv/bin/python -m scripts.screenshots $(ARGS)
	.venv/bin/python -m scripts.survey_pictures

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs $(or $(ARGS),build --strict)

lock: .venv/bin/python
	.venv/bin/pip install --quiet uv
	.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--upgrade --no-annotate --no-header --quiet --output-file requirements.lock

clean:
	rm -rf .venv

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Redshift Lab needs Python 3.11, 3.12 or 3.13 (TensorFlow has \
	no wheels for others); install one of them, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv, once: this downloads packages and takes some minutes."
	$(PYTHON) -m venv .venv

.venv/.app: .venv/bin/python pyproject.toml requirements.lock
	$(INSTALL) '.[cluster,train]' || $(SLOWLY) '.[cluster,train]'
	@touch $@

.venv/.test: .venv/bin/python pyproject.toml requirements.lock
	$(INSTALL) '.[cluster,test,train]' || $(SLOWLY) '.[cluster,test,train]'
	@touch $@ .venv/.app

.venv/.docs: .venv/bin/python pyproject.toml requirements.lock
	$(INSTALL) '.[docs]' || $(SLOWLY) '.[docs]'
	@touch $@
