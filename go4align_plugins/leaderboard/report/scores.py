"""Score methods: delta_m, LibMTL's improvement, mean rank, means over the tasks, intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isnan, nan
from statistics import fmean

import numpy as np

from go4align_plugins.leaderboard.report.table import MAX_METRICS, Column, Key, Row
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
PAIRED = (
    f'delta_m - {EQUAL_WEIGHTING} is the mean difference over the seeds that both have, below 0 if '
    'better, with its 95 % paired bootstrap interval (STL taken as fixed).'
)
FEW_SEEDS = (
    'With 2 or 3 seeds that interval is no more than the range of the differences: it excludes 0 '
    'by chance in 1 of 2 or 1 of 4 comparisons of equal methods.'
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

    @cached_property
    def metrics(self) -> dict[Key, Metric]:
        """Every metric of every task."""
        return {(task.name, metric.name): metric for task in self.tasks for metric in task.metrics}

    @cached_property
    def averaged(self) -> dict[Key, list[Key]]:
        """The metrics of one name, whose mean over the tasks is shown where there are many."""
        groups: dict[Key, list[Key]] = {}
        for task, name in self.metrics if len(self.metrics) > MAX_METRICS else ():
            groups.setdefault(('', f'mean {name}'), []).append((task, name))
        return groups

    @cached_property
    def obstacle(self) -> str | None:
        """The reason why nothing can be scored against the baseline; None if all can."""
        absent = dict.fromkeys(key[0] for key in self.metrics if key not in self.baseline)
        if absent:
            return f'delta_m is left out: no single-task run of {_listed(absent)}.'
        zeros = [' '.join(key) for key in self.metrics if self.baseline[key] == 0]
        return f'delta_m is left out: {_listed(zeros)} of {SINGLE_TASK} is 0.' if zeros else None

    def scores(self, figures: Mapping[Key, float]) -> dict[Key, float]:
        """Return delta_m in percent and LibMTL's improvement as a share, if no metric is absent."""
        if self.obstacle or any(key not in figures for key in self.metrics):
            return {}
        values, baselines = ([of[key] for key in self.metrics] for of in (figures, self.baseline))
        # Both are linear in the figures: their mean over seeds is the papers' score of the means.
        score = delta_m(values, baselines, self._directions())
        return {DELTA_M: score, IMPROVEMENT: self.improvement(figures, self.tasks)}

    def improvement(self, figures: Mapping[Key, float], tasks: Sequence[Task]) -> float:
        """Return LibMTL's improvement over the baseline in some of the tasks, as a share."""
        values, baselines = (
            {task.name: [of[task.name, m.name] for m in task.metrics] for task in tasks}
            for of in (figures, self.baseline)
        )
        directions = {task.name: [m.higher_is_better for m in task.metrics] for task in tasks}
        return libmtl_improvement(values, baselines, directions)

    def averages(self, figures: Mapping[Key, float]) -> dict[Key, float]:
        """Average the metrics of one name over the tasks, if a method has all of them."""
        return {
            key: fmean(figures[part] for part in parts)
            for key, parts in self.averaged.items()
            if all(part in figures for part in parts)
        }

    def tabulate(self, rows: Sequence[Row]) -> tuple[tuple[Column, ...], list[str]]:
        """Add the figures that compare rows; return the columns of their table, and its notes."""
        notes = [self.obstacle or BOTH, *_compare(rows), *self._relate_times(rows)]
        rivals = [row for row in rows if row.method != SINGLE_TASK]
        table = [[row.means.get(key, nan) for key in self.metrics] for row in rivals]
        for row, rank in zip(rivals, mean_rank(table, self._directions())):
            if all(key in row.means for key in self.metrics):
                row.means[MEAN_RANK] = rank
        for row in rows:
            row.means.update(self.averages(row.means))
        columns = [Column.of(task, metric, rows) for (task, _), metric in self.metrics.items()]
        scores = list(SUMMARY)
        for (_, name), parts in reversed(self.averaged.items()):
            units = {self.metrics[part].unit for part in parts}
            unit = units.pop() if len(units) == 1 else 'mixed units'
            mean = replace(self.metrics[parts[0]], name=name, unit=unit)
            scores.insert(0, Column.of('', mean, rows))
        scores = [column for column in scores if any(column.key in row.means for row in rows)]
        if any(row.deviations for row in rows):
            notes.append('± is the standard deviation over seeds.')
        # Behind 40 metrics nobody would find the scores.
        return (*scores, *columns) if self.averaged else (*columns, *scores), notes

    def _directions(self) -> list[bool]:
        return [metric.higher_is_better for metric in self.metrics.values()]

    def _relate_times(self, rows: Sequence[Row]) -> list[str]:
        """Add each row's time relative to equal weighting; return a note if there is none."""
        single = next((row.means for row in rows if row.method == SINGLE_TASK), {})
        parts = [single.get((task.name, 'seconds'), nan) for task in self.tasks]
        if not isnan(sum(parts)):  # the single tasks are trained one after another
            single[SECONDS] = sum(parts)
        times = {row.method: row.means[SECONDS] for row in rows if SECONDS in row.means}
        if times and EQUAL_WEIGHTING not in times:
            return [f'Relative time is left out: no run of {EQUAL_WEIGHTING}.']
        for row in rows:
            time = times.get(row.method, nan) / times.get(EQUAL_WEIGHTING, nan)
            if not isnan(time):  # results that were entered by hand have none
                row.means[TIME] = time
                own = row.values.get(SECONDS, {}).items()
                row.values[TIME] = {seed: each / times[EQUAL_WEIGHTING] for seed, each in own}
        return []


def _compare(rows: Sequence[Row]) -> list[str]:
    """Add each row's difference to equal weighting; return the notes about it."""
    deltas = {row.method: row.values.get(DELTA_M, {}) for row in rows}
    equal = deltas.get(EQUAL_WEIGHTING, {})
    counts, alone = [], []
    for row in rows if equal else ():
        if row.method in (SINGLE_TASK, EQUAL_WEIGHTING):
            continue
        seeds = sorted({*deltas[row.method]} & {*equal})
        if len(seeds) < 2:
            alone.append(row.method)
            continue
        counts.append(len(seeds))
        differences = [deltas[row.method][seed] - equal[seed] for seed in seeds]
        row.means[DIFFERENCE] = fmean(differences)
        row.lows[DIFFERENCE], row.highs[DIFFERENCE] = bootstrap_interval(differences)
    notes = [PAIRED] if counts else []
    if min(counts, default=4) <= 3:
        notes.append(FEW_SEEDS)
    if alone:
        about = f'{EQUAL_WEIGHTING} for {", ".join(alone)}'
        notes.append(f'No interval against {about}: it needs 2 seeds in common.')
    return notes


def bootstrap_interval(differences: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean of paired differences, the same every time."""
    if not np.isfinite(differences).all():
        return nan, nan
    stats = import_optional('scipy.stats', user='Intervals')
    seed = np.random.default_rng(0)
    drawn = stats.bootstrap((differences,), np.mean, method='percentile', random_state=seed)
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def _listed(names: Collection[str]) -> str:
    """List names, of many the first: of 40 tasks, nobody reads more."""
    if len(names) <= MAX_METRICS:
        return ', '.join(names)
    return f'{", ".join(list(names)[:3])} and {len(names) - 3} more'
