"""The cost of any run of thousands of sorted values, from a table of M log M numbers."""

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
            # Whole blocks alone, up to the last value.
            used = -(-(self.size - padding) >> (level + 1)) << (level + 1)
            _fill_level(table[:, level, :used], values[:used], counts[:used], 1 << level)
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
    table = table.unflatten(1, (-1, 2, half))
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
