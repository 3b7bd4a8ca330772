# make setup · demo · test · bench · faults. Only Python 3.11 or newer, with venv, is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
REALTIME := tests/test_sip.py
PART := 1/1

# What the modules of [tool.coverage.run] are tested by, without chance: what Hypothesis finds today it may not find tomorrow.
COVERED := $(addprefix tests/,test_walk.py test_dialogue.py test_mailbox_in_call.py test_seldom.py test_caps.py test_mailbox.py \
  test_forms.py test_webhooks.py test_worker.py test_queue.py test_regular.py test_vault.py faults/test_clock.py test_forgetting.py)

# The tests start a hundred processes: let them find the program compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test together lint coverage bench faults faults-full long lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: $(READY) ## build .venv with all that serve, demo and test need

# Everything is pinned with its hash; the program itself is linked in last, without asking the network.
$(READY): requirements/all.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Samtaleklar needs Python 3.11 or newer: set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(READY)

demo: setup ## the whole product on this machine, with a telephone in the browser
	$(BIN)/samtaleklar demo

test: setup ## all tests; what needs a browser, PostgreSQL or a SIP phone is skipped where there is none
	@$(MAKE) --no-print-directory --jobs 2 lint together
	$(BIN)/python -m pytest $(REALTIME)

# Not the sound that is compared in time: nothing else may run beside that.
together: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore $(REALTIME)

lint: setup
	$(BIN)/ruff check voice tests bench
	$(BIN)/ruff format --check voice tests bench
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive voice

coverage: setup ## that no branch of the dialogue, the calls, the queue, the jobs and the vault is without a test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(COVERED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: setup ## figures, as ratios against a baseline of the same run
	$(BIN)/python bench/web_process.py
	$(BIN)/python bench/dead_air.py
	$(BIN)/python bench/forms.py
	$(BIN)/python bench/sound.py
	$(BIN)/python bench/enumeration.py

faults: setup ## break things on purpose: a sample of every row, in half an hour
	rm -f .faults/sample.jsonl
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "row and not faults_full" --record=.faults/sample.jsonl

faults-full: setup ## the whole, for hours; broken off, it goes on where it was. Afterwards .faults/full.jsonl holds every case
	$(BIN)/python -m pytest -m row --part=$(PART) --record=.faults/full.jsonl

long: setup ## what takes hours besides: whole walks, fuzzing, retention day by day, thousands of invented calls
	$(BIN)/python -m pytest -m "(faults or faults_full) and not row"
	HYPOTHESIS_PROFILE=faults $(BIN)/python -m pytest tests/test_dialogue_properties.py

lock: ## pin anew what pyproject.toml names; needs uv
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements/serve.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra trial --extra transducer --group test --group build -c requirements/serve.txt pyproject.toml -o requirements/all.txt

clean: ## remove what setup and the tests made
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
