"""Opens pictures by Pillow, and reads them as mmcv does: upright, in 8 bits of three colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from go4align_plugins.utils.files import describe_damage
from go4align_plugins.utils.optional import import_optional

ORIENTATION, PHOTOMETRIC = 0x0112, 0x0106
TURNS = {
    2: 'FLIP_LEFT_RIGHT', 3: 'ROTATE_180', 4: 'FLIP_TOP_BOTTOM', 5: 'TRANSPOSE',
    6: 'ROTATE_270', 7: 'TRANSVERSE', 8: 'ROTATE_90',
}  # fmt: skip
"""EXIF's orientation -> Pillow's way to turn the picture upright."""
SIXTEEN_BITS = 65535


@contextmanager
def open_picture(
    path: Path, formats: Sequence[str] | None = None, remedy: str = ''
) -> Iterator[Any]:
    """Opens a picture of the given formats; any error inside the block names the file.

    Formats are Pillow's names, whatever the file's name ends with; the remedy is advice.
    """
    try:
        with import_optional('PIL.Image').open(path, formats=formats) as picture:
            yield picture
    except ImportError:
        raise
    except Exception as error:  # every decoder raises different ones
        found = describe_damage(path, error).rstrip('.')
        text = f'{path}: should be a whole image. Found: {found}. {remedy}'
        raise ValueError(text.rstrip()) from error


def to_rgb(picture: Any) -> Any:
    """Convert any picture of :func:`open_picture` to mode RGB, upright, without transparency."""
    picture.filename = ''  # else Pillow 13 maps a TIFF into memory, and mixes up its axes
    picture.load()  # Pillow itself turns a TIFF here
    try:
        turn = TURNS.get(picture.getexif().get(ORIENTATION))
    except Exception:  # damaged EXIF raises different errors, and tells no orientation
        turn = None
    if picture.mode[0] in 'IF':
        picture = _to_bytes(picture)
    if 'transparency' in picture.info:  # else Pillow warns of some palettes
        picture = picture.convert('RGBA')
    picture = picture.convert('RGB')
    return picture.transpose(import_optional('PIL.Image').Transpose[turn]) if turn else picture


def _to_bytes(picture: Any) -> Any:
    """Grey in 8 bits, from 16 bits (modes I;16 and I) or from real numbers (mode F)."""
    array = np.asarray(picture)
    low, high = array.min(), array.max()
    # Of 32 bits, only their range tells the scale.
    scales = [1, 255, SIXTEEN_BITS] if picture.mode == 'F' else [255, SIXTEEN_BITS]
    if picture.mode != 'F' and (picture.mode != 'I' or picture.format in ('PNG', 'PPM')):
        scales = [SIXTEEN_BITS]
    scale = next((scale for scale in scales if 0 <= low <= high <= scale), None)
    if scale is None:
        raise ValueError(f'numbers from {low} to {high}, which should be 0 to {SIXTEEN_BITS}')
    grey = np.rint(array * (255 / scale)).astype(np.uint8)
    # Pillow turns a TIFF round in which 0 is white, but not one of 16 bits.
    if getattr(picture, 'tag_v2', {}).get(PHOTOMETRIC) == 0:
        grey = 255 - grey
    return import_optional('PIL.Image').fromarray(grey)
