"""Every reader on a few inputs; ``python tests/fuzz/run.py`` tries as many as there is time for."""

from importlib.util import find_spec

import pytest

pytest.importorskip('hypothesis', reason='hypothesis is not installed')

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .table import TARGETS

pytestmark = pytest.mark.integration

EXAMPLES = 10


@pytest.mark.parametrize('name', TARGETS)
def test_reads_or_refuses(name):
    target = TARGETS[name]
    for module in target.needs:
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
        target.run(data.draw(target.inputs))

    feed()
