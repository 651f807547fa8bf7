"""Opens pictures by Pillow, and reads them as mmcv does: upright, in 8 bits of three colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from go4align_plugins.utils.files import reading
from go4align_plugins.utils.optional import import_optional

PHOTOMETRIC, SIXTEEN_BITS = 0x0106, 65535


@contextmanager
def open_picture(
    path: Path, formats: Sequence[str] | None = None, remedy: str = ''
) -> Iterator[Any]:
    """Opens a picture of the given formats; any error inside the block names the file.

    Formats are Pillow's names, whatever the file's name ends with; the remedy is advice.
    """
    pillow = import_optional('PIL.Image')
    with reading(path, 'be a whole image', remedy), pillow.open(path, formats=formats) as picture:
        yield picture


def to_rgb(picture: Any) -> Any:
    """Convert any picture of :func:`open_picture` to mode RGB, upright, without transparency."""
    picture.filename = ''  # else Pillow 13 maps a TIFF into memory, and mixes up its axes
    picture.load()
    upright = picture
    with suppress(Exception):  # damaged EXIF raises different errors, and tells no orientation
        upright = import_optional('PIL.ImageOps').exif_transpose(picture)
    if picture.mode[0] in 'IF':
        upright = _to_bytes(picture, np.asarray(upright))
    if 'transparency' in upright.info:  # else Pillow warns of some palettes
        upright = upright.convert('RGBA')
    return upright.convert('RGB')


def _to_bytes(picture: Any, array: np.ndarray) -> Any:
    """Grey in 8 bits, from 16 bits (modes I;16 and I) or from real numbers (mode F)."""
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
