"""Measure and draw when the tasks of each method converge (the paper's Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Any

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.analyse.pictures import panels
from go4align_plugins.leaderboard.report.table import check
from go4align_plugins.leaderboard.run.runs import Run, by_method
from go4align_plugins.measures.convergence import convergence_difference, convergence_epoch
from go4align_plugins.plots.canvas import GREY, PALETTE

MARKERS = 'osD^vP'
NAME_WIDTH = 28  # characters of a method's name in a line


@dataclass(frozen=True)
class Convergence:
    """A method's epochs of convergence of each task, and their standard deviation, by seed."""

    method: str
    epochs: dict[str, tuple[float, ...]]
    differences: tuple[float, ...]

    @property
    def difference(self) -> float:
        """The mean over the seeds."""
        return fmean(self.differences)


def measure_convergence(
    runs: Sequence[Run], share: float = 0.95, window: int = 5
) -> list[Convergence]:
    """Find when each task converges: at the mean of the epochs at which its test metrics do."""
    check(runs, 'Parameter `runs` should hold a run of several tasks', 'none')
    found = []
    for method, group in by_method(runs).items():
        seeds = [_epochs(run, share, window) for run in group]
        epochs = {task: tuple(seed[task] for seed in seeds) for task in group[0].tasks}
        differences = tuple(convergence_difference(list(seed.values())) for seed in seeds)
        found.append(Convergence(method, epochs, differences))
    return found


def _epochs(run: Run, share: float, window: int) -> dict[str, float]:
    epochs = {}
    for task in get_benchmark(run.config['benchmark']).select(run.tasks):
        curves = [(run.curve(task.name, m.name), m.higher_is_better) for m in task.metrics]
        try:
            own = [convergence_epoch(*curve, share, window) for curve in curves]
        except ValueError as error:
            raise ValueError(f'{run.folder}, {task.name}: {error}') from error
        epochs[task.name] = fmean(own)
    return epochs


def draw_convergence(
    methods: Sequence[Convergence], path: str | Path, share: float = 0.95, window: int = 5
) -> None:
    """Draw a line of epochs a method, with a mark a task, and the standard deviation beside it."""
    names = [fill(method.method, NAME_WIDTH) for method in methods]
    with panels(
        path, (10, 1.5 + 0.42 * len(methods)), 2, 2, rows=names, sharey=True, width_ratios=(3, 1),
        caption=explain_convergence(methods, share, window),
    ) as (left, right):  # fmt: skip
        means = {task: [fmean(m.epochs[task]) for m in methods] for task in methods[0].epochs}
        many = len(means) > len(PALETTE)  # tasks of which each cannot have a colour
        for number, (task, epochs) in enumerate(means.items()):
            style: dict[str, Any] = {'s': 25, 'color': PALETTE[1], 'alpha': 0.5}
            if not many:
                style = {'s': 55, 'color': PALETTE[number], 'marker': MARKERS[number]}
                style |= {'edgecolor': 'white', 'linewidth': 0.6, 'label': task}
            left.scatter(epochs, range(len(methods)), zorder=2, **style)
        for row, (method, *epochs) in enumerate(zip(methods, *means.values())):
            left.plot([min(epochs), max(epochs)], [row] * 2, color='0.82', linewidth=5, zorder=1)
            right.barh(row, method.difference, height=0.5, color='0.82')
            right.plot(method.differences, [row] * len(method.differences), '.', color=GREY)
            right.text(max(method.differences), row, f'  {method.difference:.2f}', va='center')
        left.set_xlabel('epoch at which a task converges')
        right.set_xlabel('standard deviation (epochs)', loc='right')
        right.set_xlim(0, 1.3 * max(1, *(max(method.differences) for method in methods)))
        for axes, bins in ((left, 8), (right, 4)):
            axes.locator_params(axis='x', integer=True, nbins=bins)


def explain_convergence(methods: Sequence[Convergence], share: float, window: int) -> str:
    """Say when a metric and a task converge."""
    num_seeds = max(len(method.differences) for method in methods)
    smoothed = '' if window == 1 else f', as a mean of {window} epochs,'
    seeds = f' Marks and bars are means of {num_seeds} seeds, dots one seed.'
    return (
        f'A metric converges at the first epoch at which it{smoothed} has made {share:.0%} of its '
        'progress from the first epoch to its best; a task at the mean epoch of its test metrics.'
        + (seeds if num_seeds > 1 else '')
    )
