"""The metrics of tasks with one value a sample: a number, or an attribute that is there or not.

As the metrics of dense prediction: a pure function measures a batch, sums and counts are kept, and
without a labelled sample every score is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from go4align_plugins.measures.losses import NO_LABEL, check_same_shape
from go4align_plugins.measures.metrics import Metric

if TYPE_CHECKING:
    from typing_extensions import Self


class RegressionMetric(Metric):
    """Mean absolute error.

    Args:
        scale: the target's unit in the unit of the error: a task that is learned standardised is
            measured in its own unit by the standard deviation.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self.sums = torch.zeros(2, dtype=torch.float64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch of numbers (B, 1); a true NaN is no measurement."""
        self._add(absolute_errors(prediction, target))

    def merge(self, other: Self) -> None:
        """Add the batches of another metric."""
        self._add(other.sums)

    def compute(self) -> dict[str, float]:
        """``MAE`` in the target's unit times ``scale``."""
        error, count = self.sums.tolist()
        return {'MAE': error / count * self.scale if count else float('nan')}

    def _add(self, sums: Tensor) -> None:
        self.sums = self.sums.to(sums.device) + sums


class AttributeMetric(Metric):
    """F1 of the attribute's being there; 0 where it is never found, as in FAMO's code."""

    def reset(self) -> None:
        """Forget all batches."""
        self.counts = torch.zeros(4, dtype=torch.int64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch of logits (B, 1) and labels (B, 1): 1, 0, or -1 for no label."""
        self._add(attribute_counts(prediction, target))

    def merge(self, other: Self) -> None:
        """Add the batches of another metric."""
        self._add(other.counts)

    def compute(self) -> dict[str, float]:
        """``F1`` in [0, 1]."""
        return {'F1': f1_score(*self.counts.tolist())}

    def _add(self, counts: Tensor) -> None:
        self.counts = self.counts.to(counts.device) + counts


@torch.no_grad()
def absolute_errors(prediction: Tensor, value: Tensor) -> Tensor:
    """Sum the errors of a batch.

    Args:
        prediction: numbers (B, 1).
        value: true numbers (B, 1); NaN is no measurement.

    Returns:
        (2,) float64: the sum of the absolute errors, and the number of measured values.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(prediction, value)
    measured = ~value.isnan()
    error = torch.where(measured, (prediction.float() - value).abs(), 0)
    return torch.stack([part.sum(dtype=torch.float64) for part in (error, measured)])


@torch.no_grad()
def attribute_counts(prediction: Tensor, label: Tensor) -> Tensor:
    """Count what is found and what is there; a logit above 0 finds the attribute.

    Args:
        prediction: logits (B, 1).
        label: 1, 0, or -1 for no label, (B, 1), of any dtype.

    Returns:
        (4,) int64: samples that are truly found, wrongly found, missed, and rightly not found.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(prediction, label)
    found, there, labelled = prediction > 0, label == 1, label != NO_LABEL
    pairs = (found & there, found & ~there, ~found & there, ~found & ~there)
    return torch.stack([(pair & labelled).sum() for pair in pairs])


def f1_score(hits: int, false_alarms: int, misses: int, rejections: int) -> float:
    """The harmonic mean of precision and recall, from the counts of :func:`attribute_counts`."""
    if hits + false_alarms + misses + rejections == 0:
        return float('nan')
    return 2 * hits / (2 * hits + false_alarms + misses) if hits else 0.0
