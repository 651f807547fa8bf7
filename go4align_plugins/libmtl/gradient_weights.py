r"""Read the weights of the tasks' gradients off the gradient that a strategy combined of them.

Some strategies (CAGrad, PCGrad, ...) return only the combined gradient
:math:`g = \sum_m w_m g_m`. Solving for :math:`w` is ambiguous where gradients depend on each other.
So each :math:`g_m` gets M further entries, all 0 but the m-th: a mark so small that its square is 0
in the gradients' dtype. No inner product or norm changes, and the combined gradient carries
:math:`w_m` times the mark.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TOLERANCE = 1e-3
"""Far above float32's rounding and far below any true difference, relative to the terms' sizes."""


def add_marks(gradients: Tensor) -> Tensor:
    """Append the marks to the tasks' gradients: (M, D) -> (M, D + M)."""
    # A power of two, the largest whose square rounds to 0.
    limits = torch.finfo(gradients.dtype)
    mark = 2.0 ** (math.frexp(limits.smallest_normal * limits.eps)[1] // 2 - 2)
    return torch.cat([gradients, torch.diag(gradients.new_full((len(gradients),), mark))], 1)


def remove_marks(gradients: Tensor) -> Tensor:
    """Cut the marks off the tasks' gradients: (M, D + M) -> (M, D)."""
    return gradients[:, : -len(gradients)]


def read_weights(combined: Tensor, gradients: Tensor, strategy: str) -> Tensor:
    """Read the weights (M,) with which marked gradients were combined.

    Args:
        combined: (D + M,) the combined gradient.
        gradients: (M, D + M) the tasks' gradients, marked.
        strategy: name of the strategy, for the message.

    Raises:
        ValueError: if ``combined`` is no weighted sum of the gradients.
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
