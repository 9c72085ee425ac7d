#   make run      HCRN Table I at mini scale (synthetic people, no download), printed
#   make test     every check: style, types, layers of imports, workflow, tests
#   make faults   kills, lost nodes and time limits on a Slurm of its own, and DVC and watch there
#   make quick    the tests, but for those that run whole workflows
#   make lint     the checks without the tests
#   make bench    speed against what others do, as ratios
#   make setup    only .venv, which all of the above make when it is missing or out of date
#
# PYTHON=python3.12 chooses the interpreter of a new .venv. Programs are called by path: nothing has to be activated.

PYTHON ?= python3
BIN := .venv/bin
TABLE := hcrn_table1

.PHONY: run test faults quick lint bench setup

run: setup
	$(BIN)/snakemake results/mini/tables/$(TABLE).csv
	$(BIN)/posetables show $(TABLE) --scale mini

# As long as all the others together, and only for whoever has Slurm: what goes wrong on a cluster.
FAULTS := $(addprefix tests/cluster/,test_faults.py test_watch.py test_dvc.py)

test: lint quick
	$(BIN)/pytest -m slow $(FAULTS:%=--ignore=%)

faults: setup
	$(BIN)/pytest $(FAULTS)

# As many at once as there are cores; workflows take all of them anyway.
quick: setup
	$(BIN)/pytest -m "not slow" --numprocesses auto --dist loadfile

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/diffusion.py
	$(BIN)/python benchmarks/people.py
	$(BIN)/python benchmarks/training_step.py

# The name of the stamp says what is installed, so that make itself sees when .venv is out of date.
INSTALLED := .venv/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d ' ' -f 1)
PACKAGES := -c constraints.txt -e '.[dev]'

# uv does not read pip's configuration, and a local folder of wheels may be named only there.
FIND_LINKS = $${UV_FIND_LINKS-$$(echo $${PIP_FIND_LINKS-$$($(BIN)/pip config get global.find-links)} | tr ' ' ,)}

setup: $(INSTALLED)

$(INSTALLED): export PIP_DISABLE_PIP_VERSION_CHECK = 1
$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("Python 3.11 or newer: make PYTHON=...")'
	@# A .venv that was moved with its folder, or never finished, would run somebody else's code.
	@grep -qsF '$(CURDIR)/$(BIN)/python' $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@rm -f .venv/.installed-*
	@# Compiled now: where PYTHONDONTWRITEBYTECODE is set, every process would compile all of torch again.
	@echo 'installing into .venv ...'
	@$(BIN)/python -m pip install -q -c constraints.txt uv \
	&& UV_FIND_LINKS=$(FIND_LINKS) $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python $(PACKAGES) \
	|| $(BIN)/python -m pip install -q $(PACKAGES)
	@touch $@
