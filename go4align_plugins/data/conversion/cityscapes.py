"""Converts the official CityScapes tree to MTAN's layout.

Depth is inverse depth in the unit of MTAN's download, which is undocumented. Its author says that
the official disparity images were used without processing (lorenmt/mtan, issue 25); users report
a maximum of 0.4922 there and of 32257 in the official 16-bit images. 32257 / 65535 = 0.4922: they
were read as fractions of the full range. So ``depth = pixel / 65535``, which is the disparity in
pixels over 256 but for the last bit, and 0 stays no measurement.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from go4align_plugins.data.cityscapes import CITYSCAPES
from go4align_plugins.data.conversion.geometry import resize_image, resize_nearest
from go4align_plugins.data.mtan_layout import SPLITS
from go4align_plugins.data.pictures import open_picture
from go4align_plugins.data.prepare import write_dataset
from go4align_plugins.data.units import Other, describe
from go4align_plugins.utils.files import DataError, locate
from go4align_plugins.utils.options import require

# Official label ids 7 to 33: how many consecutive ones each category has, in the order of the
# categories, and the ids of the 19 classes of the official evaluation. Ids 0 to 6 are void, up to 3
# the own car and the image's border.
LAST_BORDER_ID, FIRST_ID, LAST_ID, MINUS_ONE = 3, 7, 33, 255
CATEGORY_COUNTS = (4, 6, 4, 2, 1, 2, 8)
EVALUATED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
FULL_RANGE, LARGEST_DISPARITY = 65535, 128 * 256
FORMATS = ('PNG',)
_AGAIN = 'Delete it and unpack it again.'

# Part -> folder and end of the name of its files; the types that Pillow has for them.
FILES = {
    'image': ('leftImg8bit', '_leftImg8bit.png'),
    'segmentation': ('gtFine', '_gtFine_labelIds.png'),
    'depth': ('disparity', '_disparity.png'),
}
TYPES = {'image': ('uint8',), 'segmentation': ('uint8',), 'depth': ('uint16', 'int32')}


def convert(
    root: str | Path,
    out: str | Path,
    size: tuple[int, int],
    num_classes: int = 7,
    workers: int | None = None,
    progress: bool = True,
) -> int:
    """Converts the official tree, numbered by its names; frames that are there already are kept.

    Each of its folders may lie in one that its zip file is named after. Classes are the 7
    categories, or the 19 of the official evaluation. Returns the number of frames written.
    """
    label_classes(num_classes)
    frames = {split: find_frames(Path(root).expanduser(), split) for split in SPLITS}
    require_label_ids([files for of_split in frames.values() for files in of_split])
    return write_dataset(
        out,
        CITYSCAPES,
        {'source': 'official', 'image_size': size, 'num_classes': num_classes},
        {split: len(of_split) for split, of_split in frames.items()},
        partial(convert_frame, frames, size, num_classes),
        workers,
        progress,
    )


def convert_frame(
    frames: dict[str, list[dict[str, Path]]],
    size: tuple[int, int],
    num_classes: int,
    split: str,
    index: int,
) -> dict[str, np.ndarray]:
    """Reads one of :func:`find_frames`' and brings it to the benchmark's classes, unit and size."""
    files = frames[split][index]
    arrays = {part: _read(path, part) for part, path in files.items()}
    shape = arrays['image'].shape[:2]
    for part, array in arrays.items():
        problem = None
        if array.shape[:2] != shape:
            problem = f'should have the size of its image, {shape}. Found {array.shape}. {_AGAIN}'
        elif part == 'segmentation':
            problem = find_label_problem([array])
        elif part == 'depth':
            problem = find_disparity_problem(array)
        if problem:
            raise DataError(f'{files[part]}: {problem}')
    frame = {'image': resize_image(arrays['image'][..., :3], size)}
    if 'segmentation' in arrays:
        label = resize_nearest(arrays['segmentation'], size)
        frame['segmentation'] = label_classes(num_classes)[label]
    if 'depth' in arrays:
        disparity = resize_nearest(arrays['depth'], size)
        frame['depth'] = disparity.astype(np.float32)[..., None] / FULL_RANGE
    return frame


def find_frames(
    root: Path, split: str, parts: Collection[str] = tuple(FILES)
) -> list[dict[str, Path]]:
    """The files of each frame's image and parts, in the order of the official names."""
    files = {part: FILES[part] for part in ('image', *parts)}
    folders = {part: _find_folder(root, name) / split for part, (name, _) in files.items()}
    ending = FILES['image'][1]
    images = sorted(folders['image'].glob(f'*/*{ending}'))
    how = CITYSCAPES.how_to_get(root)
    if not images:
        raise FileNotFoundError(f'No image {folders["image"]}/CITY/*{ending}. {how}')
    frames = []
    for image in images:
        stem = Path(image.parent.name, image.name[: -len(ending)])
        frames.append({part: folders[part] / f'{stem}{end}' for part, (_, end) in files.items()})
    missing = [str(path) for frame in frames for path in frame.values() if not path.is_file()]
    if missing:
        listed = '\n  '.join(missing[:10]) + ('\n  ...' if len(missing) > 10 else '')
        raise FileNotFoundError(
            f'Partners of images are missing, {len(missing)} in all:\n  {listed}\n'
            f'Labels are *{FILES["segmentation"][1]}; labelTrainIds are not used. {how}'
        )
    return frames


