# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
RUN = PYTHONPATH=$(CURDIR) $(VENV)/bin/python
FOR_DEMO = $(VENV)/for-demo
FOR_TESTS = $(VENV)/for-tests

# Training on a CPU: threads that wait go to sleep after a moment, which a busy machine needs, and
# freed memory is kept for the next step. Together they more than halve the time of an epoch.
export GOMP_SPINCOUNT ?= 10000
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 4000000000
export MALLOC_TOP_PAD_ ?= 100000000

TASKS = segmentation depth normal
METHODS = EW UW DWA GO4Align
BASELINES = $(TASKS:%=runs/rooms/STL-%-0)
RUNS = $(METHODS:%=runs/rooms/%-0)

.PHONY: help env demo test test-unit speed faults fuzz matrix lint format clean

help:
	@echo 'make demo       render rooms, train GO4Align beside EW, UW, DWA and single tasks: demo/'
	@echo 'make test       all tests'
	@echo 'make test-unit  the tests that need neither training nor rendering'
	@echo 'make speed      time the weighting and training beside others, with the goals'
	@echo 'make faults     kill, fill the disk, damage files; compare with undisturbed runs (hours)'
	@echo 'make fuzz       feed everything that reads, ten minutes each'
	@echo 'make matrix     lowest and newest versions, each extra alone (hours, gigabytes)'
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

# A process a core; the tests of one file stay together, with what they have rendered or trained.
test: env
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto --dist loadfile

test-unit: env
	$(RUN) -m pytest -m 'not integration'

speed: env
	$(VENV)/bin/python benchmarks/run.py

faults: env
	$(RUN) -m pytest -rA $(addprefix tests/faults/,kill.py full_disk.py corrupt_files.py long_run.py)

fuzz: env
	$(RUN) tests/fuzz/run.py --minutes 10

# `make matrix` keeps its environments in ~/.cache/go4align-plugins/nox.
matrix: env
	$(VENV)/bin/nox

lint: env
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: env
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf data/rooms runs/rooms demo
