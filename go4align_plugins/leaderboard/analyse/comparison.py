"""Compare variants, the paper's among them: list, tabulate by a leaderboard's store, and draw."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.analyse.pictures import draw_columns, line_styles, panels
from go4align_plugins.leaderboard.report.build import build_report, failure_of
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import DELTA_M, SUMMARY
from go4align_plugins.leaderboard.report.table import Column, Key
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK
from go4align_plugins.leaderboard.run.store import Entry
from go4align_plugins.plots.canvas import GREY, PALETTE
from go4align_plugins.utils.options import check_whole
from go4align_plugins.weighting.groupings import GROUPINGS, get_grouping

BASELINES = (SINGLE_TASK, EQUAL_WEIGHTING)  # delta_m refers to the one, time to the other
INDICATORS = ('MGDA', 'Nash_MTL', 'FAMO', 'CAGrad', 'IMTL', 'UW', 'DWA')
MARKS = {'': (PALETTE[0], 0.0), 'alone': (GREY, -0.17), 'with AGRM': (PALETTE[0], 0.17)}
"""The colour of a series, and its place beside the middle of a row."""
ROUND_COUNTS = (1, 2, 5, 10, 20, 40)  # of many numbers of groups, those that the axis names


class Variant(NamedTuple):
    """One method of a comparison, to be trained as an ordinary leaderboard."""

    label: str
    spec: str  # in a plan
    row: str  # in the picture
    series: str = ''  # another one of each variant of a row


def group_counts(num_tasks: int, counts: Sequence[int] | None = None) -> list[Variant]:
    """List GO4Align with the given numbers of groups K, by default 1, ..., M; a row each."""
    chosen = sorted(set(counts or range(1, num_tasks + 1)))
    for count in chosen:
        check_whole('groups', count, 1, num_tasks, ', the number of tasks')
    return [_go4align(f'K = {count}', str(count), num_groups=count) for count in chosen]


def ablation(num_tasks: int, num_groups: int) -> list[Variant]:
    """List GO4Align without some of Eq. 4 (grouping), 5 (scale balance), 6 (smooth alignment)."""
    _check_groups(num_tasks, num_groups)
    return [  # without Eq. 4: as many groups as tasks
        _go4align('Eq. 5', num_groups=num_tasks, smooth_alignment='false'),
        _go4align('Eq. 6', num_groups=num_tasks, scale_balance='false'),
        _go4align('Eq. 5 + 6', num_groups=num_tasks),
        _go4align('Eq. 5 + 4', num_groups=num_groups, smooth_alignment='false'),
        _go4align('Eq. 5 + 6 + 4', num_groups=num_groups),
    ]


def indicators(
    offered: Collection[str], num_tasks: int, num_groups: int, names: Iterable[str] | None = None
) -> list[Variant]:
    """List other methods that LibMTL offers, alone and as AGRM's indicator; by default all."""
    _check_groups(num_tasks, num_groups)
    known = [name for name in offered if f'AGRM_{name}' in offered]
    chosen = dict.fromkeys([n for n in INDICATORS if n in known] if names is None else names)
    absent = [name for base in chosen for name in (base, f'AGRM_{base}') if name not in offered]
    if absent or not chosen:
        raise ValueError(
            'Parameter `indicators` should name methods that the installed LibMTL has, alone and '
            f'with AGRM: {", ".join(sorted(known)) or "none"}. Found {", ".join(absent) or "none"}.'
        )
    variants = []
    for base in chosen:
        variants.append(Variant(base, base, base, 'alone'))
        spec = f'AGRM_{base}:num_groups={num_groups}'
        variants.append(Variant(f'AGRM_{base}', spec, base, 'with AGRM'))
    return variants


def clusterings(
    num_tasks: int, num_groups: int, names: Iterable[str] | None = None
) -> list[Variant]:
    """List GO4Align with each named grouping, by default those whose packages are installed."""
    _check_groups(num_tasks, num_groups)
    chosen, passed_over = [], (ImportError,) if names is None else ()
    for name in dict.fromkeys(GROUPINGS if names is None else names):
        with suppress(*passed_over):
            get_grouping(name)
            # The default is not named, so that comparisons share its run.
            own = {} if name == 'exact' else {'grouping': name}
            chosen.append(_go4align(name, **own, num_groups=num_groups))
    return chosen


def _check_groups(num_tasks: int, num_groups: int) -> None:
    remark = f': with a group for each of the {num_tasks} tasks nothing is grouped'
    check_whole('num_groups', num_groups, 1, num_tasks - 1, remark)


