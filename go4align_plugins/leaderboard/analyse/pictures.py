"""Draw runs over the epochs: the weights of the tasks, the test metrics; and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, product
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from go4align_plugins.data import Benchmark, get_benchmark
from go4align_plugins.leaderboard.report.table import Column
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run, by_method
from go4align_plugins.plots.canvas import GREY, PALETTE, add_caption, new_figure, save
from go4align_plugins.plots.maps import Legend, draw_maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import LogNorm

LINE_STYLES = ('-', '--', ':')
LEGEND_COLUMNS = 8
TITLE_WIDTH = 50  # characters
NAMED_GROUPS = 5
STRIP = 0.22  # the part of a task's row in the heat map that shows its groups
MANY = 12  # tasks of a run, or panels: more are drawn smaller
MAX_SPAN = 100  # of the colours: weights further from equal weighting look the same
WHOLE: dict[str, Any] = {'integer': True, 'min_n_ticks': 1}  # of ticks; one epoch: one tick
TICKS = (0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100)


@contextmanager
def panels(
    path: str | Path,
    size: tuple[float, float],
    count: int,
    columns: int,
    rows_of_names: bool = False,
    xlabel: str = '',
    legend: Literal['outside upper left', 'outside right upper'] = 'outside upper left',
    caption: str = '',
    **grid: Any,
) -> Iterator[list[Axes]]:
    """Yield empty panels on a grid; then tidy them, add legend and caption, and save them."""
    figure = new_figure(*size)
    shown = list(figure.subplots(ceil(count / columns), columns, squeeze=False, **grid).flat)
    while len(shown) > count:
        shown.pop().set_visible(False)
    yield shown
    for axes in shown[-columns:] if xlabel else ():
        axes.set_xlabel(xlabel)
        axes.tick_params(labelbottom=True)  # above a spare one
    handles: dict[str, Any] = {}
    for axes in shown:
        axes.grid(axis='x' if rows_of_names else 'y', color='0.92')
        axes.set_axisbelow(True)
        axes.spines[['top', 'right', *(['left'] if rows_of_names else [])]].set_visible(False)
        if rows_of_names:
            axes.tick_params(axis='y', length=0)
        handles.update((label, handle) for handle, label in zip(*axes.get_legend_handles_labels()))
    if handles:
        ncols = 1 if 'right' in legend else LEGEND_COLUMNS
        labels, lines = list(handles), list(handles.values())
        figure.legend(lines, labels, loc=legend, ncols=ncols, frameon=False)
    if caption:
        add_caption(figure, caption)
    save(figure, path)


def draw_band(
    axes: Axes, points: Mapping[int, Sequence[float]], factor: float, **style: Any
) -> None:
    """Draw a line through the means of the seeds' figures, in a band from the lowest to highest."""
    means, lows, highs = (
        [factor * float(pick(figures)) for figures in points.values()]
        for pick in (np.mean, np.min, np.max)
    )
    (line,) = axes.plot(list(points), means, **style)
    axes.fill_between(list(points), lows, highs, color=line.get_color(), alpha=0.15, linewidth=0)


def line_styles(methods: Iterable[str], reference: str) -> dict[str, dict[str, Any]]:
    """Return colour and dashes of methods, as many as there are; the reference's are apart."""
    others = [method for method in methods if method != reference]
    cycled = cycle(product(LINE_STYLES, PALETTE))
    styles = {reference: ('--', GREY), **dict(zip(others, cycled))}
    return {name: {'linestyle': line, 'color': own} for name, (line, own) in styles.items()}


def weights_heatmap(runs: Sequence[Run], path: str | Path) -> None:
    """Draw each task's weight over the epochs, as the paper's Figure 5, one panel a run.

    Weights span orders of magnitude, and Adam cancels the scale that they share: so colours and
    numbers are the weight relative to the mean of the epoch's weights, on a log scale; 1 is equal
    weighting. A strip below each row shows the share of steps that the task spent in each group.

    Raises:
        ValueError: if there is no run, or a run has no weights.
    """
    if not runs:
        raise ValueError('Parameter `runs` should hold at least one run. Found none.')
    weights = [run.relative_weights() for run in runs]
    values = np.concatenate([panel[panel > 0] for panel in weights])
    extreme = max(values.max(initial=1.0), 1 / values.min(initial=1.0))
    span = float(np.clip(extreme, 2, MAX_SPAN))
    num_rows = [len(run.tasks) for run in runs]
    height = 0.7 + (0.5 if max(num_rows) <= MANY else 0.25) * sum(num_rows) + 0.3 * len(runs)
    figure = new_figure(10, height)
    from matplotlib.colors import LogNorm

    norm = LogNorm(1 / span, span, clip=True)
    grid = figure.subplots(len(runs), 1, squeeze=False, sharex=True, height_ratios=num_rows)[:, 0]
    for axes, run, panel in zip(grid, runs, weights):
        # Of many arguments: broken, so that the groups' legend has its place beside them.
        axes.set_title(fill(f'{run.label}, seed {run.config["seed"]}', TITLE_WIDTH), loc='left')
        strip = _draw_groups(axes, run)
        mesh = _draw_weights(axes, panel, strip, norm)
        axes.set_yticks(np.arange(len(run.tasks)) + 0.5 - strip / 2, run.tasks)
        axes.set_ylim(len(run.tasks), 0)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    axes.set_xlabel('epoch')
    axes.locator_params(axis='x', **WHOLE)
    bar = figure.colorbar(mesh, ax=list(grid), pad=0.01, aspect=max(15, 3 * height))
    bar.set_label('weight / epoch mean')
    ticks = [tick for tick in TICKS if 1 / span <= tick <= span]
    bar.set_ticks(ticks, labels=[f'{tick:g}' for tick in ticks])
    bar.minorticks_off()
    save(figure, path)


