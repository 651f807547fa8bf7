# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
RUN = PYTHONPATH=$(CURDIR) $(VENV)/bin/python
FOR_DEMO = $(VENV)/for-demo
FOR_TESTS = $(VENV)/for-tests

# Waiting threads sleep: where others use the cores too, spinning ones double the time.
export OMP_WAIT_POLICY ?= passive

TASKS = segmentation depth normal
METHODS = EW UW DWA GO4Align
BASELINES = $(TASKS:%=runs/rooms/STL-%-0)
RUNS = $(METHODS:%=runs/rooms/%-0)

.PHONY: help env demo test test-unit lint format clean

help:
	@echo 'make demo       render rooms, train GO4Align beside EW, UW, DWA and single tasks: demo/'
	@echo 'make test       all tests'
	@echo 'make test-unit  the tests that need neither training nor rendering'
	@echo 'make lint       ruff and mypy'
	@echo 'make env        only install what the tests need, into $(VENV)'

env: $(FOR_TESTS)

$(FOR_DEMO): setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable '.[libmtl]'
	touch $@

$(FOR_TESTS): setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable '.[all,dev]'
	touch $@

# Every step keeps what is finished: run it again to go on.
demo: $(FOR_DEMO)
	$(RUN) tools/prepare_data.py rooms --out data/rooms
	@for task in $(TASKS); do \
		$(RUN) tools/train_libmtl.py --dataset rooms --weighting EW --tasks $$task \
			--resume || exit $$?; \
	done
	@for method in $(METHODS); do \
		$(RUN) tools/train_libmtl.py --dataset rooms --weighting $$method \
			--resume || exit $$?; \
	done
	$(RUN) tools/plot.py weights $(RUNS) --out demo/weights.png
	$(RUN) tools/plot.py curves $(RUNS) --out demo/curves.png
	$(RUN) tools/plot.py predictions $(BASELINES) runs/rooms/EW-0 runs/rooms/GO4Align-0 \
		--frames 3 10 20 --out demo/predictions.png
	$(RUN) tools/report.py $(BASELINES) $(RUNS) --last 3 --out demo

test: env
	$(RUN) -m pytest

test-unit: env
	$(RUN) -m pytest -m 'not integration'

lint: env
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: env
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf data/rooms runs/rooms demo
