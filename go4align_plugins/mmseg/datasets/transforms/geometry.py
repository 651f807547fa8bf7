"""Transforms of shape, which treat every target by its kind.

mmseg's own know label maps alone: they flip normals without turning them, and zoom without coming
closer. Labels, depth and normals are never mixed between pixels here, but
for MTAN's zoom, whose one definition is in :mod:`go4align_plugins.data.augment`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmseg.datasets.transforms import RandomCrop, RandomFlip, Resize
from mmseg.registry import TRANSFORMS

from go4align_plugins.data.augment import SCALES, Frame, closer_depth, scale_crop
from go4align_plugins.tasks import MAPS, to_tensors

AXES = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-1, -2)}
"""Direction of a flip -> the axes of (C, H, W) that it mirrors."""


@TRANSFORMS.register_module()
class MTLRandomFlip(RandomFlip):
    """mmseg's ``RandomFlip``; the normals are mirrored with the scene.

    Args:
        prob: see ``RandomFlip``.
        direction: ``'horizontal'`` (default), ``'vertical'`` or ``'diagonal'``, or several.
    """

    def __init__(
        self,
        prob: float | Sequence[float] | None = None,
        direction: str | Sequence[str | None] = 'horizontal',
    ) -> None:
        # `swap_seg_labels` is not offered: mmseg would exchange values of the depth as well.
        super().__init__(prob, direction)

    def _flip(self, results: dict[str, Any]) -> None:
        super()._flip(results)
        for kind in MAPS.values():
            if kind.array in results and not kind.has_classes:
                value = kind.to_tensor(np.ascontiguousarray(results[kind.array]))
                for axis in AXES[results['flip_direction']]:
                    value = kind.turn(value, axis)
                results[kind.array] = kind.to_array(value)


@TRANSFORMS.register_module()
class MTLScaleCrop(BaseTransform):
    """MTAN's zoom: a random window, enlarged to the full size again, and so much closer.

    Args:
        scales: the factors to choose from, each at least 1. Default: those of the protocol.
    """

    def __init__(self, scales: Sequence[float] = SCALES) -> None:
        if not scales or min(scales) < 1:
            raise ValueError(
                f'Parameter `scales` should hold numbers of at least 1. Found `scales = {scales}`.'
            )
        self.scales = tuple(scales)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Zoom in."""
        scale, top, left = self.choose_window(*results['img'].shape[:2])
        if scale != 1:
            frame = _as_frame(results)
            _update(results, scale_crop(frame, scale, top, left, _has_inverse_depth(results)))
        return results

    @cache_randomness
    def choose_window(self, height: int, width: int) -> tuple[float, int, int]:
        """A scale, and the first row and column of a window of the size divided by it."""
        scale = random.choice(self.scales)
        top = random.randint(0, height - int(height / scale))
        left = random.randint(0, width - int(width / scale))
        return scale, top, left

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scales={self.scales})'


@TRANSFORMS.register_module()
class MTLResize(Resize):
    """mmseg's ``Resize``: targets by the nearest pixel; normals and depth keep their values.

    Args:
        *args: see ``Resize``.
        resize_targets: whether targets are resized with the image (default). False is for testing
            at another size than the data's: predictions come back at the size of the targets.
        divide_depth: whether depth is divided, inverse depth multiplied, by the scale, as if coming
            closer (by the geometric mean of width's and height's). It is right where it is random
            (``dict(type='RandomResize', resize_type='MTLResize', divide_depth=True, ...)``), as in
            MTAN's zoom; not where all frames, test frames too, are resized alike (default False).
        **kwargs: see ``Resize``.
    """

    def __init__(
        self,
        *args: Any,
        resize_targets: bool = True,
        divide_depth: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.resize_targets = resize_targets
        self.divide_depth = divide_depth

    def _resize_seg(self, results: dict[str, Any]) -> None:
        if not self.resize_targets:
            return
        super()._resize_seg(results)
        if self.divide_depth:
            scale = math.sqrt(math.prod(results['scale_factor']))
            closer = closer_depth(scale, _has_inverse_depth(results))
            for kind in MAPS.values():
                if kind.array in results:
                    results[kind.array] = kind.approach(results[kind.array], np.float32(closer))


@TRANSFORMS.register_module()
class MTLRandomCrop(RandomCrop):
    """mmseg's ``RandomCrop``; without labels, where ``cat_max_ratio`` means nothing, it crops, too.

    A frame that is smaller stays so; ``MTLDataPreProcessor`` pads it.

    Args:
        crop_size: height and width, or one number for both.
        cat_max_ratio: the largest share of the labelled pixels that one class should have; after
            10 attempts any will do. Default 1.
    """

    def __init__(self, crop_size: int | tuple[int, int], cat_max_ratio: float = 1.0) -> None:
        super().__init__(crop_size, cat_max_ratio)

    @cache_randomness
    def crop_bbox(self, results: dict[str, Any]) -> tuple[int, int, int, int]:
        """First and last row, first and last column of a random window."""
        if 'gt_seg_map' in results:
            return super().crop_bbox(results)
        plain = RandomCrop(self.crop_size)
        return plain.crop_bbox(results)


def _has_inverse_depth(results: dict[str, Any]) -> bool:
    """Whether the data set says that its depth is inverse; another's data set says nothing."""
    return results.get('inverse_depth', False)


def _as_frame(results: dict[str, Any]) -> Frame:
    """The tensors of :mod:`go4align_plugins.data.augment`."""
    keys = {'image': 'img', **{task: kind.array for task, kind in MAPS.items()}}
    return to_tensors(
        {part: np.ascontiguousarray(results[key]) for part, key in keys.items() if key in results}
    )


def _update(results: dict[str, Any], frame: Frame) -> None:
    """Put a frame's tensors in the place of the arrays that they were made of."""
    results['img'] = frame['image'].movedim(0, -1).contiguous().numpy()
    for task in frame.keys() & MAPS.keys():
        key = MAPS[task].array
        results[key] = MAPS[task].to_array(frame[task]).astype(results[key].dtype)
