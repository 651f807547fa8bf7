"""K-means on a line for thousands of values: M log M run costs in place of M squared.

The best begin of the last run never moves left as the end moves right, so the columns of
:math:`D_k` are solved level by level, as a binary tree: the middle column first, then the middles
of both halves, each within the begins found on its two sides. One level is one batch of tensor
operations, on about M runs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class RunCosts:
    """The cost of any run ``i .. t`` of sorted values at once, exact to rounding.

    A disjoint sparse table: for each power of two, the count, mean and cost of every run that ends
    just before, or begins at, the middle of a block of that size. Any run is split by the middle of
    one such block; its halves are joined by Chan's formula, a sum of positive terms. The table has
    ``3 M log2 M`` numbers.
    """

    def __init__(self, values: Tensor, counts: Tensor) -> None:
        self.size = 1 << max(1, (len(values) - 1).bit_length())
        padding = self.size - len(values)
        # In units of a power of two, which is exact, no square overflows.
        exponent = math.frexp(float(values.abs().max()))[1]
        values = values * 2.0 ** -max(exponent, -1000)
        values = torch.cat([values, values[-1:].expand(padding)])
        counts = torch.cat([counts, counts.new_zeros(padding)])
        num_levels = self.size.bit_length() - 1
        table = values.new_empty(3, num_levels, self.size)
        for level in range(num_levels):
            _fill_level(table[:, level], values, counts, 1 << level)
        self.total, self.mean, self.cost = table.view(3, -1)
        exponents = torch.frexp(torch.arange(self.size, dtype=torch.float64)).exponent
        self.level_offset = (exponents.long() - 1).clamp(min=0) * self.size

    def __call__(self, begin: Tensor, end: Tensor) -> Tensor:
        """The costs of the runs ``begin .. end`` (inclusive), two int64 tensors of one shape."""
        offset = self.level_offset.index_select(0, begin ^ end)
        left, right = offset + begin, offset.add_(end)
        left_total, right_total = (
            self.total.index_select(0, left),
            self.total.index_select(0, right),
        )
        joined = (left_total * right_total).div_(left_total.add_(right_total))
        gap = self.mean.index_select(0, right).sub_(self.mean.index_select(0, left))
        cost = gap.square_().mul_(joined).add_(self.cost.index_select(0, left))
        # A single value is its own left and right half at the lowest level: 0, as it should be.
        return cost.add_(self.cost.index_select(0, right))


def _fill_level(table: Tensor, values: Tensor, counts: Tensor, half: int) -> None:
    """Fill one level of the table: blocks of ``2 * half`` values, each run to the block's middle.

    Args:
        table: (3, size) to be filled: count, mean (measured from the middle value) and cost.
        values: (size,) in rising order, scaled.
        counts: (size,) how often each value counts.
        half: half the size of a block.
    """
    table = table.view(3, -1, 2, half)
    values, counts = values.view(-1, 2, half), counts.view(-1, 2, half)
    for side, outwards in ((0, (-1,)), (1, ())):
        # Anchored at the run's own innermost value: nothing is lost to the gap between the halves.
        distance = values[:, side].flip(outwards)
        anchor = distance[:, :1].clone()
        distance = distance - anchor
        count = counts[:, side].flip(outwards)
        total = count.cumsum(1)
        first = distance.mul(count).cumsum(1)
        second = distance.square_().mul_(count).cumsum(1)
        mean = first / total.clamp(min=1)
        cost = second.sub_(first.mul_(mean)).clamp_(min=0)
        mean += anchor - values[:, 1, :1]
        for row, entry in zip(table[:, :, side], (total, mean, cost)):
            row.copy_(entry.flip(outwards))


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
    position = torch.arange(size)
    best = costs(torch.zeros_like(position), position)
    begins = []
    for group in range(1, num_groups - 1):
        best, begin = _next_row(best, costs, group)
        begins.append(begin)
    last = position[num_groups - 1 :]
    start = int((best[last - 1] + costs(last, torch.full_like(last, size - 1))).argmin())
    start += num_groups - 1
    labels[start:] += 1
    for begin in reversed(begins):
        start = int(begin[start - 1])
        labels[start:] += 1
    return labels


def _next_row(best: Tensor, costs: RunCosts, group: int) -> tuple[Tensor, Tensor]:
    """From the costs of ``group`` groups to those of one more, and where the last one begins."""
    size = len(best)
    row = torch.full_like(best, torch.inf)
    # One sentinel on either side: the first and the last begin that are possible at all.
    begins = torch.full((size + 2,), group)
    begins[-1] = size - 1
    step = 1 << (size.bit_length() - 1)
    while step:
        columns = torch.arange(step - 1, size, 2 * step)
        columns = columns[columns >= group]
        step, reach = step >> 1, step
        if not len(columns):
            continue
        low = begins[(columns + 1 - reach).clamp(min=0)]
        high = torch.minimum(begins[(columns + 1 + reach).clamp(max=size + 1)], columns)
        lengths = high - low + 1
        owner = torch.repeat_interleave(torch.arange(len(columns)), lengths)
        first = lengths.cumsum(0) - lengths
        begin = torch.arange(len(owner)) - (first - low).index_select(0, owner)
        total = costs(begin, columns.index_select(0, owner))
        total += best.index_select(0, begin - 1)
        least = torch.full_like(row[columns], torch.inf).scatter_reduce_(0, owner, total, 'amin')
        chosen = torch.where(total == least.index_select(0, owner), begin, size)
        begins[columns + 1] = torch.full_like(columns, size).scatter_reduce_(
            0, owner, chosen, 'amin'
        )
        row[columns] = least
    return row, begins[1:-1]
