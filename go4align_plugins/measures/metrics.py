"""The metrics of the dense-prediction tasks, exact over a whole data set.

Each is a pure function that measures a batch, a pure function that turns what was gathered into
scores, and a thin class around the two. What is kept are sums and counts, never means of batches;
for the angles' median, the angles themselves. Without a labelled pixel every score is NaN.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from go4align_plugins.measures.losses import check_same_shape, valid_normal

if TYPE_CHECKING:
    from typing_extensions import Self

ANGLE_SHARES = ('11.25', '22.5', '30')
BINS_PER_DEGREE = 128
"""A power of two: which bin an angle is in is then exact, and those shares end where bins do."""


class Metric(ABC):
    """Scores of one task, gathered batch by batch."""

    def __init__(self) -> None:
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Forget all batches."""

    @abstractmethod
    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: the shapes are those of the task's loss."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add the batches of another metric of the same kind."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The scores over all batches, by name in the order of the table of benchmarks."""


class SegmentationMetric(Metric):
    """mIoU over the classes that occur in labels or predictions, and pixel accuracy.

    Args:
        num_classes: C; labels outside 0 to C - 1 are no labels.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self.confusion = torch.zeros(self.num_classes, self.num_classes, dtype=torch.int64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch of logits (B, C, H, W) and labels (B, H, W)."""
        self._add(confusion_matrix(prediction, target, self.num_classes))

    def merge(self, other: Self) -> None:
        """Add the batches of another metric."""
        self._add(other.confusion)

    def compute(self) -> dict[str, float]:
        """``mIoU`` and ``pixAcc`` in [0, 1]."""
        return segmentation_scores(self.confusion)

    def _add(self, confusion: Tensor) -> None:
        self.confusion = self.confusion.to(confusion.device) + confusion


class DepthMetric(Metric):
    """Mean absolute and mean relative error over all measured pixels."""

    def reset(self) -> None:
        """Forget all batches."""
        self.sums = torch.zeros(3, dtype=torch.float64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch of depths (B, 1, H, W); a true depth of 0 is no measurement."""
        self._add(depth_errors(prediction, target))

    def merge(self, other: Self) -> None:
        """Add the batches of another metric."""
        self._add(other.sums)

    def compute(self) -> dict[str, float]:
        """``abs_err`` in the data's unit and ``rel_err`` as a share."""
        return depth_scores(self.sums)

    def _add(self, sums: Tensor) -> None:
        self.sums = self.sums.to(sums.device) + sums


class NormalMetric(Metric):
    """Mean and median angle, and the shares of angles below 11.25, 22.5 and 30 degrees.

    The median needs every angle: four bytes a pixel in the host's memory, 290 MB for the test
    split of NYUv2 at its published size.
    """

    def reset(self) -> None:
        """Forget all batches."""
        self.angles: list[Tensor] = []

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch of vectors (B, 3, H, W); a true normal of 0 is none."""
        self.angles.append(normal_angles(prediction, target).cpu())

    def merge(self, other: Self) -> None:
        """Add the batches of another metric."""
        self.angles += other.angles

    def compute(self) -> dict[str, float]:
        """``mean`` and ``median`` in degrees; ``<11.25``, ``<22.5`` and ``<30`` in [0, 1]."""
        return normal_scores(self.angles)


@torch.no_grad()
def confusion_matrix(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Count the pixels of each true and predicted class.

    Args:
        prediction: logits (B, C, H, W).
        label: classes (B, H, W) of any dtype; those outside 0 to C - 1 are left out.
        num_classes: C.

    Returns:
        (C, C) int64 on the tensors' device, the true class first.
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
    """MIoU and pixel accuracy of a (C, C) confusion matrix."""
    hits = confusion.diagonal().double()
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    mean_iou = (hits / union)[union > 0].mean()
    return {'mIoU': mean_iou.item(), 'pixAcc': (hits.sum() / confusion.sum()).item()}


@torch.no_grad()
def depth_errors(prediction: Tensor, depth: Tensor) -> Tensor:
    """Sum the errors of a batch.

    Args:
        prediction: depth (B, 1, H, W).
        depth: measured depth (B, 1, H, W); 0 is no measurement.

    Returns:
        (3,) float64: the sums of the absolute and of the relative errors, and the number of
        measured pixels.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(prediction, depth)
    # 1 where `valid_depth`, else 0: a comparison, and each use of its result among numbers, takes
    # several times as long on a CPU as arithmetic.
    measured = depth.sign().abs_()
    error = (prediction.float() - depth).abs_().mul_(measured)
    absolute, count = _total(error), _total(measured)
    relative = _total(error.div_(measured.neg_().add_(1).add_(depth)))
    return torch.stack([absolute, relative, count])


def _total(maps: Tensor) -> Tensor:
    """The float64 sum of maps (..., W), of rows in float32, which takes a tenth of the time."""
    single = torch.promote_types(maps.dtype, torch.float32)
    return maps.sum(-1, dtype=single).sum(dtype=torch.float64)


def depth_scores(sums: Tensor) -> dict[str, float]:
    """Mean errors from the three sums of :func:`depth_errors`."""
    absolute, relative = (sums[:2] / sums[2]).tolist()
    return {'abs_err': absolute, 'rel_err': relative}


@torch.no_grad()
def normal_angles(prediction: Tensor, normal: Tensor) -> Tensor:
    """The angles between predicted and true normals.

    The angle is the arc tangent of |p x n| over p . n: right to float32's precision everywhere,
    where the arc cosine of a normalised product is 0.03 degrees off near 0. The zero vector is at
    right angles to everything, as its cosine is 0 in the loss.

    Args:
        prediction: vectors (B, 3, H, W) of any length.
        normal: unit vectors (B, 3, H, W); the zero vector is no normal.

    Returns:
        (N,) float32 degrees of the pixels that have a normal.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(prediction, normal)
    px, py, pz = prediction.float().unbind(dim=1)
    nx, ny, nz = normal.float().unbind(dim=1)
    # In place: maps as large as these take most of their time on the way to the memory.
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
    """Scores of the angles in degrees that all those vectors hold."""
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
    """The exact median, without joining or sorting the vectors.

    A histogram says which bins hold the two middle angles; only the angles in these are sorted.

    Args:
        angles: in degrees.
        ends: how many are in each bin or before it.
    """
    count = int(ends[-1])
    middle = torch.tensor([(count - 1) // 2, count // 2])
    first, last = torch.searchsorted(ends, middle, right=True).tolist()
    low, high = first / BINS_PER_DEGREE, (last + 1) / BINS_PER_DEGREE
    near = [part[(part >= low) & (part < high)] for part in angles]
    before = ends[first - 1] if first > 0 else 0
    return torch.cat(near).sort().values[middle - before].double().mean().item()
