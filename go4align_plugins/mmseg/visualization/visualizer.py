"""The maps of all tasks beside their truth, as one picture a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.image import imwrite, rgb2bgr
from mmengine.dist import master_only
from mmseg.registry import VISUALIZERS
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.mmseg.datasets.transforms.loading import IGNORED
from go4align_plugins.plots.maps import Legend, draw_maps
from go4align_plugins.tasks import MAPS


@VISUALIZERS.register_module()
class MTLVisualizer(SegLocalVisualizer):
    """mmseg's visualizer for data samples with depth and normals.

    It draws the image, then each task's truth and prediction side by side: pixels without truth are
    blank, depth has a scale, normals are shown as the colour (n + 1) / 2. Classes, colours and the
    depth's unit are those of the data set.

    Args:
        *args: see ``SegLocalVisualizer``.
        **kwargs: see there.
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
        """Draw a data sample, and save it to all backends, or to a file.

        Args:
            name: of the picture.
            image: (H, W, 3) uint8 RGB, of the predictions' size.
            data_sample: with ``gt_*`` and ``pred_*`` fields.
            draw_gt: whether to draw the truth.
            draw_pred: whether to draw the predictions.
            show: whether to show it in a window.
            wait_time: how long, in seconds; 0 is for ever.
            out_file: where to save it, instead of the backends.
            step: under which the backends save it.
            with_labels: not used: the classes' names are in the legend.

        Raises:
            ValueError: if an array's size is not that of the image.
        """
        sample = SegDataSample() if data_sample is None else data_sample
        truth = _maps(sample, 'gt') if draw_gt else {}
        predicted = _maps(sample, 'pred') if draw_pred else {}
        row = {'image': image, 'truth': truth, 'predictions': {'prediction': predicted}}
        drawn = _rasterise(draw_maps([row], self._legend()))
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        if out_file is not None:
            imwrite(rgb2bgr(drawn), str(out_file))
        else:
            self.add_image(name, drawn, step)

    def _legend(self) -> Legend:
        meta: dict[str, Any] = self.dataset_meta
        benchmark = BENCHMARKS.get(meta.get('benchmark', ''))
        unit = Legend.of(benchmark).depth_unit if benchmark else "data's unit"
        return Legend(meta['classes'], meta['palette'], unit)


def _maps(sample: SegDataSample, prefix: str) -> dict[str, np.ndarray]:
    """Task -> (H, W) classes, -1 for no label, or depths, or (H, W, 3) normals."""
    maps = {}
    for task, kind in MAPS.items():
        if f'{prefix}_{kind.field}' in sample:
            data = torch.as_tensor(sample.get(f'{prefix}_{kind.field}').data).cpu()
            maps[task] = kind.to_array(data)
            if kind.has_classes:
                maps[task] = np.where(maps[task] == IGNORED, -1, maps[task].astype(np.int64))
    return maps


def _rasterise(figure: Any) -> np.ndarray:
    """A figure as (H, W, 3) uint8 RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
