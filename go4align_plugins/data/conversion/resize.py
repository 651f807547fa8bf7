"""Resizing for conversions: images smoothly, everything that must not be mixed by nearest pixel."""

from __future__ import annotations

import numpy as np

from go4align_plugins.utils.optional import import_optional


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Averages (H, W, 3) uint8 over the area of each new pixel: float32 in [0, 1]."""
    pillow = import_optional('PIL.Image')
    height, width = size
    resized = pillow.fromarray(image).resize((width, height), pillow.Resampling.BOX)
    return np.asarray(resized, dtype=np.float32) / 255


def resize_nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Takes, for each new pixel, the old one under its centre."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(size, array.shape[:2])
    )
    return array[rows[:, None], columns]
