"""Hold a table of methods: columns, rows, and each figure as printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any, NamedTuple

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run
from go4align_plugins.tasks import Metric
from go4align_plugins.utils.optional import import_optional

Cell = tuple[str, str, bool]  # a figure, its deviation and interval, whether it is the best
Key = tuple[str, str]  # task and metric; the task is empty for scores of the method as a whole
PARTS = {'': 'means', ' std': 'deviations', ' low': 'lows', ' high': 'highs'}
"""The parts of a figure: the end of their column's name in a CSV -> a row's field."""
MAX_METRICS = 12  # columns of them on a page; more are shown by their means
FAILED = 'Failed, and in no row above; a method with failed seeds stands over those that it has:'
OPTIMISTIC = (
    'Best epoch on the test set, as LibMTL reports it: optimistic, chosen by what it is judged by'
)


def check(valid: object, rule: str, found: object) -> None:
    """Raise a ValueError that names the rule and the finding, unless it is valid."""
    if not valid:
        raise ValueError(f'{rule}. Found {found}.')


@dataclass(frozen=True)
class Column:
    """The print of one figure; its factor to the stored one."""

    key: Key
    title: str
    unit: str
    higher_is_better: bool | None  # None where no row is best
    factor: float = 1.0
    digits: int = 2

    @classmethod
    def of(cls, task: str, metric: Metric, rows: Sequence[Row] = ()) -> Column:
        """Print as the papers do: percent and angles to two digits, small errors to four."""
        key, higher = (task, metric.name), metric.higher_is_better
        unit = {'share': '%', 'degrees': '°'}.get(metric.unit, metric.unit)
        small = all(abs(row.means.get(key, 0.0)) < 10 for row in rows)
        digits = 4 if small and unit not in ('%', '°') else 2
        title = f'{metric.name} {"↑" if higher else "↓"}'
        return cls(key, title, unit, higher, 100.0 if unit == '%' else 1.0, digits)

    @property
    def heading(self) -> str:
        """Its title with its unit."""
        return f'{self.title} ({self.unit})' if self.unit else self.title

    def text(self, value: float | None) -> str:
        """Print a figure; a dash where there is none."""
        return '–' if value is None else f'{value * self.factor:.{self.digits}f}'  # noqa: RUF001

    def best(self, rows: Sequence[Row]) -> str | None:
        """Print the best figure of the multi-task methods; None of a single method."""
        rivals = [row.means.get(self.key, nan) for row in rows if row.method != SINGLE_TASK]
        finite = list(filter(isfinite, rivals))
        if self.higher_is_better is None or len(rivals) < 2 or not finite:
            return None
        return self.text(max(finite) if self.higher_is_better else min(finite))


@dataclass(frozen=True)
class Row:
    """One method's figures over its seeds; those that it has not are absent."""

    method: str
    seeds: tuple[int, ...]
    means: dict[Key, float]
    deviations: dict[Key, float] = field(default_factory=dict)  # none of a single seed
    lows: dict[Key, float] = field(default_factory=dict)  # ends of intervals
    highs: dict[Key, float] = field(default_factory=dict)
    values: dict[Key, dict[int, float]] = field(default_factory=dict)  # by seed


class Failure(NamedTuple):
    """A training that ended without a result: no row holds it."""

    method: str
    seed: int
    reason: str
    log: str

    def __str__(self) -> str:
        return f'{self.method}, seed {self.seed}: {self.reason} (log: {self.log})'


@dataclass(frozen=True)
class Table:
    """A table of methods."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str  # the benchmark and the runs, in one line
    notes: tuple[str, ...]  # how to read it, and the figures that are left out
    benchmark: Benchmark
    config: Mapping[str, Any] = field(default_factory=dict)  # empty for results entered by hand
    published: tuple[Row, ...] = ()  # of a paper, as it prints them; never ranked with ``rows``
    failures: tuple[Failure, ...] = ()
    runs: tuple[Run, ...] = ()  # that the rows are made of, for their curves
    best: Table | None = None  # the same over each run's best epoch, if asked for

    @property
    def brief(self) -> tuple[Column, ...]:
        """The columns that fit on a page: of many metrics, only their means over the tasks."""
        scores = tuple(column for column in self.columns if not column.key[0])
        return self.columns if len(self.columns) - len(scores) <= MAX_METRICS else scores

    def cells(self, columns: Sequence[Column]) -> Iterator[tuple[Row, list[Cell]]]:
        """Print the figures of every row, the published ones last; only ``rows`` have a best."""
        best = {column.key: column.best(self.rows) for column in columns}
        for number, row in enumerate((*self.rows, *self.published)):
            ranked = number < len(self.rows) and row.method != SINGLE_TASK
            cells: list[Cell] = []
            for column in columns:
                key = column.key
                figure, spread = column.text(row.means.get(key)), ''
                if key in row.deviations:
                    spread = f' ± {column.text(row.deviations[key])}'
                if key in row.lows:
                    spread += f' [{column.text(row.lows[key])}, {column.text(row.highs[key])}]'
                cells.append((figure, spread, ranked and figure == best[key]))
            yield row, cells

    def lines(
        self,
        columns: Sequence[Column],
        escape: Callable[[str], str],
        best: str,
        other: str = '{}',
        published: str = '{}',
    ) -> list[list[str]]:
        """Print a line a row, its name first, by the formats of a markup."""
        lines = []
        for row, cells in self.cells(columns):
            mark = published if row in self.published else '{}'
            texts = [(best if top else other).format(escape(f'{a}{b}')) for a, b, top in cells]
            lines.append([mark.format(text) for text in (escape(row.method), *texts)])
        return lines


def frame(lines: Sequence[Sequence[str]], heads: Sequence[Sequence[str]]) -> Any:
    """Return a pandas frame of lines that begin with a method, below heads of several levels."""
    pandas = import_optional('pandas', user='Tables')
    names, *texts = zip(*lines)
    levels = [''] * (len(heads[0]) - 1) + ['method']
    columns = pandas.MultiIndex.from_tuples(heads, names=levels)
    return pandas.DataFrame(list(zip(*texts)), index=names, columns=columns, dtype=object)
