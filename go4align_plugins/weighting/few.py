"""A step of a few tasks on plain numbers: the one fast path, for the CPU.

The equations of ``indicators.py`` and the recurrence of ``kmeans.py``, by the same operations on
the same float64 numbers. An operation on arrays takes longer than all of this arithmetic, above all
in a training, where the caches are cold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from go4align_plugins.weighting.arrays import is_followed, numpy
from go4align_plugins.weighting.checks import is_distributed
from go4align_plugins.weighting.indicators import RiskGuidedIndicator, align_smoothly, balance_scale
from go4align_plugins.weighting.kmeans import group_sorted, in_units, kmeans_1d

FEW, FEW_VALUES = 64, 20
"""The largest number of tasks, and of values to group, for which plain numbers are faster."""


def as_numbers(
    losses: Tensor, indicator: Any, grouping: Any, num_groups: int
) -> list[float] | None:
    """The losses as plain numbers, where these do all that a step would and none can saturate."""
    if (
        len(losses) > FEW
        or type(indicator) is not RiskGuidedIndicator
        or not (grouping is kmeans_1d or num_groups == len(losses))
        or not (losses.is_cpu and numpy)
        or indicator._forward_hooks
        or is_followed()
        or is_distributed()
    ):
        return None
    numbers = losses.tolist()
    return numbers if all(1e-70 < loss < 1e70 or loss == 0 for loss in numbers) else None


def weigh_few(
    losses: Sequence[float], indicator: RiskGuidedIndicator, num_groups: int, micro_batches: int = 1
) -> tuple[list[float], list[int]]:
    """Take one step: from the losses of M tasks to the weight and the group of each."""
    tasks = [task for task, loss in enumerate(losses) if loss]
    gamma = dict.fromkeys(tasks, 1.0)
    if indicator.smooth_alignment:
        rate, history = indicator.step_size / micro_batches, indicator.accumulated_risk.numpy()
        risks = [risk + rate * loss for risk, loss in zip(history.tolist(), losses)]
        if indicator.training:
            history[:] = risks
        least = min([risks[task] for task in tasks], default=0.0)
        gamma = {task: align_smoothly(risks[task], least, math.exp) for task in tasks}
        total = sum(gamma.values())
        gamma = {task: alignment / total for task, alignment in gamma.items()}
    if indicator.scale_balance:
        total = sum(losses) / (len(tasks) if indicator.risk_scale == 'mean' and tasks else 1)
        gamma = {task: balance_scale(losses[task], total * gamma[task]) for task in tasks}
    tasks.sort(key=gamma.__getitem__)
    ordered = [gamma[task] for task in tasks]
    starts = begin_runs(ordered, num_groups)
    weights, groups = [0.0] * len(losses), [-1] * len(losses)
    for group, (start, end) in enumerate(zip(starts, [*starts[1:], len(tasks)])):
        run = ordered[start:end]
        weight = run[0] if run[0] == run[-1] else sum(run) / len(run)
        for task in tasks[start:end]:
            weights[task], groups[task] = weight, group
    return weights, groups


def begin_runs(ordered: Sequence[float], num_groups: int) -> list[int]:
    """Group rising values: where the ``min(K, distinct values)`` runs begin."""
    begins = [i for i, value in enumerate(ordered) if not i or value > ordered[i - 1]]
    if len(begins) <= num_groups or num_groups == 1:
        return begins[:num_groups]
    if len(ordered) > FEW_VALUES:
        values = numpy.array(ordered)
        groups = group_sorted(in_units(values), numpy.ones_like(values), num_groups)
        return [0, *(numpy.diff(groups).nonzero()[0] + 1).tolist()]
    runs = [(begin, _costs(ordered[begin:])) for begin in begins]
    (_, best), *later = runs
    rows = []
    for _ in range(num_groups - 2):
        row, firsts = [math.inf] * len(ordered), [0] * len(ordered)
        for begin, costs in later:
            before = best[begin - 1]
            for end, cost in enumerate(costs, begin):
                if before + cost < row[end]:
                    row[end], firsts[end] = before + cost, begin
        best = row
        rows.append(firsts)
    totals = [best[begin - 1] + costs[-1] for begin, costs in later]
    starts = [later[totals.index(min(totals))][0]]
    for firsts in reversed(rows):
        starts.append(firsts[starts[-1] - 1])
    return [0, *reversed(starts)]


def _costs(values: Sequence[float]) -> list[float]:
    """Costs of the runs that begin with the first value, by their length."""
    first, second, costs = 0.0, 0.0, []
    for count, value in enumerate(values, 1):
        distance = value - values[0]
        first += distance
        second += distance * distance
        costs.append(second - first * first / count)
    return costs
