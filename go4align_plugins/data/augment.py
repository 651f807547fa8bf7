"""Augmentation that keeps image, labels, depth and normals right together.

All functions take and return a frame: a dict of tensors by part, ``image`` (3, H, W),
``segmentation`` (H, W) int64, ``depth`` (1, H, W), ``normal`` (3, H, W); parts may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from go4align_plugins.tasks import MAPS

Frame = dict[str, Tensor]

SCALES = (1.0, 1.2, 1.5)  # the zoom factors of MTAN's protocol, which the papers follow


def flip(frame: Frame) -> Frame:
    """Mirror left and right."""
    return {
        part: MAPS[part].mirror(value) if part in MAPS else value.flip(-1)
        for part, value in frame.items()
    }


def closer_depth(scale: float, inverse_depth: bool) -> float:
    """The factor of a depth that comes ``scale`` times closer."""
    return scale if inverse_depth else 1 / scale


def scale_crop(
    frame: Frame, scale: float, top: int, left: int, inverse_depth: bool = False
) -> Frame:
    """Cut out a window and enlarge it to the full size again, as if coming closer.

    The depth is divided by the scale, at least 1, as in MTAN's protocol, and an inverse depth
    multiplied (the papers' code divides CityScapes' inverse depth, too). The window has the image's
    size divided by the scale, rounded down.
    """
    size = frame['image'].shape[-2:]
    height, width = (int(length / scale) for length in size)

    def cut(part: Tensor, mode: str) -> Tensor:
        window = part[..., top : top + height, left : left + width].float()
        corners = None if mode == 'nearest' else True
        window = window.reshape(1, -1, height, width)
        return F.interpolate(window, size, mode=mode, align_corners=corners)[0]

    closer = closer_depth(scale, inverse_depth)
    return {
        part: MAPS[part].zoom(value, cut, closer) if part in MAPS else cut(value, 'bilinear')
        for part, value in frame.items()
    }


def augment(
    frame: Frame,
    generator: torch.Generator,
    scales: Sequence[float] = SCALES,
    inverse_depth: bool = False,
) -> Frame:
    """MTAN's augmentation: a random zoom factor, at a random place, and a flip every other time."""

    def below(limit: int) -> int:
        return int(torch.randint(limit, (), generator=generator))

    scale = scales[below(len(scales))]
    height, width = frame['image'].shape[-2:]
    top, left = (below(side - int(side / scale) + 1) for side in (height, width))
    if scale != 1:
        frame = scale_crop(frame, scale, top, left, inverse_depth)
    return flip(frame) if below(2) else frame
