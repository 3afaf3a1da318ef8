# Everything a newcomer needs: make demo, make test. Nothing but python3 (>= 3.11), git and make must be there before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
DATA ?=

.PHONY: help demo next-week lending test check bench soak clean

help:
	@echo "make demo        real sales data -> governed, deployed, explained forecast in a web page"
	@echo "make next-week   reveal the next seven days: truth against forecast, and a new release"
	@echo "make lending     mortgage applications: a release that fairness gates stop, explain and let pass once mended"
	@echo "make test        set up what tests need, and run them"
	@echo "make check       format, lint, types, import contracts"
	@echo "make bench       measure against peers;  make soak: every kill site, hours"

# One stamp per set of locked packages: a second `make` installs nothing.
$(VENV)/.demo: requirements/demo.txt pyproject.toml
	@$(PYTHON) scripts/setup.py demo
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.demo
	@$(PYTHON) scripts/setup.py test
	@touch $@

$(VENV)/.clients: requirements/clients.txt $(VENV)/.test
	@$(PYTHON) scripts/setup.py clients
	@touch $@

demo: $(VENV)/.demo
	@cd examples/demand && ../../$(BIN)/python -m demo start --data "$(DATA)" $(ARGS)

next-week: $(VENV)/.demo
	@cd examples/demand && ../../$(BIN)/python -m demo next-week $(ARGS)

lending: $(VENV)/.demo
	@cd examples/lending && ../../$(BIN)/python -m story $(ARGS)

test: $(VENV)/.clients
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.test
	$(BIN)/ruff format --check src tests examples scripts benchmarks
	$(BIN)/ruff check src tests examples scripts benchmarks
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.test
	$(BIN)/python benchmarks/run.py $(ARGS)

soak: $(VENV)/.test
	$(BIN)/python benchmarks/soak.py $(ARGS)

clean:
	rm -rf $(VENV) examples/*/.lockgate examples/*/data examples/lending/pages
