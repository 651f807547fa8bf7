"""Lets the tests of this folder, and the processes that they start, import its `toys`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def model():
    from wrappers import Scales

    return Scales()


@pytest.fixture
def on_accelerator(monkeypatch):
    """MMEngine's wrapper refuses to work on the CPU, whose arithmetic is the same."""
    from mmengine.optim.optimizer import amp_optimizer_wrapper

    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
