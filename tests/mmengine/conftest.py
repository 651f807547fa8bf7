import importlib.util

import pytest


class SkippedModule(pytest.Module):
    """A file of tests that cannot be imported."""

    def collect(self):
        pytest.skip('needs the extra `mmseg`: MMEngine is not installed', allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if importlib.util.find_spec('mmengine') is None:
        return SkippedModule.from_parent(parent, path=module_path)
    return None


@pytest.fixture
def model():
    from .toys import Scales

    return Scales()


@pytest.fixture
def on_accelerator(monkeypatch):
    """MMEngine's wrapper refuses to work on the CPU, whose arithmetic is the same."""
    wrapper = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{wrapper}.is_cuda_available', lambda: True)
