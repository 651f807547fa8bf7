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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from go4align_plugins.data.array_checks import CHANNELS, find_problems, find_size, load_array
from go4align_plugins.data.table import Benchmark
from go4align_plugins.data.units import MEND, DepthUnit
from go4align_plugins.tasks import IMAGE_FOLDER, MAPS
from go4align_plugins.utils.files import DataError, describe_damage, locate
from go4align_plugins.utils.optional import import_optional

SPLITS = ('train', 'val')
FOLDERS = {'image': IMAGE_FOLDER, **{name: kind.folder for name, kind in MAPS.items()}}
DESCRIPTION = 'dataset.json'
_RESTORE = 'Put the file back as it was, or delete the folder and prepare the data again.'


class FrameFolder:
    """The frames of one split.

    Args:
        root: the folder that holds ``train`` and ``val``.
        benchmark: whose tasks and classes the frames have.
        split: ``'train'`` or ``'val'``.
        tasks: names of the tasks to read. None (default) reads all of the benchmark's.
        num_classes: of the segmentation. None (default) takes the benchmark's; 19 reads
            CityScapes' finer labels.

    Attributes:
        image_size: height and width of the first frame, which all others must have.
        parts: what :meth:`read` returns: ``'image'`` and the tasks' names.

    Raises:
        FileNotFoundError: if a folder is missing.
        ValueError: if there are no frames, or not the same ones in every folder, or the first
            image breaks a rule.
    """

    def __init__(
        self,
        root: str | Path,
        benchmark: Benchmark,
        split: str,
        tasks: Sequence[str] | None = None,
        num_classes: int | None = None,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(
                f'Parameter `split` should be one of {", ".join(SPLITS)}. Found `{split}`.'
            )
        self.parts = ('image', *(task.name for task in benchmark.select(tasks)))
        self.num_classes = num_classes or len(benchmark.class_names)
        self._depth_unit = benchmark.depth_unit
        root = Path(root).expanduser()
        self._folders = {part: _folder(root, split, part, self.num_classes) for part in self.parts}

        missing = [str(folder) for folder in self._folders.values() if not folder.is_dir()]
        if missing:
            raise FileNotFoundError(
                f'No folder {", ".join(missing)}. {_remedy(root, benchmark, split)}'
            )
        self._length, problems = _survey(root, split, self._folders)
        if problems:
            raise DataError(f'{problems[0]} {_remedy(root, benchmark, split)}')
        self._remedy = repair(root, benchmark)
        self.image_size: tuple[int, int] = self._load('image', 0, None).shape[:2]

    def __len__(self) -> int:
        return self._length

    def read(self, index: int) -> dict[str, np.ndarray]:
        """Reads and checks one frame.

        Returns:
            ``'image'`` (H, W, 3), ``'segmentation'`` (H, W) int64, ``'depth'`` (H, W, 1) and
            ``'normal'`` (H, W, 3): those asked for, contiguous, float32 but for the labels.

        Raises:
            IndexError: if there is no such frame.
            ValueError: if a file cannot be read or breaks a rule of the layout; the message names
                the file, the rule and the value found.
        """
        if not 0 <= index < len(self):
            raise IndexError(f'Frame {index} is out of range: there are {len(self)}.')
        frame = {}
        for part in self.parts:
            array = self._load(part, index, self.image_size)
            dtype = MAPS[part].dtype if part in MAPS else np.float32
            shape = (*self.image_size, *CHANNELS[part][0])
            frame[part] = np.ascontiguousarray(array.reshape(shape), dtype=dtype)
        return frame

    def _load(self, part: str, index: int, size: tuple[int, int] | None) -> np.ndarray:
        path = self._folders[part] / f'{index}.npy'
        try:
            array = load_array(path)
        except ValueError as error:
            raise DataError(f'{error.args[0].rstrip(".")}. {self._remedy}') from error
        for problem in find_problems(part, array, size, self.num_classes, self._depth_unit):
            remedy = f' {self._remedy}' if is_damage(problem) else ''
            raise DataError(f'{path}: {problem}{remedy}')
        return array


def check(
    root: str | Path,
    benchmark: Benchmark,
    size: tuple[int, int] | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    tasks: Sequence[str] | None = None,
) -> list[str]:
    """Checks every file of both splits.

    Args:
        root: the folder that holds ``train`` and ``val``.
        benchmark: whose tasks the dataset should have.
        size: height and width that all frames should have. None (default): what most of the
            first files have, of those that are in order.
        progress: whether to draw a progress bar.
        num_classes: of the segmentation. None (default) takes the benchmark's.
        tasks: names of the tasks to check. None (default) checks all of the benchmark's.

    Returns:
        One line for each problem, beginning with the file or folder; empty if all is well.
    """
    root = Path(root).expanduser()
    if not any((root / split).is_dir() for split in SPLITS):
        lacking = f'should hold {" and ".join(SPLITS)}' if root.exists() else 'no such folder'
        return [f'{root}: {lacking}. {_remedy(root, benchmark, "train")}']
    num_classes = num_classes or len(benchmark.class_names)
    problems = []
    files = []
    for split in SPLITS:
        folders = {
            part: _folder(root, split, part, num_classes)
            for part in ('image', *(task.name for task in benchmark.select(tasks)))
        }
        present = {part: folder for part, folder in folders.items() if folder.is_dir()}
        problems += [
            f'{folder}: no such folder.' for folder in folders.values() if not folder.is_dir()
        ]
        problems += _survey(root, split, present)[1]
        for part, folder in present.items():
            problems += [
                f'{path}: should be named by a frame number, like 0.npy.'
                for path in sorted(folder.glob('*.npy'))
                if _number(path) is None
            ]
            files += [(part, folder / f'{number}.npy') for number in _numbers(folder)]

    size = size or _usual_size(files)
    tqdm = import_optional('tqdm').tqdm
    for part, path in tqdm(files, unit=' files', disable=not progress):
        try:
            array = load_array(path)
        except ValueError as error:
            problems.append(str(error))
            continue
        found = find_problems(part, array, size, num_classes, benchmark.depth_unit)
        problems += [f'{path}: {text}' for text in found]
    measured = {task.name for task in benchmark.tasks if task.depth_unit}
    depths = [path for part, path in files if part in measured]
    return problems + [f'{root}: {text}' for text in _find_shrunk(depths, benchmark.depth_unit)]


def count_frames(root: str | Path, split: str) -> int:
    """The number of images of a split; 0 if there is no such folder."""
    folder = Path(root).expanduser() / split / 'image'
    return len(_numbers(folder)) if folder.is_dir() else 0


def read_description(root: Path) -> dict | None:
    """The ``dataset.json`` that ``prepare_data.py`` leaves beside the splits; None without one.

    Raises:
        ValueError: if it cannot be read, or its ``num_frames`` are no numbers of splits.
    """
    path = root / DESCRIPTION
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        damage = describe_damage(path, error)
        raise DataError(f'{path}: should be a JSON object. Found: {damage}. {_RESTORE}') from error
    frames = found.get('num_frames', {}) if isinstance(found, dict) else None
    if not isinstance(frames, dict) or not all(type(count) is int for count in frames.values()):
        raise DataError(
            f'{path}: should be a JSON object with `num_frames` of each split. '
            f'Found {found!r:.200}. {_RESTORE}'
        )
    return found


def is_damage(problem: str) -> bool:
    """Whether a problem is one of a damaged file; else the problem's text says how to mend it."""
    return MEND not in problem


def repair(root: str | Path, benchmark: Benchmark, files: str = 'it') -> str:
    """Say in a sentence how to mend damaged files of frames."""
    if (Path(root).expanduser() / DESCRIPTION).exists():
        how = 'prepare the data again: the command that made it writes what is missing'
    else:
        source = f': python tools/prepare_data.py download {benchmark.name}'
        how = f'get the data again{"" if benchmark.embedded else source}'
    return f'Delete {files} and {how}.'


def _usual_size(files: Sequence[tuple[str, Path]]) -> tuple[int, int] | None:
    """The commonest size among the first files of each part; None if none of them is in order."""
    sizes: Counter[tuple[int, int]] = Counter()
    for part in FOLDERS:
        for path in [path for of_part, path in files if of_part == part][:20]:
            with suppress(ValueError):
                if size := find_size(part, load_array(path).shape):
                    sizes[size] += 1
    return sizes.most_common(1)[0][0] if sizes else None


def _find_shrunk(paths: Sequence[Path], unit: DepthUnit | None) -> Iterator[str]:
    """The problem of depth that was scaled to [0, 1], by a few files without another problem."""
    depths = []
    for path in paths[:: 1 + len(paths) // 16]:
        with suppress(ValueError):
            depth = load_array(path)
            if not any(find_problems('depth', depth, None, 0, unit)):
                depths.append(depth)
    if unit and (problem := unit.find_shrunk(depths)):
        yield problem


def _folder(root: Path, split: str, part: str, num_classes: int) -> Path:
    folder = root / split / FOLDERS[part]
    counted = folder.with_name(f'{folder.name}_{num_classes}')
    return counted if part in MAPS and MAPS[part].has_classes and counted.is_dir() else folder


def _number(path: Path) -> int | None:
    return int(path.stem) if re.fullmatch(r'0|[1-9][0-9]*', path.stem) else None


def _numbers(folder: Path) -> list[int]:
    numbers = (_number(path) for path in folder.glob('*.npy'))
    return sorted(number for number in numbers if number is not None)


def _survey(root: Path, split: str, folders: dict[str, Path]) -> tuple[int, list[str]]:
    """The number of frames that a split should have, and the folders that lack some of them."""
    numbers = {folder: set(_numbers(folder)) for folder in folders.values()}
    length = max((max(found) + 1 for found in numbers.values() if found), default=0)
    description = read_description(root)
    if description:
        length = max(length, description.get('num_frames', {}).get(split, 0))
    if not length:
        return 0, [f'{root / split}: should hold frames named 0.npy, 1.npy, ... Found none.']
    problems = []
    for folder, found in numbers.items():
        if len(found) < length:
            missing = islice((str(index) for index in range(length) if index not in found), 5)
            listed = ', '.join(missing) + (', ...' if length - len(found) > 5 else '')
            problems.append(
                f'{folder}: should hold frames 0 to {length - 1}. '
                f'Found {len(found)}; missing: {listed}.'
            )
    return length, problems


def _remedy(root: Path, benchmark: Benchmark, split: str) -> str:
    elsewhere = locate(root, [f'{split}/image'])
    if elsewhere:
        return elsewhere
    if read_description(root):
        return 'If its preparation was interrupted, run the same command again to go on.'
    how = f'{benchmark.name} --out {root}' if benchmark.embedded else f'download {benchmark.name}'
    return f'To get the data: python tools/prepare_data.py {how}'
