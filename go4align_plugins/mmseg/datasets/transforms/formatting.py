"""From the keys of a pipeline to what a model takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS

from go4align_plugins.tasks import MAPS


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
        sample = packed['data_samples']
        for kind in MAPS.values():
            field = f'gt_{kind.field}'
            if kind.array in results and field not in sample:
                array = np.ascontiguousarray(results[kind.array])
                sample.set_data({field: PixelData(data=kind.to_tensor(array))})
        return packed
