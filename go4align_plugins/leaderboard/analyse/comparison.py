"""Compare variants by a leaderboard's store: a table, and a picture of dots or of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.analyse.pictures import draw_band, panels
from go4align_plugins.leaderboard.analyse.variants import Variant
from go4align_plugins.leaderboard.report.build import build_report
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import DELTA_M, SUMMARY, TIME
from go4align_plugins.leaderboard.report.sources import failure_of
from go4align_plugins.leaderboard.report.table import Key
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.leaderboard.run.store import Entry
from go4align_plugins.plots.canvas import GREY, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = 0.17  # of marks that share a row, from the row's middle
LONG_AXIS = 12  # groups, from which on their axis is logarithmic
ROUND_COUNTS = (1, 2, 5, 10, 20, 40)  # of many numbers of groups, those that the axis names
TITLES = {DELTA_M: 'delta_m (%) ↓', TIME: 'time of an epoch, relative to EW ↓'}


@dataclass(frozen=True)
class Comparison:
    """A table with a row a variant, and the labels of variants without a finished run."""

    report: Report
    missing: tuple[str, ...]

    def values(self, label: str, key: Key) -> list[float]:
        """Return one figure of a variant in each seed; empty where it has no run."""
        rows = (row for row in self.report.rows if row.method == label)
        return next((list(row.values.get(key, {}).values()) for row in rows), [])

    def caption(self, marks: str) -> str:
        """Explain the marks of several seeds, and name the runs that they are of."""
        several = max(len(row.seeds) for row in self.report.rows) > 1
        missing = f' Not finished: {", ".join(self.missing)}.' if self.missing else ''
        about = f'delta_m: lower is better. {self.report.caption}{missing}'
        return f'{marks} {about}' if several else about


def compare(
    entries: Iterable[Entry], variants: Sequence[Variant], benchmark: Benchmark, last: int = 10
) -> Comparison:
    """Compare variants with each other and with equal weighting, over the last epochs.

    Raises:
        ValueError: if nothing is left to compare, or a single-task run, which delta_m needs, is
            missing.
    """
    entries, baselines = list(entries), {name: name for name in (SINGLE_TASK, EQUAL_WEIGHTING)}
    specs = {**baselines, **{variant.label: variant.spec for variant in variants}}
    found = {label: [e for e in entries if e.method == spec] for label, spec in specs.items()}
    runs = {label: [entry.run for entry in own if entry.finished] for label, own in found.items()}
    failures = [
        failure_of(entry, label)
        for label, own in found.items()
        for entry in own
        if not entry.finished
    ]
    listed = ''.join(f'\n  {failure}' for failure in failures)
    singles = runs.pop(SINGLE_TASK)
    missing = tuple(label for label, own in runs.items() if not own)
    if not any(runs[variant.label] for variant in variants):
        raise ValueError(f'There is nothing to compare: {", ".join(missing)} failed.{listed}')
    present = [
        replace(run, config={**run.config, 'weighting': label, 'weight_args': {}})
        for label, own in runs.items()
        for run in own
    ]
    report = build_report(present, singles, benchmark, last, failures=failures)
    if not any(DELTA_M in row.means for row in report.rows):
        raise ValueError(f'This comparison is by delta_m. {report.notes[0]}{listed}')
    return Comparison(report, missing)


def draw_dots(
    comparison: Comparison,
    variants: Sequence[Variant],
    path: str | Path,
    figures: Sequence[Key] = (DELTA_M,),
    note: str = '',
) -> None:
    """Draw a row a variant and a panel a figure: the mean over seeds, and a small dot a seed.

    Two variants of one row are a little apart, joined by an arrow from the first to the second.
    Of :data:`TITLES` a figure that no variant has is left out. The note goes into the caption.
    """
    rows = list(dict.fromkeys(variant.row for variant in variants))
    series = list(dict.fromkeys(variant.series for variant in variants))
    paired = len(series) > 1
    # Grey for the first of two series, which the other is compared with.
    colours = dict(zip(series, [GREY, *PALETTE] if paired else PALETTE))
    apart = dict(zip(series, (-APART, APART) if paired else (0.0,)))
    present = [key for key in figures if any(comparison.values(v.label, key) for v in variants)]
    caption = comparison.caption('Large marks are means over the seeds, small ones a seed.')
    with panels(
        path,
        (10, 1.4 + (0.85 if paired else 0.45) * len(rows)),
        len(present),
        len(present),
        rows_of_names=True,
        caption=f'{note} {caption}'.strip(),
        sharey=True,
        width_ratios=[2, 1, 1][: len(present)],
    ) as grid:
        for axes, key in zip(grid, present):
            axes.set_xlabel(TITLES[key])
            axes.margins(x=0.12)
            if key == DELTA_M:
                axes.axvline(0, color='0.6', label=SINGLE_TASK)
            if equal := comparison.values(EQUAL_WEIGHTING, key):
                level = fmean(equal)
                axes.axvline(level, color='0.6', linestyle='--', label=EQUAL_WEIGHTING)
            ends: dict[str, tuple[float, float]] = {}
            for variant in variants:
                values = comparison.values(variant.label, key)
                if not values:
                    continue
                end = fmean(values), rows.index(variant.row) + apart[variant.series]
                _draw_seeds(axes, values, end, colours[variant.series], variant.row in ends)
                if variant.row in ends:
                    arrow = {'arrowstyle': '-|>', 'color': '0.6', 'shrinkA': 5, 'shrinkB': 5}
                    axes.annotate('', end, ends[variant.row], zorder=2, arrowprops=arrow)
                ends[variant.row] = end
        grid[0].set_yticks(range(len(rows)), rows)
        grid[0].set_ylim(len(rows) - 0.45, -0.65)
        for name in series if paired else ():
            grid[0].scatter([], [], s=60, color=colours[name], label=name)


def _draw_seeds(
    axes: Axes, values: Sequence[float], end: tuple[float, float], colour: str, below: bool
) -> None:
    """Draw a mean with its number above or below it, and a small dot a seed."""
    from matplotlib.patheffects import withStroke

    if len(values) > 1:
        dots = [end[1]] * len(values)
        axes.scatter(values, dots, s=16, color=colour, alpha=0.45, linewidth=0)
    axes.scatter(*end, s=70, color=colour, edgecolor='white', zorder=3)
    axes.annotate(
        f'{end[0]:.2f}'.replace('-', '\N{MINUS SIGN}'), end, (0, -7 if below else 7),
        textcoords='offset points', ha='center', va='top' if below else 'bottom',
        fontsize=8, color=colour, path_effects=[withStroke(linewidth=3, foreground='white')],
    )  # fmt: skip


def draw_counts(comparison: Comparison, variants: Sequence[Variant], path: str | Path) -> None:
    """Draw delta_m and every metric over the number of groups, a panel each.

    Of more metrics than fit on a page the means over the tasks are drawn, as in the table.
    """
    summary = {column.key for column in SUMMARY} - {DELTA_M}
    columns = [column for column in comparison.report.brief if column.key not in summary]
    columns.sort(key=lambda column: column.key != DELTA_M)
    width = min(5, ceil(len(columns) / 2)) if len(columns) > 2 else len(columns)
    with panels(
        path,
        (10, 2.2 * ceil(len(columns) / width) + 0.8),
        len(columns),
        width,
        xlabel='number of groups K',
        caption=comparison.caption(
            'Means over the seeds in a band from the lowest to the highest.'
        ),
    ) as grid:
        for axes, column in zip(grid, columns):
            unit = f' ({column.unit})' if column.unit else ''
            axes.set_title(f'{column.key[0]}\n{column.title}{unit}'.strip(), loc='left', fontsize=9)
            found = {int(v.row): comparison.values(v.label, column.key) for v in variants}
            points = {count: values for count, values in found.items() if values}
            style = {'color': PALETTE[0], 'marker': 'o', 'label': 'GO4Align'}
            draw_band(axes, points, column.factor, **style)
            if equal := comparison.values(EQUAL_WEIGHTING, column.key):
                level = column.factor * fmean(equal)
                axes.axhline(level, color=GREY, linestyle='--', label='equal weighting')
            if max(points, default=1) > LONG_AXIS:
                axes.set_xscale('log')
            shown = [count for count in points if len(points) <= 10 or count in ROUND_COUNTS]
            axes.set_xticks(shown, list(map(str, shown)))
            axes.minorticks_off()
            axes.ticklabel_format(axis='y', useOffset=False)
            axes.margins(x=0.12)
