r"""K-means on a line for a handful of values: numbers, where a tensor's every operation costs more.

The recurrence of :mod:`~go4align_plugins.weighting.kmeans`, by the same operations on the same
float64 numbers as in :mod:`~go4align_plugins.weighting.dense`, so with the same groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType

import torch

from go4align_plugins.weighting.dense import SMALLEST_UNIT, Array, best_begins, spread

arrays: ModuleType
try:
    import numpy as arrays
except ImportError:  # torch does without, only slower
    arrays = torch

FEW = 8
"""Beyond it arrays are faster than numbers."""


def begin_runs(ordered: Sequence[float], num_groups: int) -> list[int]:
    """Part sorted values into at most ``num_groups`` runs with the least sum of squared distances.

    Args:
        ordered: finite numbers in rising order.
        num_groups: the largest number of runs, 1 or more.

    Returns:
        Where each run begins, rising, 0 first: ``min(num_groups, distinct values)`` of them. Of
        several optimal partitions, the one whose last runs begin earliest, always.
    """
    possible = [i for i in range(1, len(ordered)) if ordered[i] != ordered[i - 1]]
    if len(possible) < num_groups:
        return [0, *possible]
    if num_groups == 1:
        return [0]
    scale = 1 / max(-ordered[0], ordered[-1], SMALLEST_UNIT)
    solve = _by_numbers if len(ordered) <= FEW else _by_arrays
    return solve(ordered, scale, possible, num_groups)


def _by_numbers(
    ordered: Sequence[float], scale: float, possible: Sequence[int], num_groups: int
) -> list[int]:
    size = len(ordered)
    best = _costs_from(0, ordered, scale)
    runs = [(begin, _costs_from(begin, ordered, scale)) for begin in possible]
    rows = []
    for _ in range(num_groups - 2):
        row, begins = [math.inf] * size, [0] * size
        for begin, costs in runs:
            before = best[begin - 1]
            for end, cost in enumerate(costs, begin):
                if before + cost < row[end]:
                    row[end], begins[end] = before + cost, begin
        best = row
        rows.append(begins)
    _, start = min((best[begin - 1] + costs[-1], begin) for begin, costs in runs)
    return _walk_back(start, rows)


def _costs_from(begin: int, ordered: Sequence[float], scale: float) -> list[float]:
    """The costs of the runs that begin here, in units of the squared largest magnitude."""
    anchor = ordered[begin]
    first = second = 0.0
    costs = [0.0]
    for count, value in enumerate(ordered[begin + 1 :], 2):
        distance = (value - anchor) * scale
        first += distance
        second += distance * distance
        costs.append(max(second - first * first / count, 0.0))
    return costs


def _by_arrays(
    ordered: Sequence[float], scale: float, possible: Sequence[int], num_groups: int
) -> list[int]:
    position, upper, total, least = _triangle(len(ordered))
    values = arrays.asarray(ordered, dtype=arrays.float64)
    distance = values - values[:, None]
    distance *= scale
    distance *= upper
    costs = arrays.maximum(spread(distance, distance, total), least)
    if len(possible) < len(ordered) - 1:
        # Equal values are never parted.
        costs[sorted({*range(1, len(ordered))}.difference(possible))] = math.inf
    rows = best_begins(costs, num_groups - 1, position)
    start = int((costs[1:, -1] + rows[-1][1][:-1]).argmin()) + 1
    return _walk_back(start, [(before + 1).tolist() for before, _ in rows[1:]])


@lru_cache(maxsize=16)
def _triangle(size: int) -> tuple[Array, Array, Array, Array]:
    """Positions; by run [i, t] whether it has a value, how many (at least 1), its least cost."""
    position = arrays.arange(size)
    length = position - position[:, None] + 1
    upper = arrays.where(length > 0, 1.0, 0.0)
    least = arrays.where(length > 0, 0.0, math.inf)
    return position, upper, arrays.where(length > 1, length, 1), least


def _walk_back(start: int, rows: Sequence[Sequence[int]]) -> list[int]:
    """The begins of all runs, from that of the last one and, by row and end, of the one before."""
    starts = [start]
    for begins in reversed(rows):
        starts.append(begins[starts[-1] - 1])
    return [0, *reversed(starts)]
