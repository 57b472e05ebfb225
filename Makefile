# Linli. `make run` in a fresh clone needs Python 3.11 to 3.13 and nothing else.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.stamp
SEEDS ?= 200

# The first Python on PATH that runs and is of a supported version; `make run PYTHON=/usr/bin/python3.12` chooses one.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	"$$name" -c '$(SUPPORTED)' 2>/dev/null && echo "$$name" && break; done)

# Three on two cores: now and then each waits for processes that it has started. Each has a PostgreSQL of its own.
WORKERS ?= 3
SPREAD := -n $(WORKERS) --dist loadscope --no-loadscope-reorder

# The suite starts hundreds of processes; without compiled files each would compile the product anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env run demo test test-long simulate mutants check openapi format bench lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

env: $(READY) ## the Python environment in .venv

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo '没有找到 Python 3.11、3.12 或 3.13。请先安装其中一个，或用 make run PYTHON=… 指定它。'; exit 1; }
	@echo '正在准备 Python 环境（第一次需要一两分钟，要下载约 200 MB）……'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo '创建虚拟环境失败。在 Debian 和 Ubuntu 上请先安装 python3-venv。'; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet \
		--require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@
	@echo 'Python 环境已准备好。'

run: $(READY) ## everything on this machine, with the sandbox in place of WeChat; Ctrl-C stops it
	@$(BIN)/linli up --stop-with-parent

demo: $(READY) ## play one month of a community, over HTTP only
	@$(BIN)/linli demo

test: $(READY) ## the suite; what takes long goes out first; the house rules are part of `make check`
	@$(BIN)/python -m pytest $(SPREAD) -m "not long" --ignore tests/architecture

test-long: $(READY) ## the suite with the counts that reliability.md states
	@$(BIN)/python -m pytest $(SPREAD)

simulate: $(READY) ## SEEDS=n towns of 300 houses for a year, hostile channels; resumes
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

mutants: $(READY) ## take each protection away and see its test go red
	@$(BIN)/python -m tests.mutations

check: $(READY) ## lint, types, layers and house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m backend.openapi_file --check
	@$(BIN)/python -m pytest -q tests/architecture

openapi: $(READY) ## docs/openapi.json as the routes are now
	@$(BIN)/python -m backend.openapi_file

format: $(READY) ## put the code in its one form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## the yardsticks: ours and the limit, interleaved
	@$(BIN)/python -m bench

# Made on the oldest Python that is supported: 3.11.2 still needs a package (async-timeout) that later ones do without,
# and none of those that the later ones need is missing there.
lock: ## requirements.lock from pyproject.toml, with hashes
	"$(PYTHON)" -m venv build/lock
	build/lock/bin/pip install --disable-pip-version-check --quiet pip-tools==7.6.2
	build/lock/bin/pip-compile --quiet --extra dev --allow-unsafe --generate-hashes --strip-extras --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o requirements.lock pyproject.toml

clean: ## what was built; the data in .linli stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
