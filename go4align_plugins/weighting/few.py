r"""K-means on a line for a handful of values: numbers, where a tensor's every operation costs more.

The recurrence of :mod:`~go4align_plugins.weighting.kmeans`, by the same operations on the same
float64 numbers as in :mod:`~go4align_plugins.weighting.dense`, so with the same groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from go4align_plugins.weighting.dense import SMALLEST_UNIT, best_begins, spread
from go4align_plugins.weighting.small import Array, accumulate, arrays

FEW = 10
"""Beyond it arrays are faster than numbers."""
SHARES = tuple(1 / count for count in range(2, FEW + 1))
"""One part of so many."""


def begin_runs(ordered: Sequence[float], num_groups: int) -> list[int]:
    """Part sorted values into at most ``num_groups`` runs with the least sum of squared distances.

    Args:
        ordered: finite numbers in rising order.
        num_groups: the largest number of runs, 1 or more.

    Returns:
        Where each run begins, rising, 0 first: ``min(num_groups, distinct values)`` of them. Of
        several optimal partitions, the one whose last runs begin earliest, always.
    """
    possible: Sequence[int] = range(1, len(ordered))
    if len(set(ordered)) < len(ordered):
        # Equal values are never parted.
        possible = [i for i in possible if ordered[i] != ordered[i - 1]]
    if len(possible) < num_groups:
        return [0, *possible]
    if num_groups == 1:
        return [0]
    largest = max(-ordered[0], ordered[-1], SMALLEST_UNIT)
    unit = math.frexp(largest)[0] / largest
    if len(ordered) > FEW:
        return _by_arrays(ordered, unit, possible, num_groups)
    scaled = [value * unit for value in ordered]
    if len(ordered) == num_groups + 1:
        return _join_closest(scaled)
    return _by_numbers(scaled, possible, num_groups)


def _join_closest(ordered: Sequence[float]) -> list[int]:
    """One group less than values: the two that lie closest share one."""
    gaps = [(gap := after - before) * gap for before, after in zip(ordered, ordered[1:])]
    begins = list(range(len(ordered)))
    # The last of equally close ones.
    del begins[len(gaps) - gaps[::-1].index(min(gaps))]
    return begins


def _by_numbers(ordered: Sequence[float], possible: Sequence[int], num_groups: int) -> list[int]:
    size = len(ordered)
    best = _costs_from(ordered)
    runs = [(begin, _costs_from(ordered[begin:])) for begin in possible]
    rows = []
    for _ in range(num_groups - 2):
        row, before = [math.inf] * size, [0] * size
        for begin, costs in runs:
            earlier = best[begin - 1]
            for end, cost in enumerate(costs, begin):
                if earlier + cost < row[end]:
                    row[end], before[end] = earlier + cost, begin - 1
        best = row
        rows.append(before)
    least, start = math.inf, 0
    for begin, costs in runs:
        total = best[begin - 1] + costs[-1]
        if total < least:
            least, start = total, begin
    return _walk_back(start, rows)


def _costs_from(ordered: Sequence[float]) -> list[float]:
    """The costs of the runs that begin with the first value, in squared units."""
    anchor, first, second = ordered[0], 0.0, 0.0
    costs = [0.0]
    for value, share in zip(ordered[1:], SHARES):
        distance = value - anchor
        first += distance
        second += distance * distance
        cost = second - first * first * share
        costs.append(cost if cost > 0.0 else 0.0)
    return costs


def _by_arrays(
    ordered: Sequence[float], unit: float, possible: Sequence[int], num_groups: int
) -> list[int]:
    size = len(ordered)
    position, lower, share, least = _triangle(size)
    values = arrays.asarray(ordered, dtype=arrays.float64)
    values *= unit
    sums = arrays.empty((2, size, size), dtype=arrays.float64)
    distance = sums[0]
    arrays.subtract(values[:, None], values, out=distance)
    distance *= lower
    arrays.multiply(distance, distance, out=sums[1])
    accumulate(sums, 1)
    costs = arrays.maximum(spread(sums, share), least, out=distance)
    if len(possible) < size - 1:
        costs[:, sorted({*range(1, size)}.difference(possible))] = math.inf
    rows = best_begins(costs, num_groups - 1, position)
    start = int((costs[-1, 1:] + rows[-1][1][:-1]).argmin()) + 1
    return _walk_back(start, [before for before, _ in rows[1:]])


@lru_cache(maxsize=16)
def _triangle(size: int) -> tuple[Array, Array, Array, Array]:
    """Positions; by run [t, i] whether it has a value, one part of how many, its least cost."""
    position = arrays.arange(size)
    length = position[:, None] - position + 1
    lower = arrays.where(length > 0, 1.0, 0.0)
    least = arrays.where(length > 0, 0.0, math.inf)
    return position, lower, 1 / arrays.where(length > 1, length, 1.0), least


def _walk_back(start: int, rows: Sequence[Sequence[int]]) -> list[int]:
    """The begins of all runs, from that of the last one and, by row and end, what is before it."""
    starts = [start]
    for before in reversed(rows):
        starts.append(int(before[starts[-1] - 1]) + 1)
    starts.append(0)
    return starts[::-1]
