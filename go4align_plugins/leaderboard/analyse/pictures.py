"""Draw runs over the epochs: the weights of the tasks, the test metrics; and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, product
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from go4align_plugins.data import Benchmark, get_benchmark
from go4align_plugins.leaderboard.report.table import Column, check
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run, by_method
from go4align_plugins.plots.canvas import GREY, PALETTE, add_caption, new_figure, save
from go4align_plugins.plots.maps import Legend, draw_maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

LINE_STYLES = ('-', '--', ':')
LEGEND_COLUMNS = 8
TITLE_WIDTH = 50  # characters
NAMED_GROUPS = 5
STRIP = 0.22  # the part of a task's row in the heat map that shows its groups
MANY = 12  # tasks of a run, panels, or a count on an axis: more are drawn closer
MAX_SPAN = 100  # of the colours: weights further from equal weighting look the same
WHOLE: dict[str, Any] = {'integer': True, 'min_n_ticks': 1}  # of ticks; one epoch: one tick
TICKS = (0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100)


@contextmanager
def panels(
    path: str | Path,
    size: tuple[float, float],
    count: int,
    columns: int,
    rows: Sequence[str] = (),
    xlabel: str = '',
    legend: Any = 'outside upper left',
    caption: str = '',
    **grid: Any,
) -> Iterator[list[Axes]]:
    """Yield empty panels on a grid; then tidy them, name their rows or x-axis, and save them."""
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
        axes.grid(axis='x' if rows else 'y', color='0.92')
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
        if rows:
            axes.spines['left'].set_visible(False)
            axes.set_yticks(range(len(rows)), rows)
            axes.set_ylim(len(rows) - 0.45, -0.65)
            axes.tick_params(axis='y', length=0)
        handles.update((label, handle) for handle, label in zip(*axes.get_legend_handles_labels()))
    if handles:
        ncols = 1 if 'right' in legend else LEGEND_COLUMNS
        labels, lines = list(handles), list(handles.values())
        figure.legend(lines, labels, loc=legend, ncols=ncols, frameon=False)
    if caption:
        add_caption(figure, caption)
    save(figure, path)


def draw_columns(
    columns: Sequence[Column],
    lines: Callable[[Column], Mapping[str, Mapping[int, Sequence[float]]]],
    styles: Mapping[str, Mapping[str, Any]],
    path: str | Path,
    xlabel: str,
    ticks: Sequence[int] = (),
    caption: str = '',
) -> None:
    """Draw a panel a column; ``lines`` gives: name -> place on the x-axis -> one figure a seed."""
    many = len(columns) > MANY
    width = min(len(columns), 5 if many else 3 if len(columns) > 4 else 2)
    size = (14 if many else 10, 2.1 * ceil(len(columns) / width) + (1 if caption else 0.6))
    with panels(
        path, size, len(columns), width, xlabel=xlabel, caption=caption, sharex=True
    ) as grid:
        for axes, column in zip(grid, columns):
            axes.set_title(': '.join(filter(None, (column.key[0], column.title))), loc='left')
            axes.set_ylabel(column.unit.replace('°', 'degrees'))
            axes.ticklabel_format(axis='y', useOffset=False)
            for name, points in lines(column).items():
                places, figures = list(points), [np.array(each) for each in points.values()]
                means, lows, highs = (
                    [column.factor * pick(each) for each in figures]
                    for pick in (np.mean, np.min, np.max)
                )
                marker = 'o' if ticks or len(places) == 1 else ''
                axes.plot(places, means, marker=marker, label=name, **styles[name])
                colour = styles[name]['color']
                axes.fill_between(places, lows, highs, color=colour, alpha=0.15, linewidth=0)
            if ticks:
                axes.set_xscale('log' if max(ticks) > MANY else 'linear')
                axes.set_xticks(ticks, list(map(str, ticks)))
                axes.minorticks_off()
            else:
                axes.locator_params(axis='x', **WHOLE)


def line_styles(names: Iterable[str], reference: str) -> dict[str, dict[str, Any]]:
    """Return colour and dashes of names, as many as there are; the reference's are apart."""
    others = [name for name in names if name != reference]
    styles = {reference: ('--', GREY), **dict(zip(others, cycle(product(LINE_STYLES, PALETTE))))}
    return {name: {'linestyle': line, 'color': own} for name, (line, own) in styles.items()}


def learning_curves(runs: Sequence[Run], path: str | Path) -> None:
    """Draw the test metrics over the epochs: a panel a metric, a line a method.

    Several seeds are a line for their mean in a band from the lowest to the highest; single-task
    runs are grey and dashed.

    Raises:
        ValueError: if there is no run, or the runs are of several benchmarks.
    """
    names = {run.config['benchmark'] for run in runs}
    found = ', '.join(sorted(names)) or 'none'
    check(len(names) == 1, 'Parameter `runs` should hold runs of one benchmark', found)
    tasks = get_benchmark(names.pop()).select({task for run in runs for task in run.tasks})
    columns = [Column.of(task.name, metric) for task in tasks for metric in task.metrics]
    methods = by_method(runs)

    def lines(column: Column) -> dict[str, dict[int, Sequence[float]]]:
        curves = {
            method: [run.curve(*column.key) for run in group if column.key[0] in run.tasks]
            for method, group in methods.items()
        }
        return {method: dict(enumerate(zip(*own))) for method, own in curves.items() if own}

    draw_columns(columns, lines, line_styles(methods, SINGLE_TASK), path, 'epoch')


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


