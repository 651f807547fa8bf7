"""Draw comparisons: dots for variants that have names, lines for numbers of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from go4align_plugins.leaderboard.analyse.comparison import Comparison
from go4align_plugins.leaderboard.analyse.pictures import tidy
from go4align_plugins.leaderboard.analyse.variants import Variant
from go4align_plugins.leaderboard.report.scores import DELTA_M, SUMMARY, TIME
from go4align_plugins.leaderboard.report.table import Column, Key
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.plots.canvas import GREY, PALETTE, add_caption, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = 0.17  # of marks that share a row, from the row's middle
LONG_AXIS = 12  # groups, from which on their axis is logarithmic
ROUND_COUNTS = (1, 2, 5, 10, 20, 40)  # of many numbers of groups, those that the axis names
TITLES = {DELTA_M: 'delta_m (%) ↓', TIME: 'time of an epoch, relative to EW ↓'}


def draw_dots(
    comparison: Comparison,
    variants: Sequence[Variant],
    path: str | Path,
    figures: Sequence[Key] = (DELTA_M,),
    note: str = '',
) -> None:
    """Draw a row a variant and a panel a figure: the mean over seeds, and a small dot a seed.

    Two variants of one row are a little apart, joined by an arrow from the first to the second.

    Args:
        comparison: their figures, and those of equal weighting.
        variants: from top to bottom.
        path: of the picture.
        figures: keys of :data:`TITLES`; one that no variant has is left out.
        note: about the variants, for the caption.
    """
    rows = list(dict.fromkeys(variant.row for variant in variants))
    series = list(dict.fromkeys(variant.series for variant in variants))
    paired = len(series) > 1
    # Grey for the first of two series, which the other is compared with.
    colours = [GREY, *PALETTE] if paired else list(PALETTE)
    present = [key for key in figures if any(comparison.values(v.label, key) for v in variants)]
    figure = new_figure(10, 1.4 + (0.85 if paired else 0.45) * len(rows))
    ratios = [2, 1, 1][: len(present)]
    grid = figure.subplots(1, len(present), squeeze=False, sharey=True, width_ratios=ratios)[0]
    for axes, key in zip(grid, present):
        levels = {SINGLE_TASK: 0.0} if key == DELTA_M else {}
        equal = comparison.values(EQUAL_WEIGHTING, key)
        if equal:
            levels[EQUAL_WEIGHTING] = fmean(equal)
        _draw_levels(axes, levels)
        ends: dict[str, list[tuple[float, float]]] = {}
        for variant in variants:
            values = comparison.values(variant.label, key)
            if values:
                rank = series.index(variant.series)
                height = rows.index(variant.row) + (APART * (2 * rank - 1) if paired else 0)
                ends.setdefault(variant.row, []).append((fmean(values), height))
                _draw_seeds(axes, height, values, colours[rank], below=rank > 0)
        for start, *others in ends.values():
            if others:
                arrow = {'arrowstyle': '-|>', 'color': '0.6', 'shrinkA': 5, 'shrinkB': 5}
                axes.annotate('', others[-1], start, zorder=2, arrowprops=arrow)
        axes.set_xlabel(TITLES[key])
        axes.margins(x=0.12)
        tidy(axes, 'x')
    grid[0].set_yticks(range(len(rows)), rows)
    grid[0].set_ylim(len(rows) - 0.45, -0.65)
    if paired:
        for name, colour in zip(series, colours):
            grid[0].scatter([], [], s=60, color=colour, label=name)
        figure.legend(loc='outside upper left', ncols=len(series), frameon=False)
    add_caption(figure, f'{note} {_caption(comparison)}'.strip())
    save(figure, path)


def draw_counts(comparison: Comparison, variants: Sequence[Variant], path: str | Path) -> None:
    """Draw delta_m and every metric over the number of groups, a panel each.

    Of more metrics than fit on a page the means over the tasks are drawn, as in the table.

    """
    summary = {column.key for column in SUMMARY} - {DELTA_M}
    columns = [column for column in comparison.report.brief if column.key not in summary]
    columns.sort(key=lambda column: column.key != DELTA_M)
    width = min(5, ceil(len(columns) / 2)) if len(columns) > 2 else len(columns)
    height = ceil(len(columns) / width)
    figure = new_figure(10, 2.2 * height + 0.8)
    grid = figure.subplots(height, width, squeeze=False)
    for axes in grid.flat[len(columns) :]:
        axes.set_visible(False)
    for axes, column in zip(grid.flat, columns):
        unit = f' ({column.unit})' if column.unit else ''
        axes.set_title(f'{column.key[0]}\n{column.title}{unit}'.strip(), loc='left', fontsize=9)
        _draw_counts(axes, comparison, variants, column)
    for axes in grid.flat[max(0, len(columns) - width) : len(columns)]:
        axes.set_xlabel('number of groups K')
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper left', ncols=3, frameon=False)
    add_caption(figure, _caption(comparison))
    save(figure, path)


def _caption(comparison: Comparison) -> str:
    several = max(len(row.seeds) for row in comparison.report.rows) > 1
    marks = 'Large marks are means over the seeds, small ones a seed. ' if several else ''
    missing = f' Not finished: {", ".join(comparison.missing)}.' if comparison.missing else ''
    return f'{marks}delta_m: lower is better. {comparison.report.caption}{missing}'


def _draw_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Draw a vertical line a level; their names keep out of each other's way."""
    for name, level in levels.items():
        axes.axvline(level, color='0.6', linestyle='-' if name == SINGLE_TASK else '--')
        leftmost = len(levels) > 1 and level == min(levels.values())
        axes.annotate(
            f'{name} ' if leftmost else f' {name}', (level, 1), (0, 3), ('data', 'axes fraction'),
            'offset points', ha='right' if leftmost else 'left', color=GREY, fontsize=8,
        )  # fmt: skip


