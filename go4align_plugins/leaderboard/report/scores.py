"""Score methods: delta_m, LibMTL's improvement, mean rank, means over the tasks, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from statistics import fmean

import numpy as np

from go4align_plugins.leaderboard.report.table import (
    ARROWS,
    MAX_METRICS,
    Column,
    Key,
    Row,
    printed_unit,
)
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.measures.scores import delta_m, libmtl_improvement, mean_rank
from go4align_plugins.tasks import Metric, Task
from go4align_plugins.utils.optional import import_optional

DELTA_M, IMPROVEMENT = ('', 'delta_m'), ('', 'improvement')
MEAN_RANK, SECONDS, TIME = (('', name) for name in ('MR', 'seconds', 'relative_time'))
DIFFERENCE = ('', f'delta_m_vs_{EQUAL_WEIGHTING}')
SUMMARY = (
    Column(MEAN_RANK, 'MR ↓', '', False),
    Column(DELTA_M, 'delta_m ↓', '%', False),
    Column(DIFFERENCE, f'delta_m - {EQUAL_WEIGHTING}', '%', None),
    Column(IMPROVEMENT, 'improvement ↑', '%', True, 100.0),
    Column(TIME, 'time', f'× {EQUAL_WEIGHTING}', None),  # noqa: RUF001
)
BOTH = (
    "delta_m is the papers' mean relative loss against STL (each task trained alone) over all "
    "metrics: lower is better. improvement is LibMTL's mean relative gain over STL, averaged over "
    'the tasks: higher is better. The two are not comparable.'
)


@dataclass(frozen=True)
class Scoring:
    """The tasks of one table, and the figures of their single-task runs."""

    tasks: Sequence[Task]
    baseline: Mapping[Key, float]

    @property
    def metrics(self) -> dict[Key, Metric]:
        """Every metric of every task."""
        return {(task.name, metric.name): metric for task in self.tasks for metric in task.metrics}

    @property
    def averaged(self) -> list[str]:
        """The names of metrics whose means over the tasks are shown: where there are many."""
        many = len(self.metrics) > MAX_METRICS
        return list(dict.fromkeys(name for _, name in self.metrics)) if many else []

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be scored against the baseline; None if all can."""
        absent = dict.fromkeys(key[0] for key in self.metrics if key not in self.baseline)
        if absent:
            return f'delta_m is left out: no single-task run of {_listed(list(absent))}.'
        zeros = [' '.join(key) for key in self.metrics if self.baseline[key] == 0]
        if zeros:
            return f'delta_m is left out: {_listed(zeros)} of {SINGLE_TASK} is 0.'
        return None

    def scores(self, figures: Mapping[Key, float]) -> dict[Key, float]:
        """Return delta_m in percent and LibMTL's improvement as a share; none without a baseline.

        Both are linear in the figures: their mean over seeds is the papers' score of the means.
        A method that lacks a metric has no score.
        """
        if self.obstacle or any(key not in figures for key in self.metrics):
            return {}
        directions = [metric.higher_is_better for metric in self.metrics.values()]
        values, baselines = (
            [source[key] for key in self.metrics] for source in (figures, self.baseline)
        )
        improvement = self.improvement(figures, self.tasks)
        return {DELTA_M: delta_m(values, baselines, directions), IMPROVEMENT: improvement}

    def improvement(self, figures: Mapping[Key, float], tasks: Sequence[Task]) -> float:
        """Return LibMTL's improvement over the baseline in some of the tasks, as a share."""
        values, baselines = (
            {task.name: [source[task.name, m.name] for m in task.metrics] for task in tasks}
            for source in (figures, self.baseline)
        )
        directions = {task.name: [m.higher_is_better for m in task.metrics] for task in tasks}
        return libmtl_improvement(values, baselines, directions)

    def averages(self, figures: Mapping[Key, float]) -> dict[Key, float]:
        """Average the metrics of one name over the tasks, where there are many metrics.

        A method that lacks one of them has no mean.
        """
        means = {}
        for name in self.averaged:
            keys = [key for key in self.metrics if key[1] == name]
            if all(key in figures for key in keys):
                means['', f'mean {name}'] = fmean(figures[key] for key in keys)
        return means

    def tabulate(self, rows: Sequence[Row]) -> tuple[Column, ...]:
        """Add mean ranks and means over the tasks to rows; return the columns of their table."""
        metrics = self.metrics
        rivals = [row for row in rows if row.method != SINGLE_TASK]
        table = [[row.means.get(key, nan) for key in metrics] for row in rivals]
        directions = [metric.higher_is_better for metric in metrics.values()]
        for row, rank in zip(rivals, mean_rank(table, directions)):
            if all(key in row.means for key in metrics):
                row.means[MEAN_RANK] = float(rank)
        for row in rows:
            row.means.update(self.averages(row.means))
        columns = [_column(key, metric, rows) for key, metric in metrics.items()]
        scores = [column for column in SUMMARY if any(column.key in row.means for row in rows)]
        averages = []
        for name in self.averaged:
            alike = [metric for metric in metrics.values() if metric.name == name]
            units = {metric.unit for metric in alike}
            unit = units.pop() if len(units) == 1 else 'mixed units'
            mean = replace(alike[0], name=f'mean {name}', unit=unit)
            if any(('', mean.name) in row.means for row in rows):
                averages.append(_column(('', mean.name), mean, rows))
        if self.averaged:  # behind 40 metrics nobody would find the scores
            return (*averages, *scores, *columns)
        return (*columns, *scores)


def bootstrap_interval(differences: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean of paired differences, the same every time.

    With two or three differences it goes from the smallest to the largest: a single one of the n^n
    resamples has more than 2.5 % of the weight.
    Both ends are NaN if a difference is not finite.

    Raises:
        ValueError: if there are fewer than two.
        ImportError: if scipy is absent.
    """
    if len(differences) < 2:
        raise ValueError(
            f'Parameter `differences` should hold at least 2. Found {len(differences)}.'
        )
    if not np.isfinite(differences).all():
        return nan, nan
    stats = import_optional('scipy.stats', user='Intervals')
    seed = np.random.default_rng(0)
    drawn = stats.bootstrap((differences,), np.mean, method='percentile', random_state=seed)
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def _column(key: Key, metric: Metric, rows: Sequence[Row]) -> Column:
    """Print as the papers do: percent and angles to two digits, small errors to four."""
    title = f'{metric.name} {ARROWS[metric.higher_is_better]}'
    factor, unit = printed_unit(metric)
    small = all(abs(row.means.get(key, 0.0)) < 10 for row in rows)
    digits = 4 if small and unit not in ('%', '°') else 2
    return Column(key, title, unit, metric.higher_is_better, factor, digits)


def _listed(names: Sequence[str]) -> str:
    """List a few names; of 40 tasks, nobody reads more."""
    if len(names) <= MAX_METRICS:
        return ', '.join(names)
    return f'{", ".join(names[:3])} and {len(names) - 3} more'
