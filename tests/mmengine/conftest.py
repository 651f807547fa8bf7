"""Lets the tests of this folder, and the processes that they start, import its `toys`."""

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# Without MMEngine there is nothing to test here.
collect_ignore_glob = [] if importlib.util.find_spec('mmengine') else ['*.py']


@pytest.fixture
def model():
    from toys import Scales

    return Scales()


@pytest.fixture
def on_accelerator(monkeypatch):
    """MMEngine's wrapper refuses to work on the CPU, whose arithmetic is the same."""
    from mmengine.optim.optimizer import amp_optimizer_wrapper

    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
