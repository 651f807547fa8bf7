r"""Groups and weights on numpy's arrays: for tens of tasks they cost less than numbers or tensors.

The recurrence of :mod:`~go4align_plugins.weighting.kmeans`, by the same operations on the same
float64 numbers as in :mod:`~go4align_plugins.weighting.dense`, so with the same groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from go4align_plugins.weighting.cut import growing_costs
from go4align_plugins.weighting.few import unit_of, walk_back
from go4align_plugins.weighting.host import LARGEST, mean
from go4align_plugins.weighting.small import Array, arrays


def weigh(
    indicator: Sequence[float] | Array,
    losses: Sequence[float],
    num_groups: int,
    groups: Tensor,
    dtype: torch.dtype,
) -> Tensor:
    """Eq. 2 to 4, as :func:`go4align_plugins.weighting.host.weigh`, for M tasks.

    Args:
        indicator: of the tasks, finite.
        losses: of the tasks; 0 marks one that is absent.
        num_groups: K; no more than the distinct values are used.
        groups: (M,) int64 on the CPU, where each task's group is written.
        dtype: of the weights; beyond its range they are its largest finite value.

    Returns:
        (M,), on the CPU: the weight of each task.
    """
    indicator = arrays.asarray(indicator)
    order = indicator.argsort()
    ordered = indicator[order]
    into = groups.numpy()
    # A task that is absent is of the least indicator, but not it alone.
    if ordered.item(0) == 0.0 and 0.0 in losses:
        into[:] = -1
        present = arrays.array(losses)[order] > 0
        order, ordered = order[present], ordered[present]
        if not len(order):
            return torch.zeros(len(losses), dtype=dtype)
    begins = begin_runs(ordered, num_groups)
    ends = [*begins[1:], len(order)]
    numbers = ordered.tolist()
    means = [mean(numbers[begin:end]) for begin, end in zip(begins, ends)]
    if means[-1] > LARGEST[dtype]:
        means = [min(weight, LARGEST[dtype]) for weight in means]
    sizes = [end - begin for begin, end in zip(begins, ends)]
    into[order] = arrays.arange(len(begins)).repeat(sizes)
    # What an absent task's -1 finds is the last one.
    means.append(0.0)
    if dtype is torch.float32:
        return torch.from_numpy(arrays.array(means, arrays.float32)[into])
    return torch.from_numpy(arrays.array(means)[into]).to(dtype)


def begin_runs(ordered: Array, num_groups: int) -> list[int]:
    """Part sorted values (M,), as :func:`go4align_plugins.weighting.few.begin_runs` does."""
    size = len(ordered)
    # Equal values are never parted.
    possible = ordered[1:] > ordered[:-1]
    num_possible = arrays.count_nonzero(possible)
    if num_possible < num_groups:
        return [0, *(possible.nonzero()[0] + 1).tolist()]
    if num_groups == 1:
        return [0]
    values = ordered * unit_of(ordered.item(0), ordered.item(-1))
    if num_groups == 2:
        total = _cut_costs(values)
        if num_possible < size - 1:
            total[~possible] = math.inf
        return [0, int(total.argmin()) + 1]
    triangle = _triangle(size)
    costs, total = _run_costs(values, *triangle[1:])
    if num_possible < size - 1:
        costs[:, 1:][:, ~possible] = math.inf
    # Of what is before each begin the least cost; before the first there is nothing to part.
    best = arrays.empty(size + 1)
    earlier, later = best[:-1], best[1:]
    best[0], later[:] = math.inf, costs[:, 0]
    rows = []
    for _ in range(num_groups - 2):
        arrays.add(costs, earlier, total)
        begin = total.argmin(1)
        rows.append(begin)
        total.take(begin + triangle[0], None, later, 'clip')
    return walk_back(int((costs[-1] + earlier).argmin()), rows)


def _cut_costs(values: Array) -> Array:
    """The cost of each cut (M - 1,), as :func:`go4align_plugins.weighting.cut.cut`."""
    size = len(values)
    distance = arrays.empty((2, size))
    arrays.subtract(values, values[0], out=distance[0])
    arrays.subtract(values[-1], values[::-1], out=distance[1])
    costs = growing_costs(distance, distance, *_counts(size))
    return costs[0, :-1] + costs[1, -2::-1]


@lru_cache(maxsize=16)
def _counts(size: int) -> tuple[Array, Array]:
    """By value but the first, how many are before it, and how much its squared distance counts."""
    before = arrays.arange(1.0, size)
    return before, before / (before + 1)


def _run_costs(values: Array, inside: Array, share: Array, bar: Array) -> tuple[Array, Array]:
    """The cost of every run, (M, M), as :func:`go4align_plugins.weighting.dense.run_costs`.

    Beside the sorted values (M,) it takes what :func:`_triangle` gives, and returns as many numbers
    to write over, which are in the processor's cache.
    """
    size = len(values)
    sums = arrays.empty((2, size, size))
    distance, second = sums
    # The last of three is where the result goes.
    arrays.subtract(values[:, None], values, distance)
    arrays.multiply(distance, inside, distance)
    arrays.multiply(distance, distance, second)
    # torch adds up the rows in a third of numpy's time.
    torch.from_numpy(sums).cumsum_(1)
    arrays.multiply(distance, distance, distance)
    arrays.multiply(distance, share, distance)
    arrays.subtract(second, distance, second)
    return arrays.add(second, bar, distance), second


@lru_cache(maxsize=16)
def _triangle(size: int) -> tuple[Array, Array, Array, Array]:
    """Where each row begins; by run [t, i]: has it a value, a part of how many, 0 or infinity."""
    position = arrays.arange(size)
    length = position[:, None] - position + 1
    inside = arrays.where(length > 0, 1.0, 0.0)
    bar = arrays.where(length > 0, 0.0, math.inf)
    return position * size, inside, 1 / arrays.where(length > 1, length, 1.0), bar
