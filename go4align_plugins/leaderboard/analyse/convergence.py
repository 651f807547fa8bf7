"""Measure and draw when the tasks of each method converge (the paper's Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from textwrap import fill

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.analyse.pictures import tidy
from go4align_plugins.leaderboard.run.runs import Run, by_method
from go4align_plugins.measures.convergence import convergence_difference, convergence_epoch
from go4align_plugins.plots.canvas import GREY, PALETTE, add_caption, new_figure, save

MARKERS = 'osD^vPX*'
NAME_WIDTH = 28  # characters of a method's name in a line
NAMED_TASKS = len(PALETTE)  # more tasks than colours are points of one colour


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
    """Find when each task of each method converges.

    A task converges at the mean of the epochs at which its test metrics do, which every framework
    records and the papers judge by; of test losses only some do and no table shows them.

    Args:
        runs: of several tasks each, of one benchmark; seeds of a method are kept apart.
        share: of its progress that a metric has to make.
        window: number of epochs whose mean smooths a metric's curve.

    Raises:
        ValueError: if there is no run, a run is of one task, or a metric is not finite.
    """
    if not runs:
        raise ValueError('Parameter `runs` should hold a run of several tasks. Found none.')
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
        try:
            epochs[task.name] = fmean(
                convergence_epoch(
                    run.curve(task.name, metric.name), metric.higher_is_better, share, window
                )
                for metric in task.metrics
            )
        except ValueError as error:
            raise ValueError(f'{run.folder}, {task.name}: {error}') from error
    return epochs


def draw_convergence(
    methods: Sequence[Convergence], path: str | Path, share: float = 0.95, window: int = 5
) -> None:
    """Draw a line of epochs a method, with a mark a task, and the standard deviation beside it."""
    figure = new_figure(10, 1.5 + 0.42 * len(methods))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    rows = range(len(methods))
    for row, method in zip(rows, methods):
        means = [fmean(epochs) for epochs in method.epochs.values()]
        left.plot([min(means), max(means)], [row, row], color='0.82', linewidth=5, zorder=1)
        if len(means) > NAMED_TASKS:
            left.scatter(means, [row] * len(means), s=25, color=PALETTE[1], alpha=0.5, zorder=2)
        else:
            for task, mean, marker, colour in zip(method.epochs, means, MARKERS, PALETTE):
                left.scatter(
                    mean, row, s=55, marker=marker, color=colour, edgecolor='white', linewidth=0.6,
                    label=None if row else task, zorder=2,
                )  # fmt: skip
        right.barh(row, method.difference, height=0.5, color='0.82')
        dots = [row] * len(method.differences)
        right.scatter(method.differences, dots, s=14, color=GREY, zorder=2)
        right.annotate(
            f'{method.difference:.2f}', (max(method.differences), row), xytext=(6, 0),
            textcoords='offset points', va='center',
        )  # fmt: skip
    left.set_yticks(rows, [fill(method.method, NAME_WIDTH) for method in methods])
    left.set_ylim(len(methods) - 0.5, -0.5)
    left.set_xlabel('epoch at which a task converges')
    right.set_xlabel('standard deviation (epochs)', loc='right')
    right.set_xlim(0, 1.3 * max([1, *(max(method.differences) for method in methods)]))
    for axes, ticks in ((left, 8), (right, 4)):
        axes.locator_params(axis='x', integer=True, nbins=ticks)
        tidy(axes, 'x')
    if left.get_legend_handles_labels()[0]:
        figure.legend(loc='outside upper left', ncols=NAMED_TASKS, frameon=False)
    add_caption(figure, explain_convergence(methods, share, window))
    save(figure, path)


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