def _draw_seeds(
    axes: Axes, height: float, values: Sequence[float], colour: str, below: bool
) -> None:
    from matplotlib.patheffects import withStroke
    from matplotlib.ticker import Formatter

    mean = fmean(values)
    if len(values) > 1:
        axes.scatter(values, [height] * len(values), s=16, color=colour, alpha=0.45, linewidth=0)
    axes.scatter(mean, height, s=70, color=colour, edgecolor='white', zorder=3)
    axes.annotate(
        Formatter.fix_minus(f'{mean:.2f}'), (mean, height), (0, -7 if below else 7),
        textcoords='offset points', ha='center', va='top' if below else 'bottom',
        fontsize=8, color=colour,
        path_effects=[withStroke(linewidth=3, foreground='white')],
    )  # fmt: skip


def _draw_counts(
    axes: Axes, comparison: Comparison, variants: Sequence[Variant], column: Column
) -> None:
    points: dict[int, list[float]] = {}
    for variant in variants:
        count = int(variant.row)
        values = comparison.values(variant.label, column.key)
        if values:
            points[count] = [column.factor * value for value in values]
        if len(values) > 1:
            places = [count] * len(values)
            axes.scatter(places, points[count], s=14, color=PALETTE[0], alpha=0.45, linewidth=0)
    means = [fmean(values) for values in points.values()]
    axes.plot(list(points), means, 'o-', color=PALETTE[0], markersize=6, label='GO4Align')
    equal = comparison.values(EQUAL_WEIGHTING, column.key)
    if equal:
        level = column.factor * fmean(equal)
        axes.axhline(level, color=GREY, linestyle='--', label='equal weighting')
    if max(points, default=1) > LONG_AXIS:
        axes.set_xscale('log')
    shown = [count for count in points if len(points) <= 10 or count in ROUND_COUNTS]
    axes.set_xticks(shown, list(map(str, shown)))
    axes.minorticks_off()
    axes.ticklabel_format(axis='y', useOffset=False)
    axes.margins(x=0.12)
    tidy(axes, 'y')