def _go4align(label: str, row: str = '', **arguments: str | int) -> Variant:
    """Name GO4Align with its arguments in order, so that comparisons share runs."""
    values = ','.join(f'{name}={arguments[name]}' for name in sorted(arguments))
    return Variant(label, f'GO4Align:{values}', row or label)


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
    """Compare variants with each other and with equal weighting, over the last epochs."""
    entries, specs = list(entries), {name: name for name in BASELINES}
    specs |= {variant.label: variant.spec for variant in variants}
    found = {label: [e for e in entries if e.method == spec] for label, spec in specs.items()}
    runs, failures = {}, []
    for label, own in found.items():
        named = {'weighting': label, 'weight_args': {}}
        done = [entry for entry in own if entry.finished]
        runs[label] = [replace(e.run, config={**e.config, **named}) for e in done]
        failures += [failure_of(entry, label) for entry in own if not entry.finished]
    listed = ''.join(f'\n  {failure}' for failure in failures)
    singles = runs.pop(SINGLE_TASK)
    missing = tuple(label for label, own in runs.items() if not own)
    if not any(runs[variant.label] for variant in variants):
        raise ValueError(f'There is nothing to compare: {", ".join(missing)} failed.{listed}')
    report = build_report(list(chain(*runs.values())), singles, benchmark, last, failures=failures)
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
    """Draw a panel a figure; an arrow goes from the first to the second variant of a row."""
    from matplotlib.patheffects import withStroke

    halo = withStroke(linewidth=3, foreground='white')
    rows = list(dict.fromkeys(variant.row for variant in variants))
    height = 1.4 + 0.45 * len(rows) * (1 if len(rows) == len(variants) else 2)
    columns = [column for column in comparison.report.columns if column.key in figures]
    caption = comparison.caption('Large marks are means over the seeds, small ones a seed.')
    with panels(
        path, (10, height), len(columns), len(columns), rows=rows,
        caption=f'{note} {caption}'.strip(), sharey=True,
        width_ratios=[2, 1, 1][: len(columns)],
    ) as grid:  # fmt: skip
        for axes, column in zip(grid, columns):
            axes.set_xlabel(column.heading)
            axes.margins(x=0.12)
            if column.key == DELTA_M:
                axes.axvline(0, color='0.6', label=SINGLE_TASK)
            if equal := comparison.values(EQUAL_WEIGHTING, column.key):
                axes.axvline(fmean(equal), color='0.6', linestyle='--', label=EQUAL_WEIGHTING)
            ends: dict[str, tuple[float, float]] = {}
            for variant in variants:
                values = comparison.values(variant.label, column.key)
                if not values:
                    continue
                colour, aside = MARKS[variant.series]
                side, away = ('top', -7) if aside > 0 else ('bottom', 7)
                x, y = end = fmean(values), rows.index(variant.row) + aside
                axes.scatter(values, [y] * len(values), s=16, color=colour, alpha=0.45, linewidth=0)
                name = variant.series
                axes.scatter(x, y, s=70, color=colour, edgecolor='white', zorder=3, label=name)
                axes.annotate(
                    f'{x:.2f}'.replace('-', '\N{MINUS SIGN}'), end, (0, away), ha='center', va=side,
                    textcoords='offset points', fontsize=8, color=colour, path_effects=[halo],
                )  # fmt: skip
                if variant.row in ends:
                    arrow = {'arrowstyle': '-|>', 'color': '0.6', 'shrinkA': 5, 'shrinkB': 5}
                    axes.annotate('', end, ends[variant.row], zorder=2, arrowprops=arrow)
                ends[variant.row] = end


def draw_counts(comparison: Comparison, variants: Sequence[Variant], path: str | Path) -> None:
    """Draw delta_m and every metric (of many their means) over the number of groups."""
    scores = {column.key for column in SUMMARY} - {DELTA_M}
    columns = [column for column in comparison.report.brief if column.key not in scores]
    columns.sort(key=lambda column: column.key != DELTA_M)
    counts = [int(v.row) for v in variants if comparison.values(v.label, DELTA_M)]

    def lines(column: Column) -> dict[str, dict[int, list[float]]]:
        own = {int(v.row): comparison.values(v.label, column.key) for v in variants}
        equal = comparison.values(EQUAL_WEIGHTING, column.key)
        found = {'GO4Align': own, EQUAL_WEIGHTING: dict.fromkeys(own, equal)}
        return {
            name: {count: values for count, values in points.items() if values}
            for name, points in found.items()
        }

    draw_columns(
        columns, lines, line_styles(['GO4Align'], EQUAL_WEIGHTING), path, 'number of groups K',
        ticks=[count for count in counts if len(counts) <= 10 or count in ROUND_COUNTS],
        caption=comparison.caption('Means over the seeds in a band from lowest to highest.'),
    )  # fmt: skip
