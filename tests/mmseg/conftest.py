"""Every test of this folder begins in mmseg's scope, whatever ran before it; or needs mmseg."""

from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec('mmseg'):
    from mmengine.registry import DefaultScope

    import go4align_plugins.mmseg  # noqa: F401  (mends what importing mmseg needs)

    from .frames import write_frames

    @pytest.fixture(autouse=True)
    def scope():
        with DefaultScope.overwrite_default_scope('mmseg'):
            yield
else:
    names = [path.name for path in Path(__file__).parent.glob('test_*.py')]
    collect_ignore = [name for name in names if name != 'test_imports.py']


@pytest.fixture(scope='session')
def frames64(tmp_path_factory):
    """Frames of three tasks that a small network can be trained on."""
    return write_frames(tmp_path_factory.mktemp('frames'), {'train': 8, 'val': 2}, (64, 64))
