"""Every reader on a few inputs; `run.py` feeds each for as long as there is time."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip('hypothesis', reason='hypothesis is not installed')
pytest.importorskip('go4align_plugins.libmtl', reason='LibMTL is missing', exc_type=ImportError)

from hypothesis import HealthCheck, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from . import frames, molecules, plans, results, run, weighting  # noqa: F401
from .reader import READERS

pytestmark = pytest.mark.integration

SECONDS = float(os.environ.get('FUZZ_SECONDS', 0))
INPUT = Path(os.environ.get('FUZZ_INPUT', os.devnull))
FINDINGS = run.ROOT / '.hypothesis' / 'fuzz'


@pytest.mark.parametrize('name', READERS)
def test_reads_or_refuses(name):
    counts = Counter()
    pytest.importorskip(READERS[name].needs)

    @settings(
        max_examples=500 if SECONDS else 10,
        deadline=None,
        derandomize=not SECONDS,
        # Findings are the first inputs of the next run.
        database=DirectoryBasedExampleDatabase(FINDINGS / name) if SECONDS else None,
        suppress_health_check=list(HealthCheck),
    )
    @given(READERS[name].inputs)
    def feed(value):
        INPUT.write_text(repr(value))  # it may end this process
        counts[READERS[name].run(value)] += 1
        if SECONDS and sum(counts.values()) == 5:
            gc.freeze()  # what was imported stays: some readers collect garbage at every input

    begin = time.monotonic()
    feed()
    while time.monotonic() - begin < SECONDS:
        feed()
    print(f'{name}: {dict(counts)}')


@pytest.mark.parametrize(
    ('end', 'ending'), [('time.sleep(60)', 'hangs'), ('ctypes.string_at(0)', 'status -11')]
)
def test_what_hangs_or_dies_is_found_with_its_input(end, ending, tmp_path, monkeypatch):
    write = 'pathlib.Path(os.environ["FUZZ_INPUT"]).write_text("[1]")'
    script = f'import ctypes, os, pathlib, time\nprint("x" * 200_000)\n{write}\n{end}'
    monkeypatch.setattr(run, 'MARGIN', 1)
    monkeypatch.setattr(run, 'COMMAND', [run.sys.executable, '-c', script])
    failure = run.feed('methods', 0.5)
    assert ending in failure
    assert failure.endswith('The last input: [1]')
