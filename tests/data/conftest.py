import numpy as np
import pytest

from .. import SHARED
from .layout_files import arrays, write

FRAMES = SHARED / 'data' / 'nyuv2' / 'frames.npz'


@pytest.fixture(scope='package')
def shared():
    if not FRAMES.exists():
        pytest.skip('the real NYUv2 frames are not beside the repository')
    with np.load(FRAMES) as frames:
        return dict(frames)


@pytest.fixture
def root(tmp_path):
    for split, count in (('train', 3), ('val', 2)):
        for index in range(count):
            write(tmp_path, split, index, arrays())
    return tmp_path
