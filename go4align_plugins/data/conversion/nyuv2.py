"""Converts the official ``nyu_depth_v2_labeled.mat`` to MTAN's layout.

As MTAN's own download: the official split of 795 and 654 frames, 13 classes, the in-painted depth
in metres. Unlike it, normals are fitted to that depth; MTAN's were taken from Eigen and Fergus.
Copies of the file in another form are refused.
"""

from __future__ import annotations

import json
import warnings
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from go4align_plugins.data.conversion import geometry
from go4align_plugins.data.frame_rules import LARGEST
from go4align_plugins.data.nyuv2 import NYUV2
from go4align_plugins.data.prepare import write_dataset
from go4align_plugins.data.units import METRES, Other, describe
from go4align_plugins.utils.files import reading
from go4align_plugins.utils.optional import import_optional

# The colour camera's, to which the depth is registered, and the area that the depth camera sees,
# both for 480 x 640 pixels (the official toolbox's camera_params.m and get_projection_mask.m,
# less 1: there the first pixel is 1).
HEIGHT, WIDTH = 480, 640
INTRINSICS = geometry.Intrinsics(fx=518.857901, fy=519.469611, cx=324.582449, cy=252.736166)
SEEN_ROWS, SEEN_COLUMNS = (44, 471), (40, 601)

ARRAYS = {'images': 'u', 'depths': 'f', 'labels': 'iu'}  # kinds of numbers by numpy's letters
FACTS = json.loads(Path(__file__).with_name('nyuv2_official.json').read_text(encoding='utf-8'))
OFFICIAL = 'the official nyu_depth_v2_labeled.mat (HDF5, 2.8 GB)'
WALL = 21  # the commonest official label; rare, or no label at all, where they were mapped
LARGEST_MAPPED = 40
AS_DOWNLOADED = 'use the file as it was downloaded'


def convert(
    mat: str | Path,
    out: str | Path,
    size: tuple[int, int],
    crop: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> int:
    """Converts the official file (HDF5); frames that are there already are kept.

    ``crop`` cuts frames to the area that the depth camera sees, as MTAN's author reports to have
    done. Returns the number of frames written.
    """
    mat = Path(mat).expanduser()
    num_frames = count_frames(mat)
    numbers = split_numbers(num_frames)
    _require_official(mat, num_frames)
    return write_dataset(
        out,
        NYUV2,
        {'source': 'official', 'image_size': size, 'crop': crop},
        {split: len(chosen) for split, chosen in numbers.items()},
        partial(convert_frame, mat, numbers, size, crop),
        workers,
        progress,
    )


def convert_frame(
    mat: Path,
    numbers: dict[str, list[int]],
    size: tuple[int, int],
    crop: bool,
    split: str,
    index: int,
) -> dict[str, np.ndarray]:
    """Reads one of :func:`split_numbers`' and brings it to the benchmark's classes and size."""
    image, depth, labels = _read_frame(mat, numbers[split][index])
    y, x = depth.shape[0] / HEIGHT, depth.shape[1] / WIDTH
    normal = geometry.fit_normals(depth, INTRINSICS.scaled(x, y))
    area = np.s_[:, :]
    if crop:
        rows, columns = (round(row * y) for row in SEEN_ROWS), (round(c * x) for c in SEEN_COLUMNS)
        area = np.s_[slice(*rows), slice(*columns)]
    return {
        'image': geometry.resize_image(image[area], size),
        'segmentation': geometry.resize_nearest(label_classes()[labels[area]], size),
        'depth': geometry.resize_nearest(depth[area], size)[..., None],
        'normal': geometry.resize_nearest(normal[area], size),
    }


def split_numbers(num_frames: int) -> dict[str, list[int]]:
    """The official numbers, from 1, of each split's frames, of those that the file holds."""
    test = {number for number in FACTS['test'] if number <= num_frames}
    train = set(range(1, min(num_frames, FACTS['num_frames']) + 1)) - test
    if num_frames != FACTS['num_frames']:
        warnings.warn(
            f'The file holds {num_frames} frames, the official one {FACTS["num_frames"]}: '
            f'{len(train)} of them are for training and {len(test)} for testing.',
            stacklevel=2,
        )
    if not (train and test):
        raise ValueError(f'The file should hold frames of both splits. Found {num_frames} frames.')
    return {'train': sorted(train), 'val': sorted(test)}


@lru_cache(maxsize=1)
def label_classes() -> np.ndarray:
    """(895,) int64: the class of each official label; -1 for label 0, which is none."""
    names = NYUV2.class_names
    classes = np.full(FACTS['num_labels'] + 1, names.index('objects'))
    classes[0] = -1
    for name, labels in FACTS['labels'].items():
        classes[labels] = names.index(name)
    return classes


def count_frames(mat: Path) -> int:
    """The number of frames in the official file; refuses one that is no HDF5 or another."""
    h5py = import_optional('h5py')
    if not mat.is_file():
        raise FileNotFoundError(f'No file {mat}. {NYUV2.how_to_get(mat)}')
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ARRAYS, ())
    dtypes: dict[str, Any] = dict.fromkeys(ARRAYS)
    with reading(mat, f'be {OFFICIAL}, whole'), h5py.File(mat, 'r') as file:
        for name in ARRAYS:
            if link := file.get(name, getlink=True):
                # HDF5 would read an array from any other file on this machine.
                array = file[name] if isinstance(link, h5py.HardLink) else None
                if array is None or getattr(array, 'external', None) or array.is_virtual:
                    raise ValueError(f'it should hold {name} itself, no link to other data')
                shapes[name], dtypes[name] = array.shape, array.dtype
    frames = shapes['depths']
    right = len(frames) == 3 and 0 not in frames and frames[1] >= frames[2]
    right &= shapes['labels'] == frames and shapes['images'] == (*frames[:1], 3, *frames[1:])
    right &= all(dtype and dtype.kind in ARRAYS[name] for name, dtype in dtypes.items())
    if not right or dtypes['images'] != np.uint8:
        shown = {name: dtypes[name] and f'{shapes[name]} {dtypes[name]}' for name in ARRAYS}
        raise ValueError(
            f'{mat}: should be {OFFICIAL}, with images (N, 3, W, H) uint8, depths (N, W, H) float '
            'in metres and labels (N, W, H) integer, W = 640 before H = 480. '
            f'Found {shown}{describe(Other("another form", AS_DOWNLOADED))}'
        )
    return frames[0]


