"""What a file of MTAN's layout must hold; :mod:`.layouts` says where the files are.

Each rule looks at extremes first, in one pass (a NaN fails every comparison), and for the place
only when something is wrong: reading a frame is on the way of every training step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from go4align_plugins.benchmarks.files import describe_damage

# Images resized by cubic interpolation overshoot a little. Normals resized by interpolation are
# shorter where surfaces meet, never longer: most of a frame keeps length 1.
IMAGE_TOLERANCE = 1e-3
LENGTH_TOLERANCE = 0.05
MEAN_LENGTH = 0.9

LARGEST = np.finfo(np.float32).max
"""Frames are read as float32: a larger depth of a float64 file would be infinite there."""


def load_array(path: Path) -> np.ndarray:
    """Loads one .npy file; never a pickled object.

    Raises:
        ValueError: if it is missing, truncated or no array; the message names the file.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy raises a different one for every kind of damage
        raise ValueError(
            f'{path}: should be a whole .npy file. Found: {describe_damage(path, error)}'
        ) from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f'{path}: should be a .npy file. Found an .npz archive.')
    return array


def is_whole(path: Path) -> bool:
    """Whether there is an array under that name, of as many bytes as its header says."""
    try:
        np.load(path, mmap_mode='r', allow_pickle=False)
    except Exception:  # as above
        return False
    return True


def find_problems(
    part: str, array: np.ndarray, size: tuple[int, int] | None, num_classes: int
) -> Iterator[str]:
    """The rules of the layout that an array breaks.

    Args:
        part: ``'image'`` or a task's name.
        array: as loaded.
        size: expected height and width; None accepts any.
        num_classes: labels are -1 to ``num_classes - 1``.

    Yields:
        The rule and what was found, one text for each rule broken.
    """
    if array.dtype.kind not in 'fiub':
        yield f'should hold real numbers. Found dtype {array.dtype}.'
        return
    channels = {'image': (3,), 'segmentation': (), 'depth': (1,), 'normal': (3,)}[part]
    if part == 'depth' and array.ndim == 2:
        channels = ()
    if array.shape != (*(size or array.shape[:2]), *channels) or array.size == 0:
        expected = ', '.join(map(str, (*(size or 'HW'), *channels)))
        yield f'should have shape ({expected}). Found {array.shape}.'
    if array.size and array.ndim == 2 + len(channels):
        yield from _RULES[part](array, num_classes)


def _image_rule(image: np.ndarray, num_classes: int) -> Iterator[str]:
    low, high = -IMAGE_TOLERANCE, 1 + IMAGE_TOLERANCE
    if not (image.min() >= low and image.max() <= high):
        found = _found(image, ~((image >= low) & (image <= high)))
        yield f'an image should lie in [0, 1]. Found {found}.'


def _label_rule(label: np.ndarray, num_classes: int) -> Iterator[str]:
    rule = f'labels should be whole numbers from -1 (none) to {num_classes - 1}.'
    if not (label.min() >= -1 and label.max() < num_classes):
        yield f'{rule} Found {_found(label, ~((label >= -1) & (label < num_classes)))}.'
    elif label.dtype.kind == 'f' and (label != np.rint(label)).any():
        yield f'{rule} Found {_found(label, label != np.rint(label))}.'


def _depth_rule(depth: np.ndarray, num_classes: int) -> Iterator[str]:
    if not (depth.min() >= 0 and depth.max() <= LARGEST):
        found = _found(depth, ~((depth >= 0) & (depth <= LARGEST)))
        yield f'depth should be finite and not negative (0: not measured). Found {found}.'


def _normal_rule(normal: np.ndarray, num_classes: int) -> Iterator[str]:
    rule = 'normals should have length 1, or 0 for none.'
    normal = normal.astype(np.float32, copy=False)
    squares = np.einsum('...c,...c->...', normal, normal)
    longest = (1 + LENGTH_TOLERANCE) ** 2
    if not squares.max() <= longest:
        lengths = np.sqrt(squares)
        yield f'{rule} Found length {_found(lengths, ~(squares <= longest))}.'
        return
    count = np.count_nonzero(squares)
    if count and np.sqrt(squares).sum() < MEAN_LENGTH * count:
        yield f'{rule} Found a mean length of {np.sqrt(squares).sum() / count:.3g}.'


_RULES = {
    'image': _image_rule,
    'segmentation': _label_rule,
    'depth': _depth_rule,
    'normal': _normal_rule,
}


def _found(array: np.ndarray, bad: np.ndarray) -> str:
    first = tuple(np.argwhere(bad)[0])
    return f'{array[first]:.6g} at row {first[0]}, column {first[1]} ({bad.sum()} values in all)'
