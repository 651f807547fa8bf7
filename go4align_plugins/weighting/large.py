"""Exact K-means on a line for thousands of values: M log M costs of runs in place of M squared.

The recurrence of ``kmeans.py`` by divide and conquer: the best begin of the last run never moves
left as its end moves right. So a row is solved level by level, each in one batch of operations: the
middle end first, then the middles of both halves, within the begins found on their two sides.
"""

from __future__ import annotations

import torch
from torch import Tensor

from go4align_plugins.weighting.arrays import Array, numpy


def group_large(values: Array, counts: Array, num_groups: int) -> Array:
    """Solve the recurrence for rising values (M,), each of which counts 0 times or once."""
    host, ones = (torch.as_tensor(array).cpu().numpy() for array in (values, counts))
    firsts = numpy.diff(host, prepend=-numpy.inf).nonzero()[0]  # of equal values
    end = groups = numpy.arange(len(firsts))
    if num_groups < len(firsts):
        costs = RunCosts(host[firsts], numpy.add.reduceat(ones, firsts))
        best, rows = costs(end * 0, end), []
        for first in range(1, num_groups - 1):
            best, begins = _add_run(best, first, costs)
            rows.append(begins)
        # The last run ends at the last value alone.
        begin = end[num_groups - 1 :]
        start = begin[(best[begin - 1] + costs(begin, end[-1:])).argmin()]
        groups = (end >= start).astype(int)
        for begins in reversed(rows):
            start = begins[start - 1]
            groups += end >= start
    groups = groups.repeat(numpy.diff(firsts, append=len(host)))
    return torch.as_tensor(groups, device=values.device) if isinstance(values, Tensor) else groups


def _add_run(best: Array, first: int, costs: RunCosts) -> tuple[Array, Array]:
    """Add a run to the best ``first`` runs up to each end, which cost ``best`` (M,).

    Returns:
        (M,) the least costs, infinite for too few values; and (M,) the earliest begins of the run.
    """
    size = len(best)
    least, begins = numpy.full(size, numpy.inf), numpy.zeros(size, int)
    step = 1 << ((size - first).bit_length() - 1)
    # Entry n + 1 is the begin of the n-th end; beyond the ends there is a bound on either side.
    found = numpy.full(2 * step + 1, size - 1)
    found[0] = first
    while step:
        # The ends of this level, and the begins found half a step to their left and right.
        end = numpy.arange(first + step - 1, size, 2 * step)
        lowest = found[0 :: 2 * step][: len(end)]
        highest = numpy.minimum(found[2 * step :: 2 * step][: len(end)], end)
        # All candidates of all ends in one row.
        lengths = highest - lowest + 1
        starts = lengths.cumsum() - lengths
        begin = (lowest - starts).repeat(lengths)
        begin += numpy.arange(len(begin))
        totals = costs(begin, end.repeat(lengths))
        totals += best.take(begin - 1)
        least[end] = smallest = numpy.minimum.reduceat(totals, starts)
        hits = (totals == smallest.repeat(lengths)).nonzero()[0]
        begins[end] = begin.take(hits[hits.searchsorted(starts)])
        found[step : size - first + 1 : 2 * step] = begins[end]
        step >>= 1
    return least, begins


class RunCosts:
    """The cost of any run of rising values at once, exact to rounding, by a disjoint sparse table.

    For each power of two it has the count, mean and cost of every run that ends just before, or
    begins at, the middle of a block of that size. The middle of one of these blocks splits any
    run; Chan's formula joins the halves, by a sum of positive terms.
    """

    def __init__(self, values: Array, counts: Array) -> None:
        size = 1 << max(1, (len(values) - 1).bit_length())
        padding = (0, size - len(values))
        values, counts = numpy.pad(values, padding, 'edge'), numpy.pad(counts, padding)
        levels = [_level(values, counts, 1 << level) for level in range(size.bit_length() - 1)]
        self._count, self._mean, self._cost = numpy.concatenate(levels, 1)
        exponents = numpy.frexp(numpy.arange(size, dtype=float))[1]
        self._offset = (exponents.astype(int) - 1).clip(min=0) * size

    def __call__(self, begin: Array, end: Array) -> Array:
        """The costs of the runs ``begin .. end`` (inclusive)."""
        # The highest bit in which both ends differ tells the block that the run is split by.
        offset = self._offset.take(begin ^ end)
        left, right = offset + begin, offset + end
        before, behind = self._count.take(left), self._count.take(right)
        gap = self._mean.take(right) - self._mean.take(left)
        between = gap * gap * (before * behind / (before + behind))
        # A single value is its own left and right half at the lowest level: 0, as it should be.
        return between + self._cost.take(left) + self._cost.take(right)


def _level(values: Array, counts: Array, half: int) -> Array:
    """Fill a level (3, size): count, mean from the middle and cost, in blocks of 2 ``half``."""
    blocks = (array.reshape(-1, 2, half) for array in (values, counts))
    # [side, block, distance from the middle]
    outer, count = (numpy.stack([block[:, 0, ::-1], block[:, 1]]) for block in blocks)
    # Anchored at the run's own innermost value: nothing is lost to the gap between the halves.
    distance = outer - outer[..., :1]
    weighted = distance * count
    total, first = count.cumsum(2), weighted.cumsum(2)
    mean = first / total.clip(min=1)
    cost = ((weighted * distance).cumsum(2) - first * mean).clip(min=0)
    mean += outer[..., :1] - outer[1, :, :1]
    table = numpy.stack([total, mean, cost])
    table[:, 0] = table[:, 0, :, ::-1].copy()
    return table.swapaxes(1, 2).reshape(3, -1)
