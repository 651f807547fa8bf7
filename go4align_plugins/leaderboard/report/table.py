"""Hold a table of methods: columns, rows, and each figure as printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite, nan
from typing import Any, NamedTuple

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run
from go4align_plugins.tasks import Metric
from go4align_plugins.utils.optional import import_optional

Key = tuple[str, str]  # task and metric; the task is empty for scores of the method as a whole
ARROWS = {True: '↑', False: '↓'}
MAX_METRICS = 12  # columns of them on a page; more are shown by their means
FAILED = 'Failed, and in no row above; a method with failed seeds stands over those that it has:'
OPTIMISTIC = (
    'Best epoch on the test set, as LibMTL reports it: optimistic, chosen by what it is judged by'
)
SPREAD = '± is the standard deviation over seeds.'


def printed_unit(metric: Metric) -> tuple[float, str]:
    """Return the factor from a stored figure to the printed one, and the unit that it then has."""
    # A relative error is no share of pixels: the papers print it as it is.
    if metric.unit == 'share':
        return (100.0, '%') if metric.higher_is_better else (1.0, '')
    return 1.0, {'degrees': '°'}.get(metric.unit, metric.unit)


@dataclass(frozen=True)
class Column:
    """The print of one figure: its title and unit, its factor to the stored one, its digits.

    The direction is None where no row is best.
    """

    key: Key
    title: str
    unit: str
    higher_is_better: bool | None
    factor: float = 1.0
    digits: int = 2

    def text(self, value: float | None) -> str:
        """Print a figure; a dash where there is none."""
        return '–' if value is None else f'{value * self.factor:.{self.digits}f}'  # noqa: RUF001


@dataclass(frozen=True)
class Row:
    """One method: means, standard deviations, intervals and values by seed of its figures.

    A figure that a method has not is absent; so is every deviation if there is one seed.
    """

    method: str
    seeds: tuple[int, ...]
    means: dict[Key, float]
    deviations: dict[Key, float] = field(default_factory=dict)
    intervals: dict[Key, tuple[float, float]] = field(default_factory=dict)
    values: dict[Key, dict[int, float]] = field(default_factory=dict)


class Cell(NamedTuple):
    """A figure as printed, its deviation and interval, and whether it is the best."""

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
class Table:
    """A table of methods.

    Attributes:
        columns: every figure.
        rows: a method each.
        caption: the benchmark and the runs, in one line.
        notes: how to read it, and the figures that are left out.
        benchmark: that they are results of.
        config: the options that the runs share; empty for results that were entered by hand.
        published: rows of a paper, as it prints them; never ranked with ``rows``.
        failures: trainings without a result.
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
    best: Table | None = None

    @property
    def brief(self) -> tuple[Column, ...]:
        """The columns that fit on a page: of many metrics, only their means over the tasks."""
        metrics = [column for column in self.columns if column.key[0]]
        if len(metrics) <= MAX_METRICS:
            return self.columns
        return tuple(column for column in self.columns if not column.key[0])

    def cells(self, columns: Sequence[Column], rows: Sequence[Row]) -> list[list[Cell]]:
        """Print the figures of some rows, a list a row; only ``self.rows`` have a best."""
        best = {column.key: _best(column, self.rows) for column in columns}
        return [[_cell(column, row, best, rows is self.rows) for column in columns] for row in rows]

    def lines(self, columns: Sequence[Column]) -> Iterator[tuple[str, list[Cell], bool]]:
        """Yield each row's name and cells, and whether it is a published one."""
        for row, cells in zip(self.rows, self.cells(columns, self.rows)):
            yield row.method, cells, False
        for row, cells in zip(self.published, self.cells(columns, self.published)):
            yield f'{row.method} (published)', cells, True


def frame(lines: Sequence[Sequence[str]], heads: Sequence[Sequence[str]], label: str) -> Any:
    """Return a pandas frame of lines that begin with a name, below heads of several levels.

    Raises:
        ImportError: if pandas is absent.
    """
    pandas = import_optional('pandas', user='Tables')
    names, texts = [line[0] for line in lines], [list(line[1:]) for line in lines]
    levels = [''] * (len(heads[0]) - 1) + [label]
    columns = pandas.MultiIndex.from_tuples(list(map(tuple, heads)), names=levels)
    return pandas.DataFrame(texts, index=names, columns=columns, dtype=object)


def spans(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return each task and its number of columns, in their order."""
    tasks = groupby(columns, lambda column: column.key[0])
    return [(task, len(list(group))) for task, group in tasks]


def _cell(column: Column, row: Row, best: Mapping[Key, str | None], ranked: bool) -> Cell:
    key = column.key
    figure, spread = column.text(row.means.get(key)), ''
    if key in row.deviations:
        spread = f' ± {column.text(row.deviations[key])}'
    if key in row.intervals:
        low, high = map(column.text, row.intervals[key])
        spread += f' [{low}, {high}]'
    return Cell(figure, spread, ranked and row.method != SINGLE_TASK and figure == best[key])


def _best(column: Column, rows: Sequence[Row]) -> str | None:
    """Find the best figure of the multi-task methods as printed; None of a single method."""
    rivals = [row.means.get(column.key, nan) for row in rows if row.method != SINGLE_TASK]
    finite = list(filter(isfinite, rivals))
    if column.higher_is_better is None or len(rivals) < 2 or not finite:
        return None
    return column.text(max(finite) if column.higher_is_better else min(finite))
