"""From a method's figures to its scores: delta_m, LibMTL's improvement, means over the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from go4align_plugins.benchmarks.table import Metric, Task
from go4align_plugins.leaderboard.report.table import MAX_METRICS, Key
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK
from go4align_plugins.measures.scores import delta_m, libmtl_improvement

DELTA_M, IMPROVEMENT = ('', 'delta_m'), ('', 'improvement')
FEW = 3
BOTH = (
    "delta_m is the papers' mean relative loss against STL (each task trained alone) over all "
    "metrics: lower is better. improvement is LibMTL's mean relative gain over STL, averaged over "
    'the tasks: higher is better. The two are not comparable.'
)


@dataclass(frozen=True)
class Scoring:
    """What the methods of one table are scored by.

    Attributes:
        tasks: that they all train.
        baseline: the figures of the single-task runs.
    """

    tasks: Sequence[Task]
    baseline: Mapping[Key, float]

    @property
    def metrics(self) -> dict[Key, Metric]:
        """Every metric of every task."""
        return {(task.name, metric.name): metric for task in self.tasks for metric in task.metrics}

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be scored against the baseline; None if all can."""
        absent = dict.fromkeys(key[0] for key in self.metrics if key not in self.baseline)
        if absent:
            return f'delta_m is left out: no single-task run of {_name(list(absent))}.'
        zeros = [' '.join(key) for key in self.metrics if self.baseline[key] == 0]
        if zeros:
            return f'delta_m is left out: {_name(zeros)} of {SINGLE_TASK} is 0.'
        return None

    def scores(self, figures: Mapping[Key, float]) -> dict[Key, float]:
        """delta_m in percent, and LibMTL's improvement as a share; none without a baseline.

        Both are linear in the figures: their mean over seeds is the papers' score of the means.
        A method that lacks a metric has no score.
        """
        if self.obstacle or any(key not in figures for key in self.metrics):
            return {}
        directions = [metric.higher_is_better for metric in self.metrics.values()]
        values, baselines = (
            [source[key] for key in self.metrics] for source in (figures, self.baseline)
        )
        return {
            DELTA_M: delta_m(values, baselines, directions),
            IMPROVEMENT: self.improvement(figures, self.tasks),
        }

    def improvement(self, figures: Mapping[Key, float], tasks: Sequence[Task]) -> float:
        """LibMTL's improvement over the baseline in some of the tasks, as a share."""
        values, baselines = (
            {task.name: [source[task.name, m.name] for m in task.metrics] for task in tasks}
            for source in (figures, self.baseline)
        )
        directions = {task.name: [m.higher_is_better for m in task.metrics] for task in tasks}
        return libmtl_improvement(values, baselines, directions)

    def averages(self, figures: Mapping[Key, float]) -> dict[Key, float]:
        """Where there are many metrics: those of one name, averaged over the tasks.

        A method that lacks one of them has no mean.
        """
        if len(self.metrics) <= MAX_METRICS:
            return {}
        means = {}
        for name in dict.fromkeys(name for _, name in self.metrics):
            values = [figures.get(key) for key in self.metrics if key[1] == name]
            found = [value for value in values if value is not None]
            if len(found) == len(values):
                means['', f'mean {name}'] = fmean(found)
        return means


def _name(things: Sequence[str]) -> str:
    """As a list of a few; of 40 tasks, nobody reads more."""
    if len(things) <= MAX_METRICS:
        return ', '.join(things)
    return f'{", ".join(things[:FEW])} and {len(things) - FEW} more'
