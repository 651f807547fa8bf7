"""The losses of each kind of task, each the mean over all pixels or samples that have a label.

Every loss is computed in float32, whatever the predictions are in, and without waiting for the
device. A batch without a label gives a loss of exactly 0 with a gradient of 0: the weighting takes
the task as absent from the batch. Shapes that do not belong together are a ValueError.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NO_LABEL = -1


def valid_depth(depth: Tensor) -> Tensor:
    """Mark the measured pixels: (B, 1, H, W) depth -> (B, 1, H, W) bool."""
    return depth.sum(dim=1, keepdim=True) != 0


def valid_normal(normal: Tensor) -> Tensor:
    """Mark the pixels that have a normal: (B, 3, H, W) vectors -> (B, H, W) bool."""
    return normal.abs().sum(dim=1) != 0


def vector_length(vectors: Tensor, dim: int) -> Tensor:
    """Length along a dimension, which is kept; at least 1e-6: a quotient by it stays finite."""
    # torch's norm over any but the last dimension takes up to a hundred times as long on a CPU.
    return vectors.square().sum(dim, keepdim=True).clamp(min=1e-12).sqrt()


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of the valid values; 0 where there is none. All values have to be finite."""
    return (values * valid).sum() / valid.sum().clamp(min=1)


def segmentation_loss(prediction: Tensor, label: Tensor) -> Tensor:
    """Cross entropy, the mean over the labelled pixels.

    Args:
        prediction: logits (B, C, H, W).
        label: classes (B, H, W) of any dtype; -1 is no label.
    """
    label = label.long()
    total = F.cross_entropy(prediction.float(), label, ignore_index=NO_LABEL, reduction='sum')
    return total / (label != NO_LABEL).sum().clamp(min=1)


def depth_loss(prediction: Tensor, depth: Tensor) -> Tensor:
    """Absolute error in the data's unit, the mean over the measured pixels.

    Args:
        prediction: depth (B, 1, H, W).
        depth: measured depth (B, 1, H, W), in the same unit; 0 is no measurement.
    """
    check_same_shape(prediction, depth)
    return masked_mean((prediction.float() - depth).abs(), valid_depth(depth))


def normal_loss(prediction: Tensor, normal: Tensor) -> Tensor:
    """One minus the cosine of the angle (0 to 2), the mean over the pixels that have a normal.

    Args:
        prediction: vectors (B, 3, H, W) of any length.
        normal: unit vectors (B, 3, H, W); the zero vector is no normal.
    """
    check_same_shape(prediction, normal)
    prediction = prediction.float()
    cosine = (prediction * normal).sum(dim=1) / vector_length(prediction, 1).squeeze(1)
    # A cosine may round to 1 + 1e-7, but a weighting refuses a negative loss.
    return masked_mean(1 - cosine, valid_normal(normal)).clamp(min=0)


def regression_loss(prediction: Tensor, value: Tensor) -> Tensor:
    """Squared error in the unit's square, the mean over the measured numbers.

    Args:
        prediction: numbers (B, 1).
        value: true numbers (B, 1), in the same unit; NaN is no measurement.
    """
    check_same_shape(prediction, value)
    measured = ~value.isnan()
    # A NaN times 0 is NaN: it must not come near the difference.
    error = prediction.float() - torch.where(measured, value, 0)
    return masked_mean(error.square(), measured)


def attribute_loss(prediction: Tensor, label: Tensor) -> Tensor:
    """Binary cross entropy, the mean over the labelled samples.

    Args:
        prediction: logits (B, 1).
        label: 1, 0, or -1 for no label, (B, 1), of any dtype.
    """
    check_same_shape(prediction, label)
    losses = F.binary_cross_entropy_with_logits(
        prediction.float(), label.clamp(min=0).float(), reduction='none'
    )
    return masked_mean(losses, label != NO_LABEL)


def check_same_shape(prediction: Tensor, target: Tensor) -> None:
    """Refuse shapes that broadcasting would silently pair wrongly, by a ValueError."""
    if prediction.shape != target.shape:
        raise ValueError(
            f'Parameter `prediction` should have the shape of its target, {tuple(target.shape)}. '
            f'Found `prediction.shape = {tuple(prediction.shape)}`.'
        )
