"""Reads and checks the layout of MTAN's downloads: ``ROOT/{train,val}/{image,label,...}/N.npy``.

Frames are numbered from 0 without a gap. ``image`` is (H, W, 3) in [0, 1]; ``label`` (H, W), -1 is
no label; ``depth`` (H, W, 1) or (H, W), 0 is no measurement; ``normal`` (H, W, 3) unit vectors, 0
is no normal. MTAN's CityScapes has ``label_7`` and ``label_19`` in place of ``label``: the folder
named after the number of classes is preferred where there are both.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from go4align_plugins.data.benchmark import Benchmark
from go4align_plugins.data.frame_rules import find_shapes, read_array
from go4align_plugins.data.units import MEND
from go4align_plugins.tasks import IMAGE_FOLDER, MAPS, Task
from go4align_plugins.utils.files import DataError, locate, reading
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import check_choice

SPLITS = ('train', 'val')
DESCRIPTION = 'dataset.json'


class FrameFolder:
    """The frames of one split, all of the size of the first: ``image_size``, height and width.

    Without tasks and a number of classes they are the benchmark's. A folder that is missing is a
    FileNotFoundError; no frames, or not the same ones in every folder, are a ValueError.
    """

    def __init__(
        self,
        root: str | Path,
        benchmark: Benchmark,
        split: str,
        tasks: Sequence[str] | None = None,
        num_classes: int | None = None,
    ) -> None:
        check_choice('split', split, SPLITS)
        root = Path(root).expanduser()
        self.parts = list_parts(root / split, benchmark, tasks, num_classes)
        self._length, problems = _survey(root / split, self.parts)
        if problems:
            whole = all(part.folder.is_dir() for part in self.parts.values())
            error = DataError if whole else FileNotFoundError
            raise error(f'{problems[0]} {_remedy(root, benchmark, split)}')
        self._repair = repair(root, benchmark)
        self.image_size: tuple[int, int] = self._load('image', 0, None).shape[:2]

    def __len__(self) -> int:
        return self._length

    def read(self, index: int) -> dict[str, np.ndarray]:
        """Reads and checks one frame, float32 or int64; a DataError names the file and the rule."""
        if not 0 <= index < len(self):
            raise IndexError(f'Frame {index} is out of range: there are {len(self)}.')
        frame = {}
        for name, (task, _) in self.parts.items():
            shape = (*self.image_size, *find_shapes(task)[0])
            array = self._load(name, index, self.image_size).reshape(shape)
            dtype = MAPS[task.kind.name].dtype if task else np.float32
            frame[name] = np.ascontiguousarray(array, dtype=dtype)
        return frame

    def _load(self, name: str, index: int, size: tuple[int, int] | None) -> np.ndarray:
        task, folder = self.parts[name]
        try:
            return read_array(folder / f'{index}.npy', task, size)
        except ValueError as error:
            said = str(error)  # with the advice how to mend it, unless it is damaged
            raise DataError(said if MEND in said else f'{said} {self._repair}') from error


def check(
    root: str | Path,
    benchmark: Benchmark,
    size: tuple[int, int] | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    tasks: Sequence[str] | None = None,
) -> list[str]:
    """Checks every file of both splits: a line for each problem, which begins with the path.

    Without a size it is the commonest of the first files.
    """
    root = Path(root).expanduser()
    if not any((root / split).is_dir() for split in SPLITS):
        lacking = f'should hold {" and ".join(SPLITS)}' if root.exists() else 'no such folder'
        return [f'{root}: {lacking}. {_remedy(root, benchmark, "train")}']
    problems: list[str] = []
    files: list[tuple[Task | None, list[Path]]] = []
    for split in SPLITS:
        parts = list_parts(root / split, benchmark, tasks, num_classes)
        problems += _survey(root / split, parts)[1]
        for task, folder in parts.values():
            paths = [folder / f'{number}.npy' for number in _numbers(folder)]
            files.append((task, paths))
            problems += [
                f'{path}: should be named by a frame number, like 0.npy.'
                for path in sorted({*folder.glob('*.npy')} - {*paths})
            ]
    if size is None:
        first = (array for task, paths in files for array in _read_right(task, paths[:20]))
        sizes = Counter(array.shape[:2] for array in first)
        size = max(sizes, key=sizes.__getitem__, default=None)
    pairs = [(task, path) for task, paths in files for path in paths]
    for task, path in import_optional('tqdm').tqdm(pairs, unit=' files', disable=not progress):
        try:
            read_array(path, task, size)
        except ValueError as error:
            problems.append(str(error))
    for task in benchmark.select(tasks):
        if task.depth_unit:
            paths = [path for of, path in pairs if of == task]
            problem = task.depth_unit.find_shrunk(_read_right(task, paths[:: 1 + len(paths) // 16]))
            problems += [f'{root}: {problem}'] if problem else []
    return problems


class Part(NamedTuple):
    """The files of a task's truth, or the images where there is no task."""

    task: Task | None
    folder: Path


