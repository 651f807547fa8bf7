from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from go4align_plugins.data.rooms import render

SIZE = (32, 48)


def write_split(
    folder: Path, benchmark: str, split: str, count: int, size: tuple[int, int] = SIZE
) -> None:
    for index in range(count):
        frame = render(benchmark, 0, index, size, split=split)
        parts = {'image': frame.image, 'label': frame.label, 'depth': frame.depth}
        if frame.normal is not None:
            parts['normal'] = frame.normal
        for name, array in parts.items():
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            np.save(folder / split / name / f'{index}.npy', array)


@pytest.fixture(scope='session')
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small rooms in MTAN's layout."""
    folder = tmp_path_factory.mktemp('rooms')
    write_split(folder, 'rooms', 'train', 12)
    write_split(folder, 'rooms', 'val', 4)
    return folder
