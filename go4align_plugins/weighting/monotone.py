"""K-means on a line for thousands of values: M log M run costs in place of M squared.

The best begin of the last run never moves left as the end moves right, so the columns of
:math:`D_k` are solved level by level, as a binary tree: the middle column first, then the middles
of both halves, each within the begins found on its two sides. One level is one batch of tensor
operations, on about as many runs as there are columns; and columns are those alone where a run of
an optimal partition can end.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from go4align_plugins.weighting.bounds import bound_begins
from go4align_plugins.weighting.run_costs import RunCosts


def solve_monotone(values: Tensor, counts: Tensor, num_groups: int) -> Tensor:
    """The groups of distinct values in rising order, on the CPU.

    Args:
        values: (M,) float64, distinct, rising.
        counts: (M,) float64, how often each value counts.
        num_groups: the number of groups.

    Returns:
        (M,) int64: the group of each value, numbered from 0.
    """
    size = len(values)
    num_groups = min(num_groups, size)
    labels = torch.zeros(size, dtype=torch.int64)
    if num_groups == 1:
        return labels
    if num_groups == size:
        return torch.arange(size)
    costs = RunCosts(values, counts)
    bounds = bound_begins(costs, values, num_groups)
    # What is before each possible begin of the second run is the first.
    end = torch.arange(bounds[0][0] - 1, bounds[0][1])
    best = costs(torch.zeros_like(end), end)
    rows = []
    for (low, high), (next_low, next_high) in zip(bounds, bounds[1:]):
        best, begins = _next_row(best, low, high, next_low - 1, next_high - 1, costs)
        rows.append((next_low, begins))
    begin = torch.arange(bounds[-1][0], bounds[-1][1] + 1)
    start = int(begin[(best + costs(begin, torch.full_like(begin, size - 1))).argmin()])
    labels[start:] += 1
    for low, begins in reversed(rows):
        start = int(begins[start - low])
        labels[start:] += 1
    return labels


def _next_row(
    best: Tensor,
    low: int,
    high: int,
    first: int,
    last: int,
    costs: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """From the least costs of some groups to those of one more, and where the last one begins.

    Args:
        best: (high - low + 1,) the least cost of what is before each begin ``low .. high``.
        low: the first begin of the last run.
        high: the last one, at most ``last``.
        first: the first end of the last run, at least ``low``.
        last: the last one.
        costs: of runs, by their begins and ends.

    Returns:
        For each end ``first .. last`` the least cost and the begin, the earliest of equal ones.
    """
    num_ends = last - first + 1
    step = 1 << (num_ends.bit_length() - 1)
    row = torch.full((num_ends,), torch.inf, dtype=torch.float64)
    # Entry n + 1 is that of column n; beyond the columns there is a bound on either side.
    begins = torch.full((2 * step + 1,), high)
    begins[0] = low
    while step:
        # The columns of this level, and what has been found half a step to their left and right.
        level = slice(step, num_ends + 1, 2 * step)
        end = torch.arange(first + step - 1, last + 1, 2 * step)
        lowest = begins[0 :: 2 * step][: len(end)]
        highest = torch.minimum(begins[2 * step :: 2 * step][: len(end)], end)
        lengths = highest - lowest + 1
        stops = lengths.cumsum(0)
        owner = torch.repeat_interleave(lengths, output_size=int(stops[-1]))
        begin = (lowest - stops + lengths).index_select(0, owner).add_(torch.arange(len(owner)))
        total = costs(begin, end.index_select(0, owner)).add_(best.index_select(0, begin - low))
        least = row[step - 1 :: 2 * step].scatter_reduce(0, owner, total, 'amin')
        row[step - 1 :: 2 * step] = least
        # The earliest of the begins that reach it.
        hits = (total == least.index_select(0, owner)).nonzero().squeeze(1)
        owner, begin = owner.index_select(0, hits), begin.index_select(0, hits)
        begins[level] = begins[level].fill_(high).scatter_reduce(0, owner, begin, 'amin')
        step >>= 1
    return row, begins[1 : num_ends + 1]