def learning_curves(runs: Sequence[Run], path: str | Path) -> None:
    """Draw the test metrics over the epochs: a panel a metric, a line a method.

    Several seeds are a line for their mean in a band from the lowest to the highest; single-task
    runs are grey and dashed.

    Raises:
        ValueError: if there is no run, or the runs are of several benchmarks.
    """
    names = {run.config['benchmark'] for run in runs}
    if len(names) != 1:
        found = ', '.join(sorted(names)) or 'none'
        raise ValueError(f'Parameter `runs` should hold runs of one benchmark. Found {found}.')
    tasks = get_benchmark(names.pop()).select({task for run in runs for task in run.tasks})
    columns = [Column.of(task.name, metric) for task in tasks for metric in task.metrics]
    methods = by_method(runs)
    styles = line_styles(methods, SINGLE_TASK)
    many = len(columns) > MANY
    width = min(len(columns), 5 if many else 3 if len(columns) > 4 else 2)
    size = (14 if many else 10, 2.1 * ceil(len(columns) / width) + 0.6)
    with panels(path, size, len(columns), width, xlabel='epoch', sharex=True) as grid:
        for axes, column in zip(grid, columns):
            task, name = column.key
            axes.set_title(f'{task}: {column.title}', loc='left')
            axes.set_ylabel(column.unit.replace('°', 'degrees'))
            axes.locator_params(axis='x', **WHOLE)
            for method, group in methods.items():
                curves = [run.curve(task, name) for run in group if task in run.tasks]
                if curves:
                    points = dict(enumerate(zip(*curves)))
                    draw_band(axes, points, column.factor, label=method, **styles[method])


def predictions_grid(
    rows: Sequence[Mapping[str, Any]], path: str | Path, benchmark: Benchmark
) -> None:
    """Draw frames: the image, then for each task its true map and the map of every method.

    Raises:
        ValueError: as ``draw_maps`` does, and if the benchmark lacks a task.
    """
    for row in rows:
        benchmark.select(row['truth'])
    save(draw_maps(rows, Legend.of(benchmark)), path)


def _draw_weights(axes: Axes, panel: np.ndarray, strip: float, norm: LogNorm) -> QuadMesh:
    """Draw a row a task, with about a dozen numbers in each however long the run is."""
    num_epochs = len(panel)
    step = ceil(num_epochs / 12)
    edges = np.arange(num_epochs + 1) - 0.5
    for row, line in enumerate(panel.T):
        # On a log scale 0 has no colour of its own: it takes the lowest.
        colours = np.where(line == 0, 1 / MAX_SPAN, line)[np.newaxis]
        limits = [row + 0.05, row + 0.95 - strip]
        mesh = axes.pcolormesh(edges, limits, colours, cmap='PuOr_r', norm=norm)
        for epoch in range(step // 2, num_epochs, step):
            value = line[epoch]
            text = f'{value:.2f}' if value >= 0.01 or value == 0 else f'{value:.0e}'
            luminance = np.dot(mesh.cmap(norm(colours[0, epoch]))[:3], (0.3, 0.59, 0.11))
            axes.text(
                epoch, sum(limits) / 2, text, ha='center', va='center', fontsize=8,
                color='white' if luminance < 0.5 else 'black',
            )  # fmt: skip
    return mesh


def _draw_groups(axes: Axes, run: Run) -> float:
    """Draw the strips of a run that has groups; return the height that they take of a row."""
    groups = [entry.get('groups') or {} for entry in run.epochs]
    shares = [[group.get(task) for task in run.tasks] for group in groups]
    if not all(map(all, shares)):
        return 0.0
    values = np.array(shares, dtype=float)  # (epochs, tasks, groups)
    num_epochs, num_tasks, num_groups = values.shape
    bottoms = np.cumsum(values, axis=2) - values
    # Of many groups only the first and the last are named.
    named = range(num_groups) if num_groups <= NAMED_GROUPS else (0, num_groups - 1)
    for group, shade in enumerate(np.linspace(0.82, 0.15, num_groups)):
        name = f'group {group}' if group else 'steps in group 0'
        places = np.repeat(np.arange(num_epochs), num_tasks)
        bottom = np.arange(num_tasks) + 0.95 - STRIP + STRIP * bottoms[..., group]
        axes.bar(
            places, STRIP * values[..., group].ravel(), 1.0, bottom.ravel(), color=str(shade),
            label=name if group in named else None,
        )  # fmt: skip
    axes.legend(
        loc='lower right', bbox_to_anchor=(1, 1), ncols=NAMED_GROUPS, frameon=False, fontsize=8,
        borderpad=0, handlelength=1,
    )  # fmt: skip
    return STRIP
