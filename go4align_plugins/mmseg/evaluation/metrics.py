"""The metrics of the three tasks for MMEngine's evaluators, over the functions of ``measures``.

What is kept of a frame are its counts, its sums, or its angles: collected over all ranks, without
the frames that a sampler repeats, they give the metrics of the whole split, never means of means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS
from torch import Tensor

from go4align_plugins.measures.losses import check_same_shape
from go4align_plugins.measures.metrics import (
    confusion_matrix,
    depth_errors,
    depth_scores,
    normal_angles,
    normal_scores,
    segmentation_scores,
)

Sample = Mapping[str, Any]


@METRICS.register_module()
class MTLSegmentationMetric(BaseMetric):
    """``segmentation/mIoU`` and ``segmentation/pixAcc`` in [0, 1].

    Reads ``pred_sem_seg`` (1, H, W), or ``seg_logits`` (C, H, W) where there is none, and
    ``gt_sem_seg`` (1, H, W); C is the number of classes of the data set. Labels from C on (mmseg's
    255) are no labels.

    Args:
        *args: of mmengine's ``BaseMetric``.
        **kwargs: likewise.
    """

    default_prefix = 'segmentation'

    def process(self, data_batch: Any, data_samples: Sequence[Sample]) -> None:
        """Count the pixels of each true and predicted class.

        Args:
            data_batch: not used.
            data_samples: of the batch, as dicts.

        Raises:
            ValueError: if a map is missing, or does not fit the other or the classes.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            label = _read(sample, 'gt_sem_seg')
            scores = _class_scores(sample, num_classes)
            check_same_shape(scores[:1], label)
            counts = confusion_matrix(scores[None], label.to(scores.device), num_classes)
            self.results.append(counts.cpu())

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """The scores of all frames."""
        return segmentation_scores(torch.stack(results).sum(dim=0))


@METRICS.register_module()
class MTLDepthMetric(BaseMetric):
    """``depth/abs_err`` in the data's unit and ``depth/rel_err`` as a share.

    Reads ``pred_depth_map`` and ``gt_depth_map``, (1, H, W); a true depth of 0 is no measurement.

    Args:
        *args: of mmengine's ``BaseMetric``.
        **kwargs: likewise.
    """

    default_prefix = 'depth'

    def process(self, data_batch: Any, data_samples: Sequence[Sample]) -> None:
        """Sum the errors.

        Args:
            data_batch: not used.
            data_samples: of the batch, as dicts.

        Raises:
            ValueError: if a map is missing, or the two differ in shape.
        """
        for sample in data_samples:
            sums = depth_errors(*_read_pair(sample, 'pred_depth_map', 'gt_depth_map'))
            self.results.append(sums.cpu())

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """The scores of all frames."""
        return depth_scores(torch.stack(results).sum(dim=0))


@METRICS.register_module()
class MTLNormalMetric(BaseMetric):
    """``normal/mean``, ``normal/median``, degrees; ``normal/<11.25``, ``<22.5``, ``<30``, shares.

    Reads ``pred_normal_map`` of any length and ``gt_normal_map``, (3, H, W); a true normal of 0 is
    none. The exact median needs every angle: four bytes a pixel until the split is evaluated.

    Args:
        *args: of mmengine's ``BaseMetric``.
        **kwargs: likewise.
    """

    default_prefix = 'normal'

    def process(self, data_batch: Any, data_samples: Sequence[Sample]) -> None:
        """Measure the angles.

        Args:
            data_batch: not used.
            data_samples: of the batch, as dicts.

        Raises:
            ValueError: if a map is missing, or the two differ in shape.
        """
        for sample in data_samples:
            angles = normal_angles(*_read_pair(sample, 'pred_normal_map', 'gt_normal_map'))
            self.results.append(angles.cpu())

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """The scores of all frames."""
        return normal_scores(results)


def _read(sample: Sample, name: str) -> Tensor:
    if name not in sample:
        raise ValueError(
            f'A data sample should hold `{name}` to be evaluated. Found {", ".join(sample)}.'
        )
    return sample[name]['data']


def _read_pair(sample: Sample, prediction: str, target: str) -> tuple[Tensor, Tensor]:
    """The two maps as a batch of one frame, on one device."""
    predicted = _read(sample, prediction)[None]
    return predicted, _read(sample, target)[None].to(predicted.device)


def _class_scores(sample: Sample, num_classes: int) -> Tensor:
    """(C, H, W): the logits, or 1 for the predicted class and 0 for the others."""
    if 'pred_sem_seg' not in sample:
        scores = _read(sample, 'seg_logits')
        found = len(scores)
    else:
        predicted = _read(sample, 'pred_sem_seg')
        classes = torch.arange(num_classes, device=predicted.device)
        scores = (predicted == classes[:, None, None]).byte()
        found = max(num_classes, int(predicted.max()) + 1)
    if found != num_classes:
        raise ValueError(
            f'Predictions should be of the {num_classes} classes of the data set. Found {found}: '
            '`num_classes` of the head should be changed.'
        )
    return scores
