"""The metrics of each kind of task, exact over all batches that were added.

Sums and counts are kept, never means of batches; for the median of the angles, the angles
themselves. Without a label every score is NaN. Shapes that do not belong together are a ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from go4align_plugins.measures.losses import NO_LABEL, check_same_shape, valid_normal

if TYPE_CHECKING:
    from typing_extensions import Self

ANGLE_SHARES = ('11.25', '22.5', '30')
BINS_PER_DEGREE = 128
"""A power of two: the bin of an angle is then exact, and the shares' limits are ends of bins."""


@torch.no_grad()
def confusion_matrix(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Count the pixels of each true and predicted class: (C, C) int64, the true class first.

    Takes logits (B, C, H, W) and labels (B, H, W) of any dtype; those outside 0 to C - 1 are no
    labels.
    """
    label = label.long()
    predicted = prediction.max(dim=1).indices  # a quarter of argmax's time on a CPU
    rest = num_classes**2
    labelled = (label >= 0) & (label < num_classes)
    pair = torch.where(labelled, num_classes * label + predicted, rest).flatten()
    # bincount, and selecting the labelled pixels, would make the host wait for a GPU.
    counts = pair.new_zeros(rest + 1).scatter_add_(0, pair, torch.ones_like(pair))
    return counts[:rest].reshape(num_classes, num_classes)


def segmentation_scores(confusion: Tensor) -> dict[str, float]:
    """Mean IoU over the classes that occur in labels or predictions, and pixel accuracy."""
    hits = confusion.diagonal().double()
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    mean_iou = (hits / union)[union > 0].mean()
    return {'mIoU': mean_iou.item(), 'pixAcc': (hits.sum() / confusion.sum()).item()}


@torch.no_grad()
def depth_errors(prediction: Tensor, depth: Tensor) -> Tensor:
    """Sum a batch (B, 1, H, W): (3,) float64, absolute and relative errors, measured pixels."""
    check_same_shape(prediction, depth)
    # 1 where `valid_depth`, else 0, by arithmetic: several times as fast on a CPU as comparisons.
    measured = depth.sign().abs_()
    error = (prediction.float() - depth).abs_().mul_(measured)
    absolute, count = _total(error), _total(measured)
    relative = _total(error.div_(measured.neg_().add_(1).add_(depth)))
    return torch.stack([absolute, relative, count])


def _total(maps: Tensor) -> Tensor:
    """Sum maps (..., W) in float64, their rows in float32, which takes a tenth of the time."""
    single = torch.promote_types(maps.dtype, torch.float32)
    return maps.sum(-1, dtype=single).sum(dtype=torch.float64)


def depth_scores(sums: Tensor) -> dict[str, float]:
    """Mean errors from the three sums of :func:`depth_errors`."""
    absolute, relative = (sums[:2] / sums[2]).tolist()
    return {'abs_err': absolute, 'rel_err': relative}


@torch.no_grad()
def normal_angles(prediction: Tensor, normal: Tensor) -> Tensor:
    """Measure the angles between vectors (B, 3, H, W): (N,) float32 degrees, where there are any.

    The angle is the arc tangent of |p x n| over p . n, exact to float32; the arc cosine of a
    normalised product is 0.03 degrees off near 0. A zero vector is at right angles to everything,
    as its cosine is 0 in the loss.
    """
    check_same_shape(prediction, normal)
    px, py, pz = prediction.float().unbind(dim=1)
    nx, ny, nz = normal.float().unbind(dim=1)
    # In place: most of the time goes into moving the maps to and from memory.
    part = (py * nz).addcmul_(pz, ny, value=-1)
    sine = part.square()
    torch.mul(pz, nx, out=part).addcmul_(px, nz, value=-1)
    sine.addcmul_(part, part)
    torch.mul(px, ny, out=part).addcmul_(py, nx, value=-1)
    sine.addcmul_(part, part).sqrt_().add_(torch.finfo(torch.float32).tiny)
    cosine = torch.mul(px, nx, out=part).addcmul_(py, ny).addcmul_(pz, nz)
    angle = torch.atan2(sine, cosine, out=sine).rad2deg_()
    return angle.masked_select(valid_normal(normal))


def normal_scores(angles: Sequence[Tensor]) -> dict[str, float]:
    """Mean and median of each batch's angles, and shares below 11.25, 22.5 and 30 degrees."""
    count = sum(part.numel() for part in angles)
    if count == 0:
        return dict.fromkeys(('mean', 'median', *(f'<{share}' for share in ANGLE_SHARES)), math.nan)
    mean = sum(part.sum(dtype=torch.float64).item() for part in angles) / count
    diverged = math.isnan(mean)
    if diverged:
        angles = [part[~part.isnan()] for part in angles]
    size = 180 * BINS_PER_DEGREE + 1
    counts = sum(torch.bincount((part * BINS_PER_DEGREE).int(), minlength=size) for part in angles)
    ends = torch.as_tensor(counts).cumsum(0)
    scores = {'mean': mean, 'median': math.nan if diverged else _median(angles, ends)}
    for share in ANGLE_SHARES:
        below = int(ends[int(float(share) * BINS_PER_DEGREE) - 1])
        scores[f'<{share}'] = below / count
    return scores


def _median(angles: Sequence[Tensor], ends: Tensor) -> float:
    """Find the exact median; only the angles in the bins of the two middle ones are sorted."""
    count = int(ends[-1])
    middle = torch.tensor([(count - 1) // 2, count // 2])
    first, last = torch.searchsorted(ends, middle, right=True).tolist()
    low, high = first / BINS_PER_DEGREE, (last + 1) / BINS_PER_DEGREE
    near = [part[(part >= low) & (part < high)] for part in angles]
    before = ends[first - 1] if first > 0 else 0
    return torch.cat(near).sort().values[middle - before].double().mean().item()


@torch.no_grad()
def absolute_errors(prediction: Tensor, value: Tensor) -> Tensor:
    """Sum a batch (B, 1): (2,) float64, absolute errors and measured values."""
    check_same_shape(prediction, value)
    measured = ~value.isnan()
    error = torch.where(measured, (prediction.float() - value).abs(), 0)
    return torch.stack([part.sum(dtype=torch.float64) for part in (error, measured)])


def regression_scores(sums: Tensor, scale: float = 1.0) -> dict[str, float]:
    """Mean error times ``scale``, from the two sums of :func:`absolute_errors`."""
    return {'MAE': (sums[0] / sums[1] * scale).item()}


@torch.no_grad()
def attribute_counts(prediction: Tensor, label: Tensor) -> Tensor:
    """Count true and false positives, false and true negatives of logits (B, 1): (4,) int64."""
    check_same_shape(prediction, label)
    found, there, labelled = prediction > 0, label == 1, label != NO_LABEL
    pairs = (found & there, found & ~there, ~found & there, ~found & ~there)
    return torch.stack([(pair & labelled).sum() for pair in pairs])


def attribute_scores(counts: Tensor) -> dict[str, float]:
    """F1, from the counts of :func:`attribute_counts`; 0 without a hit, as in FAMO's code."""
    hits, false_alarms, misses, rejections = counts.tolist()
    if hits == 0:
        return {'F1': 0.0 if false_alarms + misses + rejections else math.nan}
    return {'F1': 2 * hits / (2 * hits + false_alarms + misses)}


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
        """Add a batch."""
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
