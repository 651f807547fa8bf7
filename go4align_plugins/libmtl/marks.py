r"""Which weights a strategy has given the tasks' gradients, read off the gradient that it made.

Some strategies (CAGrad, PCGrad, ...) tell only the combined gradient
:math:`g = \sum_m w_m g_m`. Solving that for :math:`w` is ambiguous where gradients depend on each
other, so each :math:`g_m` gets M further entries, all 0 but the m-th: a mark so small that its
square is 0 in the gradients' dtype. No inner product or norm sees it, and the combined gradient
carries :math:`w_m` times the mark.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TOLERANCE = 1e-3
"""Far above float32's rounding and far below any true difference, relative to the terms' sizes."""


def add_marks(gradients: Tensor) -> Tensor:
    """The tasks' gradients (M, D) with their marks (M, D + M)."""
    mark = _mark_of(gradients.dtype)
    return torch.cat([gradients, torch.diag(gradients.new_full((len(gradients),), mark))], 1)


def remove_marks(gradients: Tensor) -> Tensor:
    """The tasks' gradients (M, D) without their marks."""
    return gradients[:, : -len(gradients)]


def read_weights(combined: Tensor, gradients: Tensor, strategy: str) -> Tensor:
    """The weights (M,) with which marked gradients were combined.

    Args:
        combined: (D + M,) what was made of them.
        gradients: (M, D + M) marked.
        strategy: which made it, for the message.

    Raises:
        ValueError: if it is no sum of them, each times a weight.
    """
    weights = combined[-len(gradients) :] / gradients[:, -len(gradients) :].diagonal()
    difference = (combined - weights @ gradients).norm()
    if difference > TOLERANCE * (weights.abs() @ gradients.norm(dim=1)):
        raise ValueError(
            f"{strategy} should sum up the tasks' gradients, each times one weight, to be grouped. "
            f'Found a gradient that is no such sum, by {difference:.3g}: its options may weight '
            'parts of a gradient apart.'
        )
    return weights


def _mark_of(dtype: torch.dtype) -> float:
    """A power of two, as large as may be, whose square rounds to 0."""
    smallest = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    return 2.0 ** (math.frexp(smallest)[1] // 2 - 2)
