"""Every reader on a few inputs; ``python tests/fuzz/run.py`` tries as many as there is time for."""

import sys
from importlib.util import find_spec

import pytest

pytest.importorskip('hypothesis', reason='hypothesis is not installed')

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import run, target
from .table import TARGETS

pytestmark = pytest.mark.integration

EXAMPLES = 10


@pytest.mark.parametrize('name', TARGETS)
def test_reads_or_refuses(name):
    reader = TARGETS[name]
    for module in reader.needs:
        # LibMTL itself cannot be imported before this package has made it importable.
        if find_spec(module) is None:
            pytest.skip(f'{module} is not installed')

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def feed(data):
        reader.run(data.draw(reader.inputs))

    feed()


def test_what_hangs_or_dies_is_found_with_its_input(tmp_path, monkeypatch):
    monkeypatch.setattr(run, 'KEPT', tmp_path)
    monkeypatch.setattr('tests.fuzz.target.SECONDS', 0.5)
    for name, ending in (('hangs', 'it hangs'), ('dies', 'ended with status -11')):
        script = tmp_path / f'{name}.py'
        script.write_text(SCRIPT.format(name=name))
        monkeypatch.setattr(run, 'COMMAND', [sys.executable, str(script)])
        failed, text = run._run_child('arguments', 60, 'hypothesis', Bar())
        assert failed
        assert ending in text
        assert f"TARGETS['arguments'].run('{name}')" in text
        assert (tmp_path / 'arguments.txt').read_text() == f"'{name}'\n"
        (tmp_path / 'arguments.txt').unlink()


class Bar:
    def update(self, step):
        pass


SCRIPT = """
import ctypes, pathlib, sys, time
print('x' * 200_000)  # more than a pipe holds
pathlib.Path(sys.argv[4]).write_text(repr({name!r}))
time.sleep(60) if {name!r} == 'hangs' else ctypes.string_at(0)
"""


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
