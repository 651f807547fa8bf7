"""The metrics of the tasks for MMEngine's evaluators, over those of ``measures``.

Each frame's counts, sums or angles, collected over all ranks, give the metrics of the whole split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS
from torch import Tensor

from go4align_plugins.measures import Metric
from go4align_plugins.measures.losses import check_same_shape
from go4align_plugins.tasks import DEPTH, MAPS, NORMAL, SEGMENTATION, Task
from go4align_plugins.utils.options import check_choice, require


@METRICS.register_module()
class MTLMetric(BaseMetric):
    """The metrics of a task, under its name: ``<task>/<metric>``.

    Reads the fields of the task's kind: ``pred_depth_map`` and ``gt_depth_map`` (C, H, W), and so
    on. Of classes, labels beyond those of the data set (mmseg's 255) are no labels.

    Args:
        *args: of mmengine's ``BaseMetric``.
        task: the name of the task. None (default): the class's own.
        **kwargs: of mmengine's ``BaseMetric``.

    Raises:
        ValueError: if the task is unknown; later, if a data sample lacks a map, or one does not
            fit the other or the classes.
    """

    default_prefix: str | None = None

    def __init__(self, *args: Any, task: str | None = None, **kwargs: Any) -> None:
        self.kind = MAPS[check_choice('task', task or self.default_prefix, MAPS)]
        self.default_prefix = self.kind.name
        super().__init__(*args, **kwargs)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Measure the frames of a batch."""
        metric = self._new_metric()
        names = [f'{prefix}_{self.kind.field}' for prefix in ('pred', 'gt')]
        for sample in data_samples:
            for name in names:
                require(name in sample, 'data_samples', f'hold `{name}` to be evaluated', [*sample])
            predicted, truth = (sample[name]['data'] for name in names)
            check_same_shape(predicted, truth)
            predicted = self._one_hot(predicted) if self.kind.has_classes else predicted
            truth = truth if self.kind.has_classes else truth[None]
            metric.reset()
            metric.update(predicted[None], truth.to(predicted.device))
            sums = metric.sums
            self.results.append(sums.cpu() if isinstance(sums, Tensor) else sums)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """The scores of all frames."""
        metric = self._new_metric()
        keeps_sums = isinstance(metric.sums, Tensor)
        metric.sums = torch.stack(results).sum(dim=0) if keeps_sums else [*chain(*results)]
        return metric.compute()

    def _new_metric(self) -> Metric:
        channels = self.kind.channels or len(self.dataset_meta['classes'])
        return self.kind.metric(Task(self.kind.name, channels, (), self.kind), 1.0)

    def _one_hot(self, predicted: Tensor) -> Tensor:
        """(C, H, W): 1 for the predicted class, (1, H, W), and 0 for the others."""
        num_classes, found = len(self.dataset_meta['classes']), int(predicted.max()) + 1
        rule = f'be {num_classes} in the head, as in the data set'
        require(found <= num_classes, 'num_classes', rule, found)
        classes = torch.arange(num_classes, device=predicted.device)
        return (predicted == classes[:, None, None]).byte()


@METRICS.register_module()
class MTLSegmentationMetric(MTLMetric):
    """``segmentation/mIoU`` and ``segmentation/pixAcc`` in [0, 1]."""

    default_prefix = SEGMENTATION.name


@METRICS.register_module()
class MTLDepthMetric(MTLMetric):
    """``depth/abs_err`` in the data's unit and ``depth/rel_err`` as a share; 0 is not measured."""

    default_prefix = DEPTH.name


@METRICS.register_module()
class MTLNormalMetric(MTLMetric):
    """``normal/mean``, ``normal/median``, degrees; ``normal/<11.25``, ``<22.5``, ``<30``, shares.

    A true normal of 0 is none; those predicted have any length. The exact median needs every angle:
    four bytes a pixel until the split is evaluated.
    """

    default_prefix = NORMAL.name
