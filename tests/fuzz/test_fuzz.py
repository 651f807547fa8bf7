"""Every reader on a few inputs; `run.py` feeds each for as long as there is time."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip('hypothesis', reason='hypothesis is not installed')
pytest.importorskip('go4align_plugins.libmtl', reason='LibMTL is missing', exc_type=ImportError)

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from . import checkpoints, frames, molecules, plans, results, run, target, weighting

pytestmark = pytest.mark.integration

MODULES = (weighting, plans, frames, molecules, results, checkpoints)
TARGETS = {name: target for module in MODULES for name, target in module.TARGETS.items()}
SECONDS = float(os.environ.get('FUZZ_SECONDS', 0))
INPUT = os.environ.get('FUZZ_INPUT', os.devnull)
FINDINGS = run.ROOT / '.hypothesis' / 'fuzz'


@pytest.mark.parametrize('name', TARGETS)
def test_reads_or_refuses(name):
    reader, counts = TARGETS[name], Counter()
    for module in reader.needs:
        if find_spec(module) is None:
            pytest.skip(f'{module} is not installed')

    @settings(
        max_examples=500 if SECONDS else 10,
        deadline=None,
        derandomize=not SECONDS,
        # Findings are the first inputs of the next run.
        database=DirectoryBasedExampleDatabase(FINDINGS / name) if SECONDS else None,
        suppress_health_check=list(HealthCheck),
    )
    @given(reader.inputs)
    def feed(value):
        Path(INPUT).write_text(repr(value))  # it may end this process
        counts[reader.run(value)] += 1
        if SECONDS and sum(counts.values()) == 5:
            gc.freeze()  # what was imported stays: some readers collect garbage at every input

    begin = time.monotonic()
    feed()
    while time.monotonic() - begin < SECONDS:
        feed()
    print(f'{name}: {dict(counts)}')


def test_what_hangs_or_dies_is_found_with_its_input(tmp_path, monkeypatch):
    monkeypatch.setattr(run, 'MARGIN', 1)
    for end, ending in (('time.sleep(60)', 'hangs'), ('ctypes.string_at(0)', 'status -11')):
        script = tmp_path / 'script.py'
        script.write_text(
            'import ctypes, os, pathlib, time\n'
            f'print("x" * 200_000)\npathlib.Path(os.environ["FUZZ_INPUT"]).write_text("[1]")\n{end}'
        )
        monkeypatch.setattr(run, 'COMMAND', [run.sys.executable, str(script)])
        failure = run.feed('arguments', 0.5)
        assert ending in failure
        assert failure.endswith('The last input: [1]')


def test_a_hang_passes_every_except_of_a_reader(monkeypatch):
    def check(value, folder):
        try:
            while True:
                pass
        except Exception:
            raise ValueError('Parameter `damage`') from None

    monkeypatch.setattr(target, 'SECONDS', 0.2)
    with pytest.raises(target.Hang):
        target.Target(st.none(), check).run(None)
