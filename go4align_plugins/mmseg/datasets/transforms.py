"""Transforms that treat every target by its kind.

mmseg's know label maps alone: they flip normals without turning them, and zoom without coming
closer. Pixels of a target are never mixed here, but in MTAN's zoom (``data.augment``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmengine.structures import PixelData
from mmseg.datasets import transforms
from mmseg.registry import TRANSFORMS

from go4align_plugins.data.augment import SCALES, closer_depth, scale_crop
from go4align_plugins.tasks import MAPS, to_tensors
from go4align_plugins.utils.options import require

IGNORED = 255  # mmseg's label for pixels without one
AXES = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-1, -2)}
"""Direction of a flip -> the axes of (C, H, W) that it mirrors."""


@TRANSFORMS.register_module()
class LoadMTLFrame(BaseTransform):
    """Reads a frame of an :class:`MTLDataset`: the image and the targets of all its tasks.

    The image, on disk RGB in [0, 1], is as mmseg's own loader would give it, so that the usual
    ``mean``, ``std`` and ``bgr_to_rgb=True`` are right: blue, green, red, from 0 to 255.

    Added keys:
        - ``img`` (H, W, 3) float32; ``img_shape`` and ``ori_shape`` (H, W).
        - ``gt_seg_map`` (H, W) uint8; 255 is no label (-1 on disk).
        - ``gt_depth_map`` (H, W) float32; 0 is no measurement.
        - ``gt_normal_map`` (H, W, 3) float32; 0 is no normal.
        - ``seg_fields``: the targets, which mmseg's transforms treat as they treat a label map.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the frame; a ValueError names a file that breaks a rule of the layout."""
        # The reader is of no use later on, and others copy the results.
        frame = results.pop('read_frame')(results['frame'])
        results['img'] = np.ascontiguousarray(frame.pop('image')[..., ::-1]) * np.float32(255)
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        for task, array in frame.items():
            kind = MAPS[task]
            if kind.has_classes:
                table = np.arange(IGNORED + 1, dtype=np.uint8)
                for old, new in (results['label_map'] or {}).items():
                    table[old] = new
                array = table[array]  # -1 takes the table's last entry, 255
            results[kind.array] = array[..., 0] if array.shape[2:] == (1,) else array
            results['seg_fields'].append(kind.array)
        return results


@TRANSFORMS.register_module()
class PackMTLInputs(transforms.PackSegInputs):
    """mmseg's ``PackSegInputs``, with the maps of all tasks; it has the same parameters.

    The ``SegDataSample`` has ``gt_sem_seg`` (1, H, W) int64, ``gt_depth_map`` (1, H, W) and
    ``gt_normal_map`` (3, H, W) float32.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack image, targets and meta information."""
        packed: dict[str, Any] = super().transform(results)
        for kind in MAPS.values():
            # mmseg's own knows classes, and has other rules for some names.
            if kind.array in results and not kind.has_classes:
                data = kind.to_tensor(np.ascontiguousarray(results[kind.array]))
                packed['data_samples'].set_data({f'gt_{kind.field}': PixelData(data=data)})
        return packed


@TRANSFORMS.register_module()
class MTLPhotoMetricDistortion(transforms.PhotoMetricDistortion):
    """mmseg's ``PhotoMetricDistortion``, for an image of any type with values from 0 to 255.

    mmseg's own expects uint8: it rounds a float image's saturation, a share, to 0 or 1.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Distort the image, which is uint8 afterwards; the targets stay as they are."""
        results['img'] = np.rint(results['img']).clip(0, 255).astype(np.uint8)
        return super().transform(results)


@TRANSFORMS.register_module()
class MTLRandomFlip(transforms.RandomFlip):
    """mmseg's ``RandomFlip`` by ``prob`` and ``direction``; normals are mirrored with the scene."""

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
        valid = bool(scales) and min(scales) >= 1
        require(valid, 'scales', 'hold numbers of at least 1', scales)
        self.scales = tuple(scales)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Zoom in."""
        scale, top, left = self.choose_window(*results['img'].shape[:2])
        if scale == 1:
            return results
        keys = {'image': 'img', **{task: kind.array for task, kind in MAPS.items()}}
        found = {part: results[key] for part, key in keys.items() if key in results}
        tensors = to_tensors({part: np.ascontiguousarray(found[part]) for part in found})
        frame = scale_crop(tensors, scale, top, left, results.get('inverse_depth', False))
        results['img'] = frame.pop('image').movedim(0, -1).contiguous().numpy()
        for task, value in frame.items():
            results[keys[task]] = MAPS[task].to_array(value).astype(found[task].dtype)
        return results

    @cache_randomness
    def choose_window(self, height: int, width: int) -> tuple[float, int, int]:
        """A scale, and the first row and column of a window of the size divided by it."""
        scale = random.choice(self.scales)
        top = random.randint(0, height - int(height / scale))
        left = random.randint(0, width - int(width / scale))
        return scale, top, left


@TRANSFORMS.register_module()
class MTLResize(transforms.Resize):
    """mmseg's ``Resize``: targets by the nearest pixel; normals and depth keep their values.

    Args:
        *args: see ``Resize``.
        resize_targets: whether targets are resized with the image (default). False is for testing
            at another size than the data's: predictions come back at the size of the targets.
        divide_depth: whether depth is divided, inverse depth multiplied, by the scale (the
            geometric mean of width's and height's), as if coming closer. For random sizes, as
            ``RandomResize`` with ``resize_type='MTLResize'`` has them; not (default) where all
            frames, test frames too, are resized alike.
        **kwargs: see ``Resize``.
    """

    def __init__(
        self, *args: Any, resize_targets: bool = True, divide_depth: bool = False, **kwargs: Any
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
            closer = np.float32(closer_depth(scale, results.get('inverse_depth', False)))
            for kind in MAPS.values():
                if kind.array in results:
                    results[kind.array] = kind.approach(results[kind.array], closer)


@TRANSFORMS.register_module()
class MTLRandomCrop(transforms.RandomCrop):
    """mmseg's ``RandomCrop``; without labels, where ``cat_max_ratio`` means nothing, it crops, too.

    A frame that is smaller stays so; ``MTLDataPreProcessor`` pads it. Args are those of mmseg's.
    """

    @cache_randomness
    def crop_bbox(self, results: dict[str, Any]) -> tuple[int, int, int, int]:
        """First and last row, first and last column of a random window."""
        if any(kind.has_classes and kind.array in results for kind in MAPS.values()):
            return super().crop_bbox(results)
        plain = transforms.RandomCrop(self.crop_size)  # mmcv's cache needs it alive
        return plain.crop_bbox(results)