def weights_heatmap(runs: Sequence[Run], path: str | Path) -> None:
    """Draw each task's weight over the epochs, as the paper's Figure 5, one panel a run.

    Weights span orders of magnitude, and Adam cancels the scale that they share: so colours and
    numbers are the weight relative to the mean of the epoch's weights, on a log scale; 1 is equal
    weighting. A strip below each row shows the share of steps that the task spent in each group.

    Raises:
        ValueError: if there is no run, or a run has no weights.
    """
    check(runs, 'Parameter `runs` should hold at least one run', 'none')
    weights = [run.relative_weights() for run in runs]
    values = np.concatenate([panel[panel > 0] for panel in weights])
    extreme = max(values.max(initial=1.0), 1 / values.min(initial=1.0))
    span = float(np.clip(extreme, 2, MAX_SPAN))
    num_rows = [len(run.tasks) for run in runs]
    height = 0.7 + (0.5 if max(num_rows) <= MANY else 0.25) * sum(num_rows) + 0.3 * len(runs)
    figure = new_figure(10, height)
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    colours = ScalarMappable(LogNorm(1 / span, span, clip=True), 'PuOr_r')
    grid = figure.subplots(len(runs), 1, squeeze=False, sharex=True, height_ratios=num_rows)[:, 0]
    for axes, run, panel in zip(grid, runs, weights):
        # Of many arguments: broken, so that the groups' legend has its place beside them.
        axes.set_title(fill(f'{run.label}, seed {run.config["seed"]}', TITLE_WIDTH), loc='left')
        strip = _draw_groups(axes, run)
        _draw_weights(axes, panel.T, strip, colours)
        axes.set_yticks(np.arange(len(run.tasks)) + 0.5 - strip / 2, run.tasks)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    axes.set_xlim(-0.5, max(map(len, weights)) - 0.5)
    axes.set_xlabel('epoch')
    axes.locator_params(axis='x', **WHOLE)
    bar = figure.colorbar(colours, ax=list(grid), pad=0.01, aspect=max(15, 3 * height))
    bar.set_label('weight / epoch mean')
    ticks = [tick for tick in TICKS if 1 / span <= tick <= span]
    bar.set_ticks(ticks, labels=[f'{tick:g}' for tick in ticks])
    bar.minorticks_off()
    save(figure, path)


def _draw_weights(axes: Axes, panel: np.ndarray, strip: float, colours: ScalarMappable) -> None:
    """Draw a row a task, with about a dozen numbers in each however long the run is."""
    num_tasks, num_epochs = panel.shape
    step = ceil(num_epochs / 12)
    # On a log scale 0 has no colour of its own: it takes the lowest.
    rgba = colours.to_rgba(np.where(panel == 0, 1 / MAX_SPAN, panel))
    ends = (-0.5, num_epochs - 0.5)
    axes.imshow(rgba, aspect='auto', interpolation='nearest', extent=(*ends, num_tasks, 0))
    axes.hlines(range(num_tasks + 1), *ends, color='white', linewidth=4)
    for row, epoch in product(range(num_tasks), range(step // 2, num_epochs, step)):
        value, luminance = panel[row, epoch], rgba[row, epoch, :3] @ (0.3, 0.59, 0.11)
        text = f'{value:.2f}' if value >= 0.01 or value == 0 else f'{value:.0e}'
        colour = 'white' if luminance < 0.5 else 'black'
        place = epoch, row + 0.5 - strip / 2
        axes.text(*place, text, ha='center', va='center', fontsize=8, color=colour)


def _draw_groups(axes: Axes, run: Run) -> float:
    """Draw the strips of a run that has groups; return the height that they take of a row."""
    groups = [entry.get('groups') or {} for entry in run.epochs]
    shares = [[group.get(task) for task in run.tasks] for group in groups]
    if not all(map(all, shares)):
        return 0.0
    heights = STRIP * np.array(shares, dtype=float)  # (epochs, tasks, groups)
    num_epochs, num_tasks, num_groups = heights.shape
    bottoms = np.arange(num_tasks)[:, None] + 0.95 - STRIP + np.cumsum(heights, axis=2) - heights
    places = np.repeat(np.arange(num_epochs), num_tasks)
    for group, shade in enumerate(np.linspace(0.82, 0.15, num_groups)):
        label = f'group {group}' if group else 'steps in group 0'
        if num_groups > NAMED_GROUPS and group not in (0, num_groups - 1):
            label = ''
        height, bottom = heights[..., group].ravel(), bottoms[..., group].ravel()
        axes.bar(places, height, 1.0, bottom, color=str(shade), label=label, zorder=3)
    axes.legend(
        loc='lower right', bbox_to_anchor=(1, 1), ncols=NAMED_GROUPS, frameon=False, fontsize=8,
        borderpad=0, handlelength=1,
    )  # fmt: skip
    return STRIP
