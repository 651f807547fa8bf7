"""The rules for a file of MTAN's layout; :mod:`.mtan_layout` says where the files are.

Each rule looks at extremes first, in one pass (a NaN fails every comparison), and for the place
only when something is wrong: reading a frame is on the way of every training step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from go4align_plugins.data.units import Other, describe
from go4align_plugins.tasks import MAPS, DistanceKind, Task, VectorKind
from go4align_plugins.utils.files import DataError, reading

# Images resized by cubic interpolation overshoot a little. Normals resized by interpolation are
# shorter beside other surfaces and holes, never longer: inside of a surface they keep length 1.
IMAGE_TOLERANCE, LENGTH_TOLERANCE = 1e-3, 0.05
MEAN_LENGTH, UNIT_SHARE = 0.9, 0.05
MEAN_LENGTH_OF_POSITIVE, UNIT_SHARE_OF_POSITIVE = 0.98, 0.5  # colours have no negative component
LARGEST = np.finfo(np.float32).max  # frames are read as float32: more would be infinite there
PICTURES = (
    Other('a picture from 0 to 255', 'divide by 255', 255),
    Other('a picture from 0 to 65535', 'divide by 65535', 65535),
)
COLOURS = (
    Other('colours from 0 to 1, (n + 1) / 2', 'multiply by 2 and subtract 1', 1.001),
    Other('colours from 0 to 255', 'divide by 127.5 and subtract 1', 255),
    Other('colours from 0 to 65535', 'divide by 32767.5 and subtract 1', 65535),
)
_LABEL_IDS = Other("CityScapes' official label ids", 'map them to the classes, void to -1', 33)
LABELS = {  # number of classes -> other sets of labels of the same pictures
    13: (
        Other("NYUv2's 40 classes", 'map them to the 13 classes, no label to -1', 40),
        Other("NYUv2's 894 official labels", 'map them to the 13 classes, no label to -1', 894),
    ),
    7: (
        Other("CityScapes' 19 classes (train ids)", 'map them to the 7, or read 19 classes', 18),
        _LABEL_IDS,
    ),
    19: (_LABEL_IDS,),
}


def read_array(
    path: Path, task: Task | None = None, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Loads and checks a .npy file, see :func:`find_problem`; a DataError names it and the rule."""
    with reading(path, 'be a whole .npy file'):
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError('an .npz archive')
    if problem := find_problem(task, array, size):
        raise DataError(f'{path}: {problem}')
    return array


def find_problem(
    task: Task | None, array: np.ndarray, size: tuple[int, int] | None = None
) -> str | None:
    """The rule of the layout that an array breaks, and the value found; None if all is well.

    A file that is whole, but in another unit or order, has the advice how to mend it, which begins
    with :data:`~.units.MEND`. Without a task it is an image; without a size, any will do.
    """
    found = find_size(task, array.shape)
    if array.dtype.kind not in 'fiub':
        return f'should hold real numbers. Found dtype {array.dtype}.'
    if found is None or (size and found != size) or not array.size:
        expected = ', '.join(map(str, (*(size or 'HW'), *find_shapes(task)[0])))
        order = describe(*_find_orders(task, array.shape, size))
        return f'should have shape ({expected}). Found {array.shape}{order}'
    if task is None:
        return _check_image(array)
    kind = MAPS[task.kind.name]
    if kind.has_classes:
        return _check_labels(array, task.channels)
    if isinstance(kind, VectorKind):
        return _check_vectors(array)
    distances = isinstance(kind, DistanceKind)
    remark = ' and not negative (0: not measured)' if distances else ''
    if outside := _find_outside(array, 0 if distances else -LARGEST, LARGEST):
        return f'{kind.name} should be finite{remark}. Found {outside}.'
    return task.depth_unit.find_problem(array) if task.depth_unit else None


def find_shapes(task: Task | None) -> tuple[tuple[int, ...], ...]:
    """The shapes, after height and width, that a task's truth may have; an image's for None."""
    return MAPS[task.kind.name].shapes if task else ((3,),)