def _read_frame(mat: Path, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame's image (H, W, 3), depth (H, W) and labels (H, W), by its number from 1."""
    h5py = import_optional('h5py')
    with reading(mat, f'hold frame {number}, whole'), h5py.File(mat, 'r') as file:
        image, depth, labels = (np.asarray(file[name][number - 1]).T for name in ARRAYS)
    for name, array, largest, rule in (
        ('labels', labels, FACTS['num_labels'], f'be 0 to {FACTS["num_labels"]}'),
        ('depth', depth, LARGEST, 'be finite and not negative'),
    ):
        if not (array.min() >= 0 and array.max() <= largest):
            found = f'Found {array.min()} to {array.max()}.'
            raise ValueError(f'{mat}: {name} of frame {number} should {rule}. {found}')
    if problem := METRES.find_problem(depth):
        raise ValueError(f'{mat}: frame {number}: {problem}')
    return image, depth, labels


def _require_official(mat: Path, num_frames: int) -> None:
    """Refuse labels that were mapped and depth that was scaled, by a few frames from all over."""
    numbers = range(1, num_frames + 1, 1 + num_frames // 16)
    frames = [_read_frame(mat, number) for number in numbers]
    if problem := METRES.find_shrunk(depth for _, depth, _ in frames):
        raise ValueError(f'{mat}: {problem}')
    labels = np.concatenate([label[(label > 0) & (label != 255)] for *_, label in frames])
    if not labels.size or labels.min() == labels.max() or labels.max() > LARGEST_MAPPED:
        return
    # A few official frames may lack the rarer labels, but never walls.
    if np.count_nonzero(labels == WALL) < labels.size / 10:
        classes = 13 if labels.max() <= 13 else LARGEST_MAPPED
        mapped = Other(f'as if mapped to {classes} classes', AS_DOWNLOADED)
        raise ValueError(
            f'{mat}: labels should be the official ones, which go to 894. Found none above '
            f'{labels.max()} in {len(frames)} frames{describe(mapped)}'
        )
