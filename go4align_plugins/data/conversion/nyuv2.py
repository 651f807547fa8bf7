"""Converts the official ``nyu_depth_v2_labeled.mat`` to MTAN's layout.

As MTAN's own download: the official split of 795 and 654 frames, 13 classes, the in-painted depth
in metres. Unlike it, normals are fitted to that depth; MTAN's were taken from Eigen and Fergus.
"""

from __future__ import annotations

import json
import warnings
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from go4align_plugins.data.array_checks import LARGEST
from go4align_plugins.data.conversion.normals import Intrinsics, fit_normals
from go4align_plugins.data.conversion.official_mat import (
    count_frames,
    read_frame,
    require_metres,
    require_official,
)
from go4align_plugins.data.conversion.resize import resize_image, resize_nearest
from go4align_plugins.data.prepare import write_dataset
from go4align_plugins.data.table import NYUV2_CLASSES, get_benchmark

# The colour camera's, to which the depth is registered, and the area that the depth camera sees,
# both for 480 x 640 pixels (the official toolbox's camera_params.m and get_projection_mask.m,
# less 1: there the first pixel is 1).
HEIGHT, WIDTH = 480, 640
INTRINSICS = Intrinsics(fx=518.857901, fy=519.469611, cx=324.582449, cy=252.736166)
SEEN_ROWS, SEEN_COLUMNS = (44, 471), (40, 601)


def convert(
    mat: str | Path,
    out: str | Path,
    size: tuple[int, int] | None = None,
    crop: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> int:
    """Converts the official file; frames that are there already are kept.

    Args:
        mat: the official file, HDF5.
        out: the dataset's folder.
        size: height and width. None (default): the benchmark's, 288 x 384.
        crop: whether to cut frames to the area that the depth camera sees, as MTAN's author
            reports to have done. Default: whole frames.
        workers: number of processes. None (default): one a core.
        progress: whether to draw a progress bar.

    Returns:
        The number of frames written.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not the official file, or ``out`` holds something else.
    """
    benchmark = get_benchmark('nyuv2')
    size = size or benchmark.require_image_size()
    mat = Path(mat).expanduser()
    num_frames = count_frames(mat)
    numbers = split_numbers(num_frames)
    require_official(mat, num_frames)
    return write_dataset(
        out,
        benchmark,
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
    """Reads one official frame and brings it to the benchmark's classes, units and size.

    Args:
        mat: the official file.
        numbers: the official numbers of each split's frames, as :func:`split_numbers` gives them.
        size: height and width.
        crop: whether to cut to the area that the depth camera sees.
        split: ``'train'`` or ``'val'``.
        index: within the split.

    Returns:
        ``'image'``, ``'segmentation'``, ``'depth'`` and ``'normal'`` of MTAN's layout.

    Raises:
        ValueError: if the frame cannot be read or holds an impossible value.
    """
    number = numbers[split][index]
    image, depth, labels = read_frame(mat, number)
    classes = label_classes()
    if not 0 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(
            f'{mat}: labels of frame {number} should be 0 to {len(classes) - 1}. '
            f'Found {labels.min()} to {labels.max()}.'
        )
    if not (depth.min() >= 0 and depth.max() <= LARGEST):
        raise ValueError(
            f'{mat}: depth of frame {number} should be finite and not negative. '
            f'Found {depth.min()} to {depth.max()}.'
        )
    require_metres(mat, number, depth)

    y, x = depth.shape[0] / HEIGHT, depth.shape[1] / WIDTH
    normal = fit_normals(depth, INTRINSICS.scaled(x, y))
    area = np.s_[:, :]
    if crop:
        rows, columns = (round(row * y) for row in SEEN_ROWS), (round(c * x) for c in SEEN_COLUMNS)
        area = np.s_[slice(*rows), slice(*columns)]
    return {
        'image': resize_image(image[area], size),
        'segmentation': resize_nearest(classes[labels[area]], size),
        'depth': resize_nearest(depth[area], size)[..., None],
        'normal': resize_nearest(normal[area], size),
    }


def split_numbers(num_frames: int) -> dict[str, list[int]]:
    """The official split: the numbers, from 1, of each split's frames, in rising order.

    Args:
        num_frames: in the file; official ones that are beyond it are left out, with a warning.

    Raises:
        ValueError: if a split is left without a frame.
    """
    facts = _official()
    test = {number for number in facts['test'] if number <= num_frames}
    train = set(range(1, min(num_frames, facts['num_frames']) + 1)) - test
    if num_frames != facts['num_frames']:
        warnings.warn(
            f'The file holds {num_frames} frames, the official one {facts["num_frames"]}: '
            f'{len(train)} of them are for training and {len(test)} for testing.',
            stacklevel=2,
        )
    if not (train and test):
        raise ValueError(f'The file should hold frames of both splits. Found {num_frames} frames.')
    return {'train': sorted(train), 'val': sorted(test)}


@lru_cache(maxsize=1)
def label_classes() -> np.ndarray:
    """(895,) int64: the class of each official label; -1 for label 0, which is none."""
    facts = _official()
    classes = np.full(facts['num_labels'] + 1, NYUV2_CLASSES.index('objects'))
    classes[0] = -1
    for name, labels in facts['labels'].items():
        classes[labels] = NYUV2_CLASSES.index(name)
    return classes


@lru_cache(maxsize=1)
def _official() -> dict:
    path = Path(__file__).with_name('nyuv2_official.json')
    return dict(json.loads(path.read_text(encoding='utf-8')))
