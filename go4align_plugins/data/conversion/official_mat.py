"""Reads the official ``nyu_depth_v2_labeled.mat``, and tells it from copies of another form."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from go4align_plugins.data.units import METRES, Other, describe
from go4align_plugins.utils.files import describe_damage
from go4align_plugins.utils.optional import import_optional

KINDS = {'images': 'u', 'depths': 'f', 'labels': 'iu'}
"""The official arrays, and the kinds of their numbers by numpy's letters."""

AXES = {'images': 'N3WH', 'depths': 'NWH', 'labels': 'NWH'}
"""The order of their axes: MATLAB's, read by HDF5, has columns before rows."""

NOT_WHOLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)
"""The errors of h5py at a damaged file, whichever part of it is."""

WALL = 21
"""The commonest of the 894 official labels; rare, or no label at all, where they were mapped."""
LARGEST_MAPPED = 40
_AS_DOWNLOADED = 'use the file as it was downloaded'


def count_frames(mat: Path) -> int:
    """The number of frames in the official file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not HDF5, or lacks one of the official arrays.
    """
    h5py = import_optional('h5py')
    if not mat.is_file():
        raise FileNotFoundError(
            f'No file {mat}. Where to get it: python tools/prepare_data.py download nyuv2'
        )
    official = 'the official nyu_depth_v2_labeled.mat (HDF5, 2.8 GB)'
    try:
        with h5py.File(mat, 'r') as file:
            _require_inside(file, mat)
            found: dict[str, tuple[tuple[int, ...], Any]] = {
                name: (file[name].shape, file[name].dtype) if name in file else ((), None)
                for name in KINDS
            }
    except NOT_WHOLE as error:
        damage = describe_damage(mat, error)
        raise ValueError(f'{mat}: should be {official}, whole. Found: {damage}') from error
    frames = found['depths'][0]
    expected = {'images': (*frames[:1], 3, *frames[1:]), 'depths': frames, 'labels': frames}
    fits = all(
        shape == expected[name] and kind is not None and kind.kind in KINDS[name]
        for name, (shape, kind) in found.items()
    )
    upright = len(frames) == 3 and 0 not in frames and frames[1] >= frames[2]
    if not upright or not fits or found['images'][1] != np.uint8:
        shown = {name: kind and f'{shape} {kind}' for name, (shape, kind) in found.items()}
        order = _find_order({name: shape for name, (shape, _) in found.items()})
        raise ValueError(
            f'{mat}: should be {official}, with images (N, 3, W, H) uint8, depths (N, W, H) float '
            'in metres and labels (N, W, H) integer, W = 640 before H = 480. '
            f'Found {shown}{describe(order)}'
        )
    return int(frames[0])


def read_frame(mat: Path, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One frame's image (H, W, 3), depth (H, W) and labels (H, W).

    Args:
        mat: the official file.
        number: of the frame, from 1.

    Raises:
        ValueError: if it cannot be read.
    """
    try:
        with import_optional('h5py').File(mat, 'r') as file:
            image, depth, labels = (np.asarray(file[name][number - 1]).T for name in KINDS)
    except NOT_WHOLE as error:
        raise ValueError(f'{mat}: frame {number} cannot be read: {error}') from error
    return image, depth, labels


def require_metres(mat: Path, number: int, depth: np.ndarray) -> None:
    """Refuse depth in another unit.

    Raises:
        ValueError: if the depth is not in metres; the message names the unit.
    """
    if problem := METRES.find_problem(depth):
        raise ValueError(f'{mat}: frame {number}: {problem}')


def require_official(mat: Path, num_frames: int) -> None:
    """Refuse labels that were mapped and depth that was scaled, by a few frames from all over.

    Raises:
        ValueError: if a frame cannot be read, or the values are not the official ones.
    """
    numbers = range(1, num_frames + 1, 1 + num_frames // 16)
    frames = [read_frame(mat, number) for number in numbers]
    for number, (_, depth, _) in zip(numbers, frames):
        require_metres(mat, number, depth)
    if problem := METRES.find_shrunk(depth for _, depth, _ in frames):
        raise ValueError(f'{mat}: {problem}')
    labels = np.concatenate([label[(label > 0) & (label != 255)] for *_, label in frames])
    if not labels.size or labels.min() == labels.max() or labels.max() > LARGEST_MAPPED:
        return
    # A few official frames may lack the rarer labels, but never walls.
    if np.count_nonzero(labels == WALL) < labels.size / 10:
        classes = 13 if labels.max() <= 13 else LARGEST_MAPPED
        mapped = Other(f'as if mapped to {classes} classes', _AS_DOWNLOADED)
        raise ValueError(
            f'{mat}: labels should be the official ones, which go to 894. Found none above '
            f'{labels.max()} in {len(frames)} frames{describe(mapped)}'
        )


def _find_order(shapes: dict[str, tuple[int, ...]]) -> Other | None:
    """The order that the axes are in; None if it is the official one, or unknown."""
    wrong = [
        f'{name} ({", ".join(order)})'
        for name, shape in shapes.items()
        if len(shape) == len(AXES[name]) and (order := _order(AXES[name], shape)) != AXES[name]
    ]
    rows = ', so in row order' if any('H' in text.partition('W')[0] for text in wrong) else ''
    return Other(', '.join(wrong) + rows, _AS_DOWNLOADED) if wrong else None


def _order(official: str, shape: tuple[int, ...]) -> str:
    """The letters of the axes in the order of a shape, by three colours and frames of 4:3."""
    for order in map(''.join, permutations(official)):
        sizes = dict(zip(order, shape))
        if sizes.get('3', 3) == 3 and 3 * sizes['W'] == 4 * sizes['H']:
            return order
    return official if shape[-2] >= shape[-1] else official.replace('WH', 'HW')


def _require_inside(file: Any, mat: Path) -> None:
    """Refuse arrays that HDF5 would read from other files, which could be any on this machine."""
    h5py = import_optional('h5py')
    for name in KINDS:
        link = file.get(name, getlink=True)
        inside = link is None or isinstance(link, h5py.HardLink)
        found = file[name] if link is not None and inside else None
        if not inside or getattr(found, 'external', None) or getattr(found, 'is_virtual', False):
            raise ValueError(f'{mat}: should hold {name} itself. Found a link to other data.')
