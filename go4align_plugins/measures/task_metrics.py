"""The metrics of each kind of task, exact over all batches that were added."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from go4align_plugins.measures.metrics import (
    absolute_errors,
    attribute_counts,
    attribute_scores,
    confusion_matrix,
    depth_errors,
    depth_scores,
    normal_angles,
    normal_scores,
    regression_scores,
    segmentation_scores,
)

if TYPE_CHECKING:
    from typing_extensions import Self


class Metric:
    """Scores of one task, gathered batch by batch.

    Args:
        measure: prediction and target, shaped as in the task's loss -> the sums of a batch.
        score: the sums of all batches -> the scores, by name in the order of the task's table.
        zeros: the sums before the first batch.
    """

    def __init__(
        self,
        measure: Callable[[Tensor, Tensor], Tensor],
        score: Callable[..., dict[str, float]],
        zeros: Any,
    ) -> None:
        self._measure, self._score, self._zeros = measure, score, zeros
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.sums = self._zeros

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch.

        Raises:
            ValueError: if the two differ in shape where they should not.
        """
        self._add(self._measure(prediction, target))

    def merge(self, other: Self) -> None:
        """Add the batches of another metric of the same kind."""
        self._add(other.sums)

    def compute(self) -> dict[str, float]:
        """Compute the scores over all batches; NaN without a label."""
        return self._score(self.sums)

    def _add(self, sums: Tensor) -> None:
        self.sums = self.sums.to(sums.device) + sums


class SegmentationMetric(Metric):
    """``mIoU`` and ``pixAcc`` in [0, 1]; labels outside 0 to ``num_classes`` - 1 are left out."""

    def __init__(self, num_classes: int) -> None:
        measure = partial(confusion_matrix, num_classes=num_classes)
        zeros = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        super().__init__(measure, segmentation_scores, zeros)


class DepthMetric(Metric):
    """``abs_err`` in the data's unit and ``rel_err`` as a share; a true depth of 0 is left out."""

    def __init__(self) -> None:
        super().__init__(depth_errors, depth_scores, torch.zeros(3, dtype=torch.float64))


class NormalMetric(Metric):
    """``mean`` and ``median`` in degrees; ``<11.25``, ``<22.5`` and ``<30`` in [0, 1].

    The exact median needs every angle: four bytes a pixel in the host's memory, 290 MB for the test
    split of NYUv2 at its published size.
    """

    def __init__(self) -> None:
        super().__init__(normal_angles, normal_scores, [])

    def _add(self, angles: Any) -> None:
        self.sums = self.sums + (angles if isinstance(angles, list) else [angles.cpu()])


class RegressionMetric(Metric):
    """``MAE`` times ``scale``: the standard deviation, where the target is standardised."""

    def __init__(self, scale: float = 1.0) -> None:
        score = partial(regression_scores, scale=scale)
        super().__init__(absolute_errors, score, torch.zeros(2, dtype=torch.float64))


class AttributeMetric(Metric):
    """``F1`` in [0, 1]; 0 where the attribute is never found, as in FAMO's code."""

    def __init__(self) -> None:
        super().__init__(attribute_counts, attribute_scores, torch.zeros(4, dtype=torch.int64))
