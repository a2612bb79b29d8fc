# The course in two commands: `make lab` opens it, `make test` checks it.
# Both make the environment in .venv first; they need Python 3.11+ and make.

PYTHON ?= python3
BIN := .venv/bin
ONLY ?=
ADAPTED ?=
TO ?= build/site
LAB_OPTIONS ?=
BRANCH ?=
FORCE ?=
DAY ?= Day1
JOBS ?= 2
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: lab test notebooks site students assignments catch-up grades seeds format bench clean

lab: .venv/student  ## open the course in JupyterLab
	$(BIN)/jupyter lab $(LAB_OPTIONS)

test: .venv/maintainer  ## lint, execute every notebook, run all tests (ADAPTED=1: without our plan)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile $(if $(ADAPTED),-m "not ours")

notebooks: .venv/maintainer  ## make the notebooks from their sources (ONLY=part_of_a_name)
	$(BIN)/python -m tools.build --only "$(ONLY)"

site: .venv/maintainer  ## make the website and, in its folder slides, the two talks
	$(BIN)/sphinx-build -q -W -b html -c website . $(TO)
	$(BIN)/sphinx-build -q -W -t talks -b revealjs -c website . $(TO)/slides

students: .venv/maintainer  ## make what students get, build/students (BRANCH=1: and commit it as a branch)
	$(BIN)/python -m tools.hand_out students $(if $(BRANCH),--branch)

assignments: .venv/maintainer  ## make what nbgrader grades (see grading/README.md)
	$(BIN)/python -m tools.hand_out assignments

catch-up: .venv/maintainer  ## make a notebook with the exercises before N solved (ONLY=part_of_a_name N=4)
	@test "$(ONLY)" -a "$(N)" || { echo "Which one, from which exercise on? make catch-up ONLY=ice_cream N=4"; exit 2; }
	$(BIN)/python -m tools.hand_out catch-up "$(ONLY)" $(N)

grades: .venv/maintainer  ## grade a day (DAY=Day1), with 2 processes (JOBS=2); see grading/README.md
	$(BIN)/python grading/grade.py $(DAY) --jobs=$(JOBS) $(if $(FORCE),--force)

seeds: .venv/maintainer  ## execute every solution with SEED = 0 ... 9 (slow)
	$(BIN)/python -m tools.seeds --only "$(ONLY)"

format: .venv/maintainer  ## format and lint the Python sources
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: .venv/maintainer  ## measure the times that README quotes, and keep them in tools/bench.md
	$(BIN)/python -m tools.bench > tools/bench.md

clean:  ## remove the environment and caches
	rm -rf .venv .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which with: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/student: .venv/bin/python requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/maintainer: .venv/bin/python requirements.txt requirements-dev.txt constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@ .venv/student