def require_label_ids(frames: Sequence[dict[str, Path]]) -> None:
    """Refuse a tree whose labels are train ids, by a few frames from all over."""
    labels = {}
    for files in frames[:: 1 + len(frames) // 16]:
        path = files['segmentation']
        with suppress(ValueError):  # one that cannot be read is named when it is converted
            labels[path] = _read(path, 'segmentation')
    for chosen in (*([path] for path in labels), [*labels]):
        if problem := find_label_problem([labels[path] for path in chosen]):
            raise DataError(f'{chosen[0]}: {problem}')


@lru_cache(maxsize=2)
def label_classes(num_classes: int) -> np.ndarray:
    """(256,) int64: the class, among 7 or 19, of each official label id; -1 for none."""
    require(num_classes in (7, 19), 'num_classes', 'be 7 or 19', num_classes)
    classes = np.full(256, -1)
    if num_classes == 19:
        classes[list(EVALUATED_IDS)] = np.arange(num_classes)
    else:
        classes[FIRST_ID : LAST_ID + 1] = np.repeat(np.arange(num_classes), CATEGORY_COUNTS)
    return classes


def find_label_problem(labels: Sequence[np.ndarray]) -> str | None:
    """The problem of labels, of one frame or several, that are no label ids.

    Nearly every frame of label ids has some above 18: vegetation, sky, people, cars. In a frame
    without them 255 is no licence plate (-1), but the void of train ids. Without 255 it takes
    several frames in which road (7) is rarer than unlabelled pixels (0): there 0 is road.
    """
    last = len(EVALUATED_IDS) - 1 + (len(labels) > 1)  # void may be one behind the classes
    if not labels or last < max(label.max() for label in labels) <= LAST_ID:
        return None
    counts = np.sum([np.bincount(label.ravel(), minlength=256) for label in labels], axis=0)
    largest = max(np.flatnonzero(counts[:MINUS_ONE]), default=0)
    if largest > LAST_ID:
        name = 'other labels'
    elif largest > last:
        return None
    elif counts[MINUS_ONE]:
        name = 'train ids, of which 255 is void'
    elif len(labels) > 1 and largest > LAST_BORDER_ID and counts[FIRST_ID] < 2 * counts[0]:
        name = 'train ids, of which 0 is road'
    else:
        return None
    mend = 'use the official *_gtFine_labelIds.png; *_gtFine_labelTrainIds.png are not used'
    found = f'values up to {largest}{describe(Other(name, mend))}'
    return f'labels should be the official label ids, -1 to {LAST_ID}. Found {found}'


def find_disparity_problem(disparity: np.ndarray) -> str | None:
    """The problem of other units than the official one, disparity in pixels times 256, plus 1."""
    largest = int(disparity.max())
    if largest > LARGEST_DISPARITY:
        name = 'another unit, as metric depth in millimetres'
    elif largest < 256 and np.count_nonzero(disparity) >= disparity.size / 10:
        name = 'disparity in pixels, or metric depth in metres'
    else:
        return None
    rule = f'disparity should be in pixels, times 256, plus 1, at most {LARGEST_DISPARITY}.'
    other = describe(Other(name, f'use the official *{FILES["depth"][1]}'))
    return f'{rule} Found a largest of {largest}{other}'


def _find_folder(root: Path, name: str) -> Path:
    """``root/name``, or ``root/<zip file's name>/name`` where each zip file has its own folder."""
    for path in (root / name, *root.glob(f'{name}*/{name}')):
        if path.is_dir():
            return path
    how = locate(root, [name]) or CITYSCAPES.how_to_get(root)
    raise FileNotFoundError(f'No folder {root / name}. {how}')


def _read(path: Path, part: str) -> np.ndarray:
    """The array of a part's picture, of the right type and number of channels."""
    with open_picture(path, FORMATS, _AGAIN) as picture:
        array = np.asarray(picture)
    colours = part == 'image'
    right = array.ndim == 2 + colours and (not colours or array.shape[2] >= 3)
    if not right or array.dtype.name not in TYPES[part]:
        rule = f'{TYPES[part][0]}{" of 3 colours" if colours else ""}'
        found = f'{array.dtype} of shape {array.shape}'
        raise DataError(f'{path}: should hold {rule}. Found {found}. {_AGAIN}')
    return array
