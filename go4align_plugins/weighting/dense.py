r"""K-means on a line for up to some hundred values: the costs of all runs at once.

:math:`D_k(t) = \min_i D_{k-1}(i - 1) + c(i, t)` is then one addition and one minimum of matrices a
row. An array is a tensor or one of numpy's here: few values are solved faster by numpy.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Array = Any
"""A tensor, or an array of numpy's."""

SMALLEST_UNIT = 1e-290
"""Values are divided by the largest magnitude, but not by less: no square overflows."""


def run_costs(values: Tensor, counts: Tensor) -> Tensor:
    """The cost of every run of sorted values.

    Args:
        values: (M,) float64 in rising order.
        counts: (M,) float64, how often each value counts.

    Returns:
        (M, M) float64: at [i, t] the sum of squared distances of values ``i .. t`` to their mean,
        in units of the squared largest magnitude; infinite where the run is empty, or would begin
        between equal values.
    """
    scale = values.abs().max().clamp(min=SMALLEST_UNIT).reciprocal()
    distance = ((values - values[:, None]) * scale).triu_()
    total = (counts.cumsum(0) - counts.cumsum(0)[:, None] + counts[:, None]).clamp_(min=1)
    costs = spread(distance, distance * counts, total).clamp_(min=0)
    position = torch.arange(len(values), device=values.device)
    forbidden = position < position[:, None]
    forbidden[1:] |= (values[1:] == values[:-1])[:, None]
    return costs.masked_fill_(forbidden, torch.inf)


def spread(distance: Array, weighted: Array, total: Array) -> Array:
    """The sums of squared distances to the mean, from those to each run's own first value.

    Anchored there, the sums lose no more than the run's own spread.

    Args:
        distance: (M, M) at [i, t] how far value t lies from value i; 0 below the diagonal.
        weighted: (M, M) the same, times how often value t counts.
        total: (M, M) how many values a run has, at least 1.
    """
    first, second = weighted.cumsum(1), (weighted * distance).cumsum(1)
    first *= first
    first /= total
    second -= first
    return second


def best_begins(costs: Array, num_groups: int, position: Array) -> list[tuple[Array, Array]]:
    """Solve the rows of the dynamic programme for 2 .. ``num_groups`` groups.

    Args:
        costs: (M, M) as :func:`run_costs` gives them.
        num_groups: at most M.
        position: (M,) the numbers 0 .. M - 1.

    Returns:
        For each number of groups from 1, by where the last group ends: the last value before it
        (M,), the earliest of equally good ones, and the least cost (M,). A single group has none.
    """
    rows = [(position, costs[0])]
    for _ in range(num_groups - 1):
        # The last run begins at i: the best partition of what is before it, and its own cost.
        total = costs[1:] + rows[-1][1][:-1, None]
        before = total.argmin(0)
        rows.append((before, total[before, position]))
    return rows