def list_parts(
    split: Path,
    benchmark: Benchmark,
    tasks: Sequence[str] | None = None,
    num_classes: int | None = None,
) -> dict[str, Part]:
    """The parts of a split's frames: ``'image'``, and the tasks by their names."""
    parts = {'image': Part(None, split / IMAGE_FOLDER)}
    for task in benchmark.select(tasks):
        kind = MAPS[task.kind.name]
        folder = split / kind.folder
        if kind.has_classes:
            task = replace(task, channels=num_classes or task.channels)
            counted = split / f'{kind.folder}_{task.channels}'
            folder = counted if counted.is_dir() else folder
        parts[task.name] = Part(task, folder)
    return parts


def count_frames(root: str | Path, split: str) -> int:
    """The number of images of a split; 0 without its folder."""
    return len(_numbers(Path(root).expanduser() / split / IMAGE_FOLDER))


def read_description(root: Path) -> dict | None:
    """The ``dataset.json`` that ``prepare_data.py`` leaves beside the splits; None without one."""
    path = root / DESCRIPTION
    if not path.exists():
        return None
    remedy = 'Put the file back as it was, or delete the folder and prepare the data again.'
    with reading(path, 'be a JSON object with `num_frames` of each split', remedy):
        found: dict = json.loads(path.read_bytes())
        if not all(type(count) is int for count in found.get('num_frames', {}).values()):
            raise ValueError(f'{found!r:.200}')
    return found


def repair(root: str | Path, benchmark: Benchmark, files: str = 'it') -> str:
    """Say in a sentence how to mend damaged files of frames."""
    if (Path(root).expanduser() / DESCRIPTION).exists():
        how = 'prepare the data again: the command that made it writes what is missing'
    else:
        source = f': python tools/prepare_data.py download {benchmark.name}'
        how = f'get the data again{source if benchmark.download else ""}'
    return f'Delete {files} and {how}.'


def _remedy(root: Path, benchmark: Benchmark, split: str) -> str:
    """Where missing frames may be, or how to get them."""
    if elsewhere := locate(root, [f'{split}/{IMAGE_FOLDER}']):
        return elsewhere
    if read_description(root):
        return 'If its preparation was interrupted, run the same command again to go on.'
    return benchmark.how_to_get(root)


def _read_right(task: Task | None, paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """The arrays of those files that have no problem."""
    for path in paths:
        with suppress(ValueError):
            yield read_array(path, task)


def _numbers(folder: Path) -> list[int]:
    """The numbers of the frames in a folder, rising."""
    stems = [path.stem for path in folder.glob('*.npy')]
    return sorted(int(stem) for stem in stems if re.fullmatch(r'0|[1-9][0-9]*', stem))


def _survey(split: Path, parts: Mapping[str, Part]) -> tuple[int, list[str]]:
    """The number of frames that a split should have, and the folders that lack some of them."""
    folders = [part.folder for part in parts.values()]
    problems = [f'{folder}: no such folder.' for folder in folders if not folder.is_dir()]
    numbers = {folder: set(_numbers(folder)) for folder in folders if folder.is_dir()}
    announced = (read_description(split.parent) or {}).get('num_frames', {}).get(split.name, 0)
    length = max(announced, *(max(found) + 1 for found in numbers.values() if found), 0)
    if not length:
        problems += [f'{split}: should hold frames named 0.npy, 1.npy, ... Found none.']
    for folder, found in numbers.items():
        if len(found) < length:
            missing = islice((str(index) for index in range(length) if index not in found), 5)
            listed = ', '.join(missing) + (', ...' if length - len(found) > 5 else '')
            problems.append(
                f'{folder}: should hold frames 0 to {length - 1}. '
                f'Found {len(found)}; missing: {listed}.'
            )
    return length, problems
