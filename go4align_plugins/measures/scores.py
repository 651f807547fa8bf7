"""The scores that compare methods over all metrics: delta_m, mean rank, LibMTL's improvement.

delta_m averages over metrics and falls with better results; LibMTL's improvement averages over
tasks and rises. They are not comparable: a report has to say which one it shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from go4align_plugins.utils.options import require


def delta_m(
    values: Sequence[float], baselines: Sequence[float], higher_is_better: Sequence[bool]
) -> float:
    """Mean relative loss against the baselines, in percent; lower is better.

    Args:
        values: a method's result in each metric.
        baselines: the single-task result in each metric, in the same units.
        higher_is_better: the direction of each metric.

    Returns:
        The mean over the metrics; NaN if any value or baseline is NaN.

    Raises:
        ValueError: if the lengths differ, there is no metric, or a baseline is 0.
    """
    _check_length('values', values, higher_is_better)
    _check_length('baselines', baselines, higher_is_better)
    require(0 not in baselines, 'baselines', 'have no 0', list(baselines))
    losses = [
        (base - value if higher else value - base) / base
        for value, base, higher in zip(values, baselines, higher_is_better)
    ]
    return 100 * (sum(losses) / len(losses))


def libmtl_improvement(
    values: Mapping[str, Sequence[float]],
    baselines: Mapping[str, Sequence[float]],
    higher_is_better: Mapping[str, Sequence[bool]],
) -> float:
    """LibMTL's mean improvement over the baselines, as a share; higher is better.

    Args:
        values: a method's results by task, one for each of the task's metrics.
        baselines: the results to compare with, in the same form.
        higher_is_better: the directions, in the same form.

    Returns:
        The mean over the tasks of the mean over each task's metrics.

    Raises:
        ValueError: as :func:`delta_m`, and if the tasks differ.
    """
    for name, results in (('values', values), ('baselines', baselines)):
        tasks = sorted(higher_is_better)
        require(sorted(results) == tasks, name, f'have the tasks {tasks}', results)
    gains = [
        -delta_m(values[task], baselines[task], higher) / 100
        for task, higher in higher_is_better.items()
    ]
    return sum(gains) / len(gains)


def mean_rank(table: Sequence[Sequence[float]], higher_is_better: Sequence[bool]) -> list[float]:
    """Mean rank (MR) of each method over the metrics; lower is better.

    Args:
        table: a row a method (without the single-task baseline, as in the papers), a column a
            metric.
        higher_is_better: the direction of each metric.

    Returns:
        The mean rank of each row, 1 being the best; equal values share the mean of their ranks.
        A row with a NaN has a mean rank of NaN and its NaN is worse than any number.

    Raises:
        ValueError: if a row has not one value a metric, or there is no metric.
    """
    for row, values in enumerate(table):
        _check_length(f'table[{row}]', values, higher_is_better)
    columns = [
        _ranks([-value if higher else value for value in column])
        for column, higher in zip(zip(*table), higher_is_better)
    ]
    return [sum(ranks) / len(ranks) for ranks in zip(*columns)]


def _ranks(costs: Sequence[float]) -> list[float]:
    return [
        math.nan
        if math.isnan(cost)
        else sum(other < cost for other in costs) + (costs.count(cost) + 1) / 2
        for cost in costs
    ]


def _check_length(name: str, values: Sequence[float], higher_is_better: Sequence[bool]) -> None:
    count = len(higher_is_better)
    rule = f'have one value for each metric, {count} and at least 1'
    require(0 < count == len(values), name, rule, list(values))