def find_size(task: Task | None, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Height and width of an array of that shape; None if it should not have that shape."""
    return (shape[0], shape[1]) if len(shape) > 1 and shape[2:] in find_shapes(task) else None


def _find_orders(
    task: Task | None, shape: tuple[int, ...], size: tuple[int, int] | None
) -> Iterator[Other]:
    """The orders that the axes of a wrong shape can be in, the likeliest one first."""
    right = f'where ({", ".join(map(str, ("H", "W", *find_shapes(task)[0])))}) belongs'
    squeezed = tuple(length for length in shape if length != 1)
    squeeze = '' if squeezed == shape else '.squeeze()'
    if find_size(task, shape):
        if size == shape[1::-1]:
            mend = 'array.swapaxes(0, 1) where they come first'
            yield Other(f'columns before rows {right}, here or in the images', mend)
        return
    if find_size(task, squeezed):
        yield Other(f'axes of length 1 {right}', 'array.squeeze()')
    if find_size(task, (*squeezed[1:], *squeezed[:1])):
        yield Other(f'channels first {right}', f'array{squeeze}.transpose(1, 2, 0)')
    if task is None and len(squeezed) == 2:
        yield Other(f'one channel {right}', 'np.stack([array.squeeze()] * 3, axis=-1)')
    if task is None and shape[2:] == (4,):
        yield Other(f'four channels {right}', 'array[..., :3]')


def _check_image(image: np.ndarray) -> str | None:
    outside = _find_outside(image, -IMAGE_TOLERANCE, 1 + IMAGE_TOLERANCE)
    if not outside:
        return None
    low, high = image.min(), image.max()
    others: tuple[Other, ...] = ()
    if np.count_nonzero((image < 0) | (image > 1)) > image.size / 10:
        if -10 < low < 0 and high < 10:
            others = (Other('standardised values', 'multiply by the deviation and add the mean'),)
        elif low >= 0:
            others = PICTURES
    return f'an image should lie in [0, 1]. Found {outside}{describe(*others, largest=high)}'


def _check_labels(label: np.ndarray, num_classes: int) -> str | None:
    rule = f'labels should be whole numbers from -1 (none) to {num_classes - 1}.'
    if outside := _find_outside(label, -1, num_classes - 1):
        return f'{rule} Found {outside}{_describe_labels(label, num_classes)}'
    if label.dtype.kind == 'f' and (label != np.rint(label)).any():
        return f'{rule} Found {_locate(label, label != np.rint(label))}.'
    return None


def _describe_labels(label: np.ndarray, num_classes: int) -> str:
    """The set that labels beyond the classes belong to."""
    classes = label[label != 255]
    largest = classes.max() if classes.size else -1
    others = LABELS.get(num_classes, ())
    if classes.size < label.size and largest < num_classes:
        others = (Other('255 for no label', 'set it to -1'),)
    elif largest < num_classes or label.min() < -1:
        others = ()
    elif largest == num_classes and label.min() >= 0:
        others = (Other('classes from 1, and 0 for no label', 'subtract 1'),)
    return describe(*others, largest=largest)


def _check_vectors(vectors: np.ndarray) -> str | None:
    vectors = vectors.astype(np.float32, copy=False)
    lengths = np.sqrt(np.einsum('...c,...c->...', vectors, vectors))
    found = _find_outside(lengths, 0, 1 + LENGTH_TOLERANCE)
    if not found:
        count = np.count_nonzero(lengths) or 1
        mean = lengths.sum() / count
        if not 0 < mean < MEAN_LENGTH_OF_POSITIVE:
            return None
        share = np.count_nonzero(lengths > 1 - LENGTH_TOLERANCE) / count
        if not (mean < MEAN_LENGTH and share < UNIT_SHARE) and not (
            share < UNIT_SHARE_OF_POSITIVE and vectors.min() >= 0
        ):
            return None
    off = (lengths > 0) & (abs(lengths - 1) > LENGTH_TOLERANCE)
    others: tuple[Other, ...] = ()
    if vectors.min() >= 0:
        others = COLOURS
    elif np.count_nonzero(off) > np.count_nonzero(lengths) / 2:
        others = (Other('vectors of another length', 'divide each by its length'),)
    found = f'length {found}' if found else f'a mean length of {mean:.3g}'
    other = describe(*others, largest=vectors.max())
    return f'normals should have length 1, or 0 for none. Found {found}{other}'


def _find_outside(array: np.ndarray, low: Any, high: Any) -> str | None:
    """The first value outside of bounds, or not a number; None if all lie within."""
    if array.min() >= low and array.max() <= high:
        return None
    return _locate(array, ~((array >= low) & (array <= high)))


def _locate(array: np.ndarray, bad: np.ndarray) -> str:
    """The first bad value, its place, and the number of bad ones."""
    first = tuple(np.argwhere(bad)[0])
    return f'{array[first]:.6g} at row {first[0]}, column {first[1]} ({bad.sum()} values in all)'
