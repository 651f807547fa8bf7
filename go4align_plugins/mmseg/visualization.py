"""Pictures of multi-task predictions: the maps of all tasks beside their truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from mmcv.image import imresize, imwrite, rgb2bgr
from mmengine.dist import master_only
from mmengine.runner import Runner
from mmengine.visualization.utils import img_from_canvas
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.registry import HOOKS, VISUALIZERS
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer
from torch import Tensor

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.mmseg.datasets.transforms import IGNORED
from go4align_plugins.plots.maps import Legend, draw_maps
from go4align_plugins.tasks import MAPS


@HOOKS.register_module()
class MTLVisualizationHook(SegVisualizationHook):
    """mmseg's hook, by the same parameters, for images that it cannot read from their files.

    MTAN's layout has arrays on disk: the image is taken from the batch, at the size of the truth.
    """

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any],
        outputs: Sequence[SegDataSample],
        mode: str = 'val',
    ) -> None:
        if self.draw and mode != 'train' and self.every_n_inner_iters(batch_idx, self.interval):
            for image, output in zip(data_batch['inputs'], outputs):
                name = f'{mode}_{Path(output.img_path).stem}'
                options = {'show': self.show, 'wait_time': self.wait_time, 'step': runner.iter}
                image = to_rgb(image, output.ori_shape)
                self._visualizer.add_datasample(name, image, output, **options)


def to_rgb(image: Tensor, size: tuple[int, int]) -> np.ndarray:
    """(3, h, w) blue, green, red, 0 to 255 -> (H, W, 3) uint8 RGB of the original size."""
    array = image.cpu().numpy().transpose(1, 2, 0)[..., ::-1]
    array = np.ascontiguousarray(array.clip(0, 255).astype(np.uint8))
    return array if array.shape[:2] == size else imresize(array, size[::-1])


@VISUALIZERS.register_module()
class MTLVisualizer(SegLocalVisualizer):
    """mmseg's visualizer for data samples with depth and normals, by the same parameters.

    Beside the image, it draws each task's truth, blank where none is known, and prediction: normals
    as the colour (n + 1) / 2; classes, their colours and the depth's unit are the data set's.
    """

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        with_labels: bool | None = True,
    ) -> None:
        """Draw a data sample on its image, (H, W, 3) uint8 RGB; the parameters are mmseg's."""
        sample = SegDataSample() if data_sample is None else data_sample
        predicted = {'prediction': read_maps(sample, 'pred') if draw_pred else {}}
        truth = read_maps(sample, 'gt') if draw_gt else {}
        row = {'image': image, 'truth': truth, 'predictions': predicted}
        meta: dict[str, Any] = self.dataset_meta
        benchmark = BENCHMARKS.get(meta.get('benchmark', ''))
        unit = Legend.of(benchmark).depth_unit if benchmark else "data's unit"
        figure = draw_maps([row], Legend(meta['classes'], meta['palette'], unit))
        drawn = img_from_canvas(FigureCanvasAgg(figure))
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        if out_file is not None:
            imwrite(rgb2bgr(drawn), str(out_file))
        else:
            self.add_image(name, drawn, step)


def read_maps(sample: SegDataSample, prefix: str) -> dict[str, np.ndarray]:
    """Task -> (H, W) classes, -1 for no label, or depths, or (H, W, 3) normals."""
    maps = {}
    for task, kind in MAPS.items():
        if f'{prefix}_{kind.field}' in sample:
            data = torch.as_tensor(sample.get(f'{prefix}_{kind.field}').data).cpu()
            maps[task] = kind.to_array(data)
            if kind.has_classes:
                maps[task] = np.where(maps[task] == IGNORED, -1, maps[task].astype(np.int64))
    return maps
