r"""K-means on a line for a handful of values: numbers, where a tensor's every operation costs more.

The recurrence of :mod:`~go4align_plugins.weighting.kmeans`, by the same operations on the same
float64 numbers as in :mod:`~go4align_plugins.weighting.dense`, so with the same groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from go4align_plugins.weighting.dense import SMALLEST_UNIT

FEW, FEW_TO_CUT = 16, 64
"""Up to so many values, and so many for one or two groups, numbers take less time than arrays
beside a model's training, which leaves nothing of numpy in the processor's caches. In a loop of
steps alone arrays are as fast from 11 values on, and from 32 on for two groups."""
SHARES = tuple(1 / count for count in range(2, FEW + 1))
"""One part of so many."""


def are_few(num_values: int, num_groups: int) -> bool:
    """Whether :func:`begin_runs` is for so many values."""
    return num_values <= FEW or (num_groups <= 2 and num_values <= FEW_TO_CUT)


def unit_of(least: float, largest: float) -> float:
    """What sorted values are multiplied by, a power of two, so that no square overflows."""
    magnitude = max(-least, largest, SMALLEST_UNIT)
    return math.frexp(magnitude)[0] / magnitude


def begin_runs(ordered: Sequence[float], num_groups: int) -> list[int]:
    """Part sorted values into at most ``num_groups`` runs with the least sum of squared distances.

    Args:
        ordered: finite numbers in rising order, as many as :func:`are_few` allows.
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
    unit = unit_of(ordered[0], ordered[-1])
    scaled = [value * unit for value in ordered]
    if len(ordered) == num_groups + 1:
        return _join_closest(scaled)
    if num_groups == 2:
        return [0, _cut(scaled, possible)]
    return _by_numbers(scaled, possible, num_groups)


def _join_closest(ordered: Sequence[float]) -> list[int]:
    """One group less than values: the two that lie closest share one."""
    gaps = [(gap := after - before) * gap for before, after in zip(ordered, ordered[1:])]
    begins = list(range(len(ordered)))
    # The last of equally close ones.
    del begins[len(gaps) - gaps[::-1].index(min(gaps))]
    return begins


def _cut(ordered: Sequence[float], possible: Sequence[int]) -> int:
    """Where the second of two groups begins, as :func:`go4align_plugins.weighting.cut.cut`."""
    before, after = _growing_costs(ordered), _growing_costs(ordered[::-1])
    totals = [before[begin - 1] + after[-begin] for begin in possible]
    return possible[totals.index(min(totals))]


def _growing_costs(values: Sequence[float]) -> list[float]:
    """The costs of the runs that begin with the first value, but that of all values."""
    anchor, total, cost = values[0], 0.0, 0.0
    costs = [0.0]
    for count, value in enumerate(values[1:-1], 1):
        distance = value - anchor
        gap = distance - total / count
        total += distance
        cost += gap * gap * (count / (count + 1))
        costs.append(cost)
    return costs


def _by_numbers(ordered: Sequence[float], possible: Sequence[int], num_groups: int) -> list[int]:
    size = len(ordered)
    best = _costs_from(ordered)
    runs = [(begin, _costs_from(ordered[begin:])) for begin in possible]
    rows = []
    for _ in range(num_groups - 2):
        row, begins = [math.inf] * size, [0] * size
        for begin, costs in runs:
            earlier = best[begin - 1]
            for end, cost in enumerate(costs, begin):
                if earlier + cost < row[end]:
                    row[end], begins[end] = earlier + cost, begin
        best = row
        rows.append(begins)
    least, start = math.inf, 0
    for begin, costs in runs:
        total = best[begin - 1] + costs[-1]
        if total < least:
            least, start = total, begin
    return walk_back(start, rows)


def _costs_from(ordered: Sequence[float]) -> list[float]:
    """The costs of the runs that begin with the first value, in squared units."""
    anchor, first, second = ordered[0], 0.0, 0.0
    costs = [0.0]
    for value, share in zip(ordered[1:], SHARES):
        distance = value - anchor
        first += distance
        second += distance * distance
        costs.append(second - first * first * share)
    return costs


def walk_back(start: int, rows: Sequence[Sequence[int]]) -> list[int]:
    """The begins of all runs, from that of the last one and, by row and end, that before it."""
    starts = [start]
    for begins in reversed(rows):
        starts.append(int(begins[starts[-1] - 1]))
    starts.append(0)
    return starts[::-1]
