from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from go4align_plugins.data.scenes import render
from go4align_plugins.libmtl.train import main

from .training import arguments


def write_split(
    folder: Path, benchmark: str, split: str, count: int, size: tuple[int, int] = (32, 48)
) -> None:
    for index in range(count):
        frame = render(benchmark, 0, index, size, split=split)
        for name in ('image', 'label', 'depth', 'normal'):
            if getattr(frame, name) is not None:
                (folder / split / name).mkdir(parents=True, exist_ok=True)
                np.save(folder / split / name / f'{index}.npy', getattr(frame, name))


@pytest.fixture(scope='session')
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small rooms in MTAN's layout."""
    folder = tmp_path_factory.mktemp('rooms')
    write_split(folder, 'rooms', 'train', 12)
    write_split(folder, 'rooms', 'val', 4)
    return folder


@pytest.fixture(scope='session')
def trained(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch of GO4Align."""
    folder = tmp_path_factory.mktemp('trained') / 'run'
    assert main(arguments(rooms, folder, '--epochs', '1', '--GO4Align_step_size', '0.01')) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run, to go on with."""
    return Path(shutil.copytree(trained, tmp_path / 'run'))
