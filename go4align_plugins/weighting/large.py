"""Exact K-means on a line for thousands of values: M log M costs of runs in place of M squared.

The recurrence of :mod:`~go4align_plugins.weighting.kmeans` by divide and conquer: the best begin of
the last run never moves left as its end moves right. So a row is solved level by level: the middle
end first, then the middles of both halves, each within the begins found on its two sides. A level
is one batch of operations on numpy's arrays.
"""

from __future__ import annotations

from go4align_plugins.weighting.arrays import Array, numpy


def group_large(values: Array, counts: Array, num_groups: int) -> Array:
    """Group values (M,), distinct and rising, with their counts (M,), into 2 to M - 1 groups.

    Returns:
        (M,) int64: the group of each value, numbered from 0.
    """
    size = len(values)
    costs = RunCosts(values, counts)
    end = numpy.arange(size)
    best, rows = costs(end * 0, end), []
    for first in range(1, num_groups - 1):
        best, begins = _next_row(best, first, costs)
        rows.append(begins)
    begin = end[num_groups - 1 :]
    totals = best[begin - 1] + costs(begin, begin * 0 + (size - 1))
    start = begin[totals.argmin()]
    groups = (end >= start).astype(int)
    for begins in reversed(rows):
        start = begins[start - 1]
        groups += end >= start
    return groups


def _next_row(best: Array, first: int, costs: RunCosts) -> tuple[Array, Array]:
    """Add a run to partitions.

    Args:
        best: (M,) the least cost of the values up to each end in ``first`` runs.
        first: the earliest begin and end of the added run.
        costs: of runs, by their begins and ends.

    Returns:
        By end, (M,) the least cost with the added run, and (M,) its begin, the earliest of equally
        good ones; infinite and 0 before ``first``.
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
        smallest = numpy.minimum.reduceat(totals, starts)
        hits = (totals == smallest.repeat(lengths)).nonzero()[0]
        earliest = begin.take(hits[hits.searchsorted(starts)])
        least[end], begins[end] = smallest, earliest
        found[step : size - first + 1 : 2 * step] = earliest
        step >>= 1
    return least, begins


class RunCosts:
    """The cost of any run ``i .. t`` of sorted values at once, exact to rounding.

    A disjoint sparse table: for each power of two, the count, mean and cost of every run that ends
    just before, or begins at, the middle of a block of that size. Any run is split by the middle of
    one of these blocks; its halves are joined by Chan's formula, a sum of positive terms. The table
    has ``3 M log2 M`` numbers.
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
        """The costs of the runs ``begin .. end`` (inclusive), two arrays of one shape."""
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
    # [side, block, distance from the middle]
    outer, count = (_outwards(array.reshape(-1, 2, half)) for array in (values, counts))
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


def _outwards(blocks: Array) -> Array:
    """From [block, side, place] to [side, block, distance from the middle]."""
    return numpy.stack([blocks[:, 0, ::-1], blocks[:, 1]])
