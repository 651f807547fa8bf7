"""From the keys of a pipeline to what a model takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackMTLInputs(PackSegInputs):
    """mmseg's ``PackSegInputs``, with the normals.

    The image becomes ``inputs`` (3, H, W); the targets become ``PixelData`` of the
    ``SegDataSample``: ``gt_sem_seg`` (1, H, W) int64, ``gt_depth_map`` (1, H, W) and
    ``gt_normal_map`` (3, H, W) float32.

    Args:
        meta_keys: see ``PackSegInputs``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack image, targets and meta information."""
        packed: dict[str, Any] = super().transform(results)
        if 'gt_normal_map' in results:
            normal = np.ascontiguousarray(results['gt_normal_map'].transpose(2, 0, 1))
            field = PixelData(data=torch.from_numpy(normal))
            packed['data_samples'].set_data({'gt_normal_map': field})
        return packed
