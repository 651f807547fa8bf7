"""Draws predictions during validation and testing, whatever the images on disk are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.runner import Runner
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from torch import Tensor


@HOOKS.register_module()
class MTLVisualizationHook(SegVisualizationHook):
    """mmseg's hook, which reads the images again from their files, for images that it cannot read.

    MTAN's layout has arrays on disk. The image is taken from the batch instead, which has it at the
    size of the truth where the test pipeline does not resize.

    Args:
        *args: see ``SegVisualizationHook``: ``draw``, ``interval``, ``show``, ``wait_time``.
        **kwargs: see there.
    """

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any],
        outputs: Sequence[SegDataSample],
        mode: str = 'val',
    ) -> None:
        if (
            not self.draw
            or mode == 'train'
            or not self.every_n_inner_iters(batch_idx, self.interval)
        ):
            return
        for image, output in zip(data_batch['inputs'], outputs):
            self._visualizer.add_datasample(
                f'{mode}_{Path(output.img_path).stem}',
                to_rgb(image, output.ori_shape),
                data_sample=output,
                show=self.show,
                wait_time=self.wait_time,
                step=runner.iter,
            )


def to_rgb(image: Tensor, size: tuple[int, int]) -> np.ndarray:
    """(3, h, w) blue, green, red, 0 to 255 -> (H, W, 3) uint8 RGB of the original size."""
    from mmcv.image import imresize

    array = image.cpu().numpy().transpose(1, 2, 0)[..., ::-1]
    array = np.ascontiguousarray(array.clip(0, 255).astype(np.uint8))
    return array if array.shape[:2] == size else imresize(array, size[::-1])
