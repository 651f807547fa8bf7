r"""K-means on a line for two groups: one cut, by M operations in place of M squared.

With each value that a run takes in, its cost grows by

.. math::
    \frac{n_t N_{t-1}}{n_t + N_{t-1}} (x_t - \bar x_{t-1})^2

where :math:`n_t` is how often the value :math:`x_t` counts, :math:`N_{t-1}` how often those before
it do, and :math:`\bar x_{t-1}` their mean: a sum of positive terms, which loses nothing to the
values' distance from zero. All that two groups need are the runs that begin with the first value,
and those that end with the last.
"""

from __future__ import annotations

import torch
from torch import Tensor

from go4align_plugins.weighting.small import Array


def cut(values: Tensor, counts: Tensor) -> Tensor:
    """The groups of sorted values, without a copy to the host.

    Args:
        values: (M,) float64 in rising order, of magnitudes whose squares are in its range.
        counts: (M,) float64, how often each value counts.

    Returns:
        (M,) int64: 0 before the cut, 1 after it; 0 where all values are equal.
    """
    distance = torch.stack([values - values[0], values[-1] - values.flip(0)])
    counts = torch.stack([counts, counts.flip(0)])
    number = counts.cumsum(1)
    share = counts[:, 1:] * (number[:, :-1] / number[:, 1:].clamp(min=1))
    costs = growing_costs(distance, distance * counts, number[:, :-1].clamp(min=1), share)
    total = costs[0, :-1] + costs[1, :-1].flip(0)
    total = torch.where(values[1:] > values[:-1], total, torch.inf)
    labels = torch.zeros(len(values), dtype=torch.int64, device=values.device)
    if len(total):
        # The earliest of equally good ones.
        position = torch.arange(len(total), device=values.device)
        labels[1:] = (position >= total.argmin()) & total.amin().isfinite()
    return labels


def growing_costs(distance: Array, weighted: Array, before: Array, share: Array) -> Array:
    """The costs of runs from either end, of tensors or of numpy's arrays.

    Args:
        distance: (2, M) from the first value to each, and from the last one; written over.
        weighted: (2, M) the same, times how often each counts.
        before: (2, M - 1) or (M - 1,) how often those before each but the first count.
        share: the same, how much a squared distance to their mean counts.

    Returns:
        (2, M): the costs of the first values, and of the last ones.
    """
    distance[:, 1:] -= weighted.cumsum(1)[:, :-1] / before
    distance *= distance
    distance[:, 1:] *= share
    return distance.cumsum(1)
