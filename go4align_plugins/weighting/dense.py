r"""K-means on a line for up to some hundred values: the costs of all runs at once.

:math:`D_k(t) = \min_i D_{k-1}(i - 1) + c(i, t)` is then one addition and one minimum of matrices a
row. An array is a tensor or one of numpy's here: few values are solved faster by numpy.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_UNIT = 1e-290
"""Values are taken in units of the power of two above the largest magnitude, which rounds nothing,
but not of less than this one's: no square overflows."""


def in_units(values: Tensor) -> Tensor:
    """The values (M,) in units of which no square overflows."""
    largest = values.abs().max().clamp(min=SMALLEST_UNIT)
    return values * (torch.frexp(largest).mantissa / largest)


def run_costs(values: Tensor, counts: Tensor) -> Tensor:
    """The cost of every run of sorted values.

    Args:
        values: (M,) float64 in rising order.
        counts: (M,) float64, how often each value counts.

    Returns:
        (M, M) float64: at [t, i] the sum of squared distances of values ``i .. t`` to their mean,
        in squared units; infinite where the run is empty, or would begin
        between equal values.
    """
    scaled = in_units(values)
    # Anchored at each run's own first value, the sums lose no more than the run's own spread. One
    # distance is then 0, so the cost of n values is an n-th of the second sum or more: not below 0.
    distance = (scaled[:, None] - scaled).tril_()
    weighted = distance * counts[:, None]
    sums = torch.stack([weighted, weighted * distance]).cumsum(1)
    total = (counts.cumsum(0)[:, None] - counts.cumsum(0) + counts).clamp_(min=1)
    costs = sums[1] - sums[0].square().mul_(total.reciprocal_())
    position = torch.arange(len(values), device=values.device)
    forbidden = position[:, None] < position
    forbidden[:, 1:] |= values[1:] == values[:-1]
    return costs.masked_fill_(forbidden, torch.inf)


def best_begins(costs: Tensor, num_groups: int, position: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Solve the rows of the dynamic programme for 2 .. ``num_groups`` groups.

    Args:
        costs: (M, M) as :func:`run_costs` gives them.
        num_groups: at most M.
        position: (M,) the numbers 0 .. M - 1.

    Returns:
        For each number of groups from 1, by where the last group ends: the last value before it
        (M,), the earliest of equally good ones, and the least cost (M,). A single group has none.
    """
    rows = [(position, costs[:, 0])]
    later = costs[:, 1:]
    for _ in range(num_groups - 1):
        # The last run begins at i: the best partition of what is before it, and its own cost.
        total = later + rows[-1][1][:-1]
        before = total.argmin(1)
        rows.append((before, total[position, before]))
    return rows
