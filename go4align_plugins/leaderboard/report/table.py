"""A table of methods, and its plain forms: Markdown, CSV and text for the console."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

from go4align_plugins.benchmarks.table import Benchmark, Metric
from go4align_plugins.leaderboard.report.escaping import as_text, escape_markdown, printable
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run

Key = tuple[str, str]  # task and metric; the task is empty for what judges a method as a whole
ARROWS = {True: '↑', False: '↓'}
MAX_METRICS = 12  # columns of them in what is read as a page; more are shown by their means
FAILED = 'Failed, and in no row above; a method with failed seeds stands over those that it has:'
OPTIMISTIC = (
    'Best epoch on the test set, as LibMTL reports it: optimistic, chosen by what it is judged by'
)
SPREAD = '± is the standard deviation over seeds.'
BEST = 'best'  # in the column `epochs` of a CSV: the rest are means over the last epochs


def printed_unit(metric: Metric) -> tuple[float, str]:
    """The factor from a stored figure to the printed one, and the unit that it then has."""
    # A relative error is no share of pixels: the papers print it as it is.
    if metric.unit == 'share':
        return (100.0, '%') if metric.higher_is_better else (1.0, '')
    return 1.0, {'degrees': '°'}.get(metric.unit, metric.unit)


@dataclass(frozen=True)
class Column:
    """How one figure is printed.

    Attributes:
        key: task and metric.
        title: with an arrow for the direction.
        unit: as printed.
        higher_is_better: the direction; None where no row is best.
        factor: from the stored figure to the printed one.
        digits: after the decimal point.
    """

    key: Key
    title: str
    unit: str
    higher_is_better: bool | None
    factor: float = 1.0
    digits: int = 2

    def text(self, value: float | None) -> str:
        """A figure as printed; a dash where there is none."""
        return '–' if value is None else f'{value * self.factor:.{self.digits}f}'  # noqa: RUF001


@dataclass(frozen=True)
class Row:
    """One method: its figures' means over the seeds, standard deviations and intervals.

    A figure that a method has not is absent; so is every deviation if there is one seed.
    """

    method: str
    seeds: tuple[int, ...]
    means: dict[Key, float]
    deviations: dict[Key, float] = field(default_factory=dict)
    intervals: dict[Key, tuple[float, float]] = field(default_factory=dict)


class Cell(NamedTuple):
    """A figure as printed, what it is sure to, and whether it is the best of the methods."""

    figure: str
    spread: str
    best: bool

    @property
    def text(self) -> str:
        """Both on one line."""
        return self.figure + self.spread


@dataclass(frozen=True)
class Failure:
    """A training that ended without a result: no row holds it."""

    method: str
    seed: int
    reason: str
    log: str

    def __str__(self) -> str:
        return f'{self.method}, seed {self.seed}: {self.reason} (log: {self.log})'


@dataclass(frozen=True)
class Report:
    """A table of methods, with what it is a table of.

    Attributes:
        columns: every figure.
        rows: a method each.
        caption: what was compared, in one line.
        notes: how to read it, and what is left out.
        benchmark: that they are results of.
        config: what the runs share; empty for results that were entered by hand.
        published: rows of a paper, as it prints them; never ranked with ``rows``.
        failures: what was trained in vain.
        runs: that the rows are made of, for their curves.
        best: the same table over each run's best epoch, if asked for.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str
    notes: tuple[str, ...]
    benchmark: Benchmark
    config: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[Row, ...] = ()
    failures: tuple[Failure, ...] = ()
    runs: tuple[Run, ...] = ()
    best: Report | None = None

    @property
    def brief(self) -> tuple[Column, ...]:
        """The columns that fit on a page: of many metrics, only their means over the tasks."""
        metrics = [column for column in self.columns if column.key[0]]
        if len(metrics) <= MAX_METRICS:
            return self.columns
        return tuple(column for column in self.columns if not column.key[0])

    def cells(self, columns: Sequence[Column], rows: Sequence[Row]) -> list[list[Cell]]:
        """The figures of some rows as printed, a list a row; only ``self.rows`` have a best."""
        table: list[list[Cell]] = [[] for _ in rows]
        for column in columns:
            best = _best(column, self.rows)
            for cells, row in zip(table, rows):
                figure, spread = column.text(row.means.get(column.key)), ''
                if column.key in row.deviations:
                    spread = f' ± {column.text(row.deviations[column.key])}'
                if column.key in row.intervals:
                    low, high = map(column.text, row.intervals[column.key])
                    spread += f' [{low}, {high}]'
                is_rival = rows is self.rows and row.method != SINGLE_TASK
                cells.append(Cell(figure, spread, is_rival and figure == best))
        return table

    def markdown(self) -> str:
        """As Markdown tables; the best of the multi-task methods is bold, a paper's rows italic."""
        columns = self.brief
        titles = [
            '<br>'.join(filter(None, (c.key[0], escape_markdown(c.title), c.unit))) for c in columns
        ]
        lines = [['method', *titles], ['---', *('---:' for _ in titles)]]
        for row, cells in zip(self.rows, self.cells(columns, self.rows)):
            figures = [f'**{cell.text}**' if cell.best else cell.text for cell in cells]
            lines.append([escape_markdown(row.method), *figures])
        for row, cells in zip(self.published, self.cells(columns, self.published)):
            texts = [escape_markdown(f'{row.method} (published)'), *(cell.text for cell in cells)]
            lines.append([f'*{text}*' for text in texts])
        table = _markdown_table(lines)
        failures = '\n'.join(f'- {escape_markdown(str(failure))}' for failure in self.failures)
        parts = [table, *map(escape_markdown, (self.caption, *self.notes))]
        details = [column for column in self.columns if column not in columns]
        if details:
            parts.append(self._markdown_details(details))
        if failures:
            parts += [FAILED, failures]
        if self.best is not None:
            parts += [f'### {OPTIMISTIC}', self.best.markdown().rstrip('\n')]
        return '\n\n'.join(parts) + '\n'

    def _markdown_details(self, columns: Sequence[Column]) -> str:
        """A line a metric and a column a method: 40 tasks are longer than a page is wide."""
        methods = [escape_markdown(row.method) for row in self.rows]
        lines = [['metric', *methods], ['---', *('---:' for _ in methods)]]
        for column, *cells in zip(columns, *self.cells(columns, self.rows)):
            name = ' '.join(filter(None, (column.key[0], column.title, column.unit)))
            figures = [f'**{cell.text}**' if cell.best else cell.text for cell in cells]
            lines.append([escape_markdown(name), *figures])
        return _markdown_table(lines)

    def console(self) -> str:
        """With aligned columns; the best of the multi-task methods carries a star."""
        columns = self.brief
        bodies = [
            [
                [name, *(f'{cell.text}{"*" if cell.best else " "}' for cell in cells)]
                for name, cells in zip(names, self.cells(columns, rows))
            ]
            for rows, names in (
                (self.rows, [printable(row.method) for row in self.rows]),
                (self.published, [f'{row.method} (published)' for row in self.published]),
            )
        ]
        titles = ['', *(f'{column.title} ' for column in columns)]
        units = ['method', *(f'{column.unit} ' for column in columns)]
        lines = [titles, units, *bodies[0], *bodies[1]]
        widths = [max(map(len, column)) for column in zip(*lines)]
        heads = _align([''], widths[:1])
        for task, group in groupby(zip(columns, widths[1:]), lambda pair: pair[0].key[0]):
            span = sum(width + 2 for _, width in group)
            heads += '  ' + task[: span - 3].center(span - 2)
        rule = '-' * len(_align(titles, widths))
        blocks = [[titles, units], *filter(None, bodies)]
        text = [heads.rstrip()]
        for block in blocks:
            text += [*(_align(line, widths) for line in block), rule]
        text += [self.caption, *self.notes]
        if self.failures:
            text += [FAILED, *(f'  {printable(str(failure))}' for failure in self.failures)]
        if self.best is not None:
            text += ['', OPTIMISTIC, self.best.console().rstrip('\n')]
        return '\n'.join(text) + '\n'

    def csv(self) -> str:
        """As comma-separated values: one line a method, figures as stored at full precision.

        The best epochs' lines follow, told apart by the column ``epochs``.
        """
        rows = [('last', row) for row in self.rows]
        if self.best is not None:
            rows += [(BEST, row) for row in self.best.rows]
        columns: dict[str, list[float | str]] = {'benchmark': [self.benchmark.name] * len(rows)}
        if self.best is not None:
            columns['epochs'] = [epochs for epochs, _ in rows]
        for column in self.columns:
            key, name = column.key, '/'.join(filter(None, column.key))
            columns[name] = [row.means.get(key, '') for _, row in rows]
            if any(key in row.deviations for _, row in rows):
                columns[f'{name} std'] = [row.deviations.get(key, '') for _, row in rows]
            if any(key in row.intervals for _, row in rows):
                for end, side in enumerate(('low', 'high')):
                    columns[f'{name} {side}'] = [
                        row.intervals[key][end] if key in row.intervals else '' for _, row in rows
                    ]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(['method', 'seeds', *columns])
        for (_, row), *figures in zip(rows, *columns.values()):
            writer.writerow([as_text(row.method), ' '.join(map(str, row.seeds)), *figures])
        return stream.getvalue()

    def write(self, folder: str | Path, formats: Sequence[str] = ('md', 'csv')) -> list[Path]:
        """Writes ``report.FORMAT`` into a folder, as :func:`formats.write_report` does."""
        from go4align_plugins.leaderboard.report.formats import (
            write_report,  # it renders what this is
        )

        return write_report(self, folder, formats)


def _best(column: Column, rows: Sequence[Row]) -> str | None:
    """The best figure of the multi-task methods as printed; None where there is nothing to win."""
    rivals = [row.means.get(column.key, nan) for row in rows if row.method != SINGLE_TASK]
    finite = list(filter(isfinite, rivals))
    if column.higher_is_better is None or len(rivals) < 2 or not finite:
        return None
    return column.text(max(finite) if column.higher_is_better else min(finite))


def _markdown_table(lines: Sequence[Sequence[str]]) -> str:
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The method to the left, figures to the right."""
    first, *others = (
        cell.rjust(width) if index else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths))
    )
    return '  '.join((first, *others))
