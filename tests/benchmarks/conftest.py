import numpy as np
import pytest

from .. import SHARED

FRAMES = SHARED / 'data' / 'nyuv2' / 'frames.npz'


@pytest.fixture(scope='module')
def shared():
    if not FRAMES.exists():
        pytest.skip('the real NYUv2 frames are not beside the repository')
    with np.load(FRAMES) as frames:
        return dict(frames)
