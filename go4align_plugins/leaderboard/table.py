"""A table of methods: as Markdown, as CSV and as plain text for the console."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite, nan
from pathlib import Path

from go4align_plugins.benchmarks.table import Metric
from go4align_plugins.leaderboard.runs import SINGLE_TASK

Key = tuple[str, str]  # task and metric; the task is empty for what judges a method as a whole
ARROWS = {True: '↑', False: '↓'}


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


@dataclass(frozen=True)
class Row:
    """One method: the means of its figures over its seeds, and their standard deviations.

    A figure that a method has not is absent; so is every deviation if there is one seed.
    """

    method: str
    seeds: tuple[int, ...]
    means: dict[Key, float]
    deviations: dict[Key, float]


@dataclass(frozen=True)
class Report:
    """A table of methods, with what it is a table of."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """As a Markdown table; the best of the multi-task methods is bold."""
        escaped = (c.title.replace('<', '&lt;') for c in self.columns)
        titles = [
            '<br>'.join(filter(None, (c.key[0], title, c.unit)))
            for c, title in zip(self.columns, escaped)
        ]
        cells = self._cells(lambda text, best: f'**{text}**' if best else text)
        lines = [['method', *titles], ['---', *('---:' for _ in titles)], *cells]
        table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
        return '\n\n'.join((table, self.caption, *self.notes)) + '\n'

    def console(self) -> str:
        """With aligned columns; the best of the multi-task methods carries a star."""
        cells = self._cells(lambda text, best: f'{text}*' if best else f'{text} ')
        titles = ['', *(f'{column.title} ' for column in self.columns)]
        units = ['method', *(f'{column.unit} ' for column in self.columns)]
        lines = [titles, units, *cells]
        widths = [max(map(len, column)) for column in zip(*lines)]
        text = [_align(line, widths) for line in lines]
        heads = _align([''], widths[:1])
        for task, group in groupby(zip(self.columns, widths[1:]), lambda pair: pair[0].key[0]):
            span = sum(width + 2 for _, width in group)
            heads += '  ' + task[: span - 3].center(span - 2)
        rule = '-' * len(text[0])
        table = '\n'.join([heads.rstrip(), *text[:2], rule, *text[2:], rule])
        return '\n'.join((table, self.caption, *self.notes)) + '\n'

    def csv(self) -> str:
        """As comma-separated values: one line a method, figures as stored at full precision."""
        columns: dict[str, list[float | str]] = {}
        for column in self.columns:
            name = '/'.join(filter(None, column.key))
            columns[name] = [row.means.get(column.key, '') for row in self.rows]
            if any(column.key in row.deviations for row in self.rows):
                columns[f'{name} std'] = [row.deviations.get(column.key, '') for row in self.rows]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(['method', 'seeds', *columns])
        for row, *figures in zip(self.rows, *columns.values()):
            writer.writerow([row.method, ' '.join(map(str, row.seeds)), *figures])
        return stream.getvalue()

    def write(self, folder: str | Path) -> list[Path]:
        """Writes ``report.md`` and ``report.csv`` into a folder, which is made if need be."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, text in (('report.md', self.markdown()), ('report.csv', self.csv())):
            aside = folder / f'.{name}'
            aside.write_text(text, encoding='utf-8')
            paths.append(aside.replace(folder / name))
        return paths

    def _cells(self, mark: Callable[[str, bool], str]) -> list[list[str]]:
        """The text of each row; ``mark`` is told which figures are the best that is printed."""
        lines = [[row.method] for row in self.rows]
        for column in self.columns:
            printed = [_number(column, row.means.get(column.key)) for row in self.rows]
            best = _best(column, self.rows)
            for line, row, text in zip(lines, self.rows, printed):
                deviation = row.deviations.get(column.key)
                spread = '' if deviation is None else f' ± {_number(column, deviation)}'
                is_best = best is not None and text == best and row.method != SINGLE_TASK
                line.append(mark(text + spread, is_best))
        return lines


def _number(column: Column, value: float | None) -> str:
    return '–' if value is None else f'{value * column.factor:.{column.digits}f}'  # noqa: RUF001


def _best(column: Column, rows: Sequence[Row]) -> str | None:
    """The best figure of the multi-task methods as printed; None where there is nothing to win."""
    rivals = [row.means.get(column.key, nan) for row in rows if row.method != SINGLE_TASK]
    finite = list(filter(isfinite, rivals))
    if column.higher_is_better is None or len(rivals) < 2 or not finite:
        return None
    return _number(column, max(finite) if column.higher_is_better else min(finite))


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The method to the left, figures to the right."""
    first, *others = (
        cell.rjust(width) if index else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths))
    )
    return '  '.join((first, *others))
