"""The columns of a table: the metrics of its tasks, then what judges a method as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan

from go4align_plugins.benchmarks.table import Metric
from go4align_plugins.leaderboard.report.scores import DELTA_M, IMPROVEMENT, Scoring
from go4align_plugins.leaderboard.report.table import (
    ARROWS,
    MAX_METRICS,
    Column,
    Key,
    Row,
    printed_unit,
)
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK
from go4align_plugins.measures.scores import mean_rank

EQUAL_WEIGHTING = 'EW'
MEAN_RANK, SECONDS, TIME = (('', name) for name in ('MR', 'seconds', 'relative_time'))
DIFFERENCE = ('', f'delta_m_vs_{EQUAL_WEIGHTING}')
SUMMARY = (
    Column(MEAN_RANK, 'MR ↓', '', False),
    Column(DELTA_M, 'delta_m ↓', '%', False),
    Column(DIFFERENCE, f'delta_m - {EQUAL_WEIGHTING}', '%', None),
    Column(IMPROVEMENT, 'improvement ↑', '%', True, 100.0),
    Column(TIME, 'time', f'× {EQUAL_WEIGHTING}', None),  # noqa: RUF001
)


def tabulate(rows: Sequence[Row], scoring: Scoring) -> tuple[Column, ...]:
    """Adds to rows what needs all of them, and says which columns they have.

    Args:
        rows: with their figures and scores; means over the tasks and the mean rank among the
            multi-task methods are added.
        scoring: of their tasks.
    """
    metrics = scoring.metrics
    rivals = [row for row in rows if row.method != SINGLE_TASK]
    table = [[row.means.get(key, nan) for key in metrics] for row in rivals]
    directions = [metric.higher_is_better for metric in metrics.values()]
    for row, rank in zip(rivals, mean_rank(table, directions)):
        if all(key in row.means for key in metrics):
            row.means[MEAN_RANK] = float(rank)
    for row in rows:
        row.means.update(scoring.averages(row.means))
    columns = [_column(key, metric, rows) for key, metric in metrics.items()]
    scores = [column for column in SUMMARY if any(column.key in row.means for row in rows)]
    if len(metrics) <= MAX_METRICS:
        return (*columns, *scores)
    averages = [
        _column(key, _average(metrics, name), rows)
        for name in dict.fromkeys(name for _, name in metrics)
        for key in [('', f'mean {name}')]
        if any(key in row.means for row in rows)
    ]
    return (*averages, *scores, *columns)  # behind 40 metrics nobody would find the scores


def _average(metrics: Mapping[Key, Metric], name: str) -> Metric:
    """The metric that is the mean over the tasks of those of a name."""
    alike = [metric for metric in metrics.values() if metric.name == name]
    units = {metric.unit for metric in alike}
    unit = units.pop() if len(units) == 1 else 'mixed units'
    return replace(alike[0], name=f'mean {name}', unit=unit)


def _column(key: Key, metric: Metric, rows: Sequence[Row]) -> Column:
    """Prints as the papers do: percent and angles to two digits, small errors to four."""
    title = f'{metric.name} {ARROWS[metric.higher_is_better]}'
    factor, unit = printed_unit(metric)
    small = all(abs(row.means.get(key, 0.0)) < 10 for row in rows)
    digits = 4 if small and unit not in ('%', '°') else 2
    return Column(key, title, unit, metric.higher_is_better, factor, digits)
