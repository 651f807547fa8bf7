"""The rules for a file of MTAN's layout; :mod:`.mtan_layout` says where the files are.

Each rule looks at extremes first, in one pass (a NaN fails every comparison), and for the place
only when something is wrong: reading a frame is on the way of every training step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from go4align_plugins.data.units import (
    LENGTH_TOLERANCE,
    DepthUnit,
    Other,
    describe,
    find_labels,
    find_picture,
    find_vectors,
)
from go4align_plugins.tasks import MAPS
from go4align_plugins.utils.files import describe_damage

CHANNELS = {'image': ((3,),), **{name: kind.shapes for name, kind in MAPS.items()}}
"""Part -> the shapes, after height and width, that it may have."""

# Images resized by cubic interpolation overshoot a little. Normals resized by interpolation are
# shorter beside other surfaces and holes, never longer: inside of a surface they keep length 1.
IMAGE_TOLERANCE = 1e-3
MEAN_LENGTH, UNIT_SHARE = 0.9, 0.05
MEAN_LENGTH_OF_POSITIVE, UNIT_SHARE_OF_POSITIVE = 0.98, 0.5  # colours have no negative component

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
    part: str,
    array: np.ndarray,
    size: tuple[int, int] | None,
    num_classes: int,
    depth_unit: DepthUnit | None = None,
) -> Iterator[str]:
    """The rules of the layout that an array breaks.

    Args:
        part: ``'image'`` or a task's name.
        array: as loaded.
        size: expected height and width; None accepts any.
        num_classes: labels are -1 to ``num_classes - 1``.
        depth_unit: of ``'depth'``; None accepts any.

    Yields:
        The rule and what was found. A file that is whole, but in another unit or order, has the
        advice how to mend it, which begins with :data:`~.units.MEND`.
    """
    found = find_size(part, array.shape)
    if array.dtype.kind not in 'fiub':
        yield f'should hold real numbers. Found dtype {array.dtype}.'
    elif found is None or (size and found != size) or not array.size:
        expected = ', '.join(map(str, (*(size or 'HW'), *CHANNELS[part][0])))
        order = describe(_find_order(part, array.shape, size))
        yield f'should have shape ({expected}). Found {array.shape}{order}'
    else:
        rule = _RULES.get(part, _number_rule)
        yield from rule(array, num_classes, depth_unit)


def find_size(part: str, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Height and width of a part of that shape; None if it should not have that shape."""
    return (shape[0], shape[1]) if len(shape) > 1 and shape[2:] in CHANNELS[part] else None


def _find_order(part: str, shape: tuple[int, ...], size: tuple[int, int] | None) -> Other | None:
    """The order that the axes of a wrong shape are in; None if it is not known."""
    right = ', '.join(map(str, ('H', 'W', *CHANNELS[part][0])))
    if find_size(part, shape):
        name = f'columns before rows where ({right}) belongs, here or in the images'
        mend = 'array.swapaxes(0, 1) where they come first'
        return Other(name, mend) if size == shape[1::-1] else None
    squeezed = tuple(length for length in shape if length != 1)
    if find_size(part, squeezed):
        return Other(f'axes of length 1 where ({right}) belongs', 'array.squeeze()')
    if find_size(part, (*squeezed[1:], *squeezed[:1])):
        how = '' if squeezed == shape else '.squeeze()'
        name = f'channels first where ({right}) belongs'
        return Other(name, f'array{how}.transpose(1, 2, 0)')
    if part == 'image' and len(squeezed) == 2:
        how = 'np.stack([array.squeeze()] * 3, axis=-1)'
        return Other(f'one channel where ({right}) belongs', how)
    if part == 'image' and shape[2:] == (4,):
        return Other(f'four channels where ({right}) belongs', 'array[..., :3]')
    return None


def _image_rule(image: np.ndarray, num_classes: int, unit: DepthUnit | None) -> Iterator[str]:
    low, high = -IMAGE_TOLERANCE, 1 + IMAGE_TOLERANCE
    if not (image.min() >= low and image.max() <= high):
        found = _found(image, ~((image >= low) & (image <= high)))
        yield f'an image should lie in [0, 1]. Found {found}{describe(find_picture(image))}'


def _label_rule(label: np.ndarray, num_classes: int, unit: DepthUnit | None) -> Iterator[str]:
    rule = f'labels should be whole numbers from -1 (none) to {num_classes - 1}.'
    if not (label.min() >= -1 and label.max() < num_classes):
        found = _found(label, ~((label >= -1) & (label < num_classes)))
        yield f'{rule} Found {found}{describe(find_labels(label, num_classes))}'
    elif label.dtype.kind == 'f' and (label != np.rint(label)).any():
        yield f'{rule} Found {_found(label, label != np.rint(label))}.'


def _depth_rule(depth: np.ndarray, num_classes: int, unit: DepthUnit | None) -> Iterator[str]:
    if not (depth.min() >= 0 and depth.max() <= LARGEST):
        found = _found(depth, ~((depth >= 0) & (depth <= LARGEST)))
        yield f'depth should be finite and not negative (0: not measured). Found {found}.'
    elif unit and (problem := unit.find_problem(depth)):
        yield problem


def _number_rule(array: np.ndarray, num_classes: int, unit: DepthUnit | None) -> Iterator[str]:
    if not np.isfinite(array).all():
        yield f'should hold finite numbers. Found {_found(array, ~np.isfinite(array))}.'


def _normal_rule(normal: np.ndarray, num_classes: int, unit: DepthUnit | None) -> Iterator[str]:
    rule = 'normals should have length 1, or 0 for none.'
    normal = normal.astype(np.float32, copy=False)
    squares = np.einsum('...c,...c->...', normal, normal)
    lengths = np.sqrt(squares)
    longest = 1 + LENGTH_TOLERANCE
    if not lengths.max() <= longest:
        found = f'length {_found(lengths, ~(lengths <= longest))}'
        yield f'{rule} Found {found}{describe(find_vectors(normal, lengths))}'
        return
    count = np.count_nonzero(lengths) or 1
    mean = lengths.sum() / count
    if not 0 < mean < MEAN_LENGTH_OF_POSITIVE:
        return
    unit_share = np.count_nonzero(lengths > 1 - LENGTH_TOLERANCE) / count
    if (mean < MEAN_LENGTH and unit_share < UNIT_SHARE) or (
        unit_share < UNIT_SHARE_OF_POSITIVE and normal.min() >= 0
    ):
        found = f'a mean length of {mean:.3g}'
        yield f'{rule} Found {found}{describe(find_vectors(normal, lengths))}'


_RULES = {
    'image': _image_rule,
    'segmentation': _label_rule,
    'depth': _depth_rule,
    'normal': _normal_rule,
}


def _found(array: np.ndarray, bad: np.ndarray) -> str:
    first = tuple(np.argwhere(bad)[0])
    return f'{array[first]:.6g} at row {first[0]}, column {first[1]} ({bad.sum()} values in all)'
