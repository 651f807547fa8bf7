"""Read results that were entered by hand: a CSV in the form in which reports are written.

A line a method: ``method``, ``seeds`` (may be empty) and a column a metric named ``task/metric``,
with figures as stored (shares in [0, 1]). The method ``STL`` holds the single-task results. Other
columns of ``report.csv``, as ``task/metric std``, are read, too; scores are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any

from go4align_plugins.data import BENCHMARKS, Benchmark, get_benchmark
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import BOTH, DELTA_M, SUMMARY, Scoring
from go4align_plugins.leaderboard.report.table import SPREAD, Key, Row
from go4align_plugins.leaderboard.report.text import BEST, from_text
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK
from go4align_plugins.utils.texts import read_table

LABELS = ('method', 'seeds', 'benchmark', 'epochs')
PARTS = (' std', ' low', ' high')  # of a figure, beside its mean


def report_of_table(path: str | Path, benchmark: Benchmark | None = None) -> Report:
    """Report a table that was entered by hand.

    Args:
        path: of the CSV.
        benchmark: that it is of; None: the one named in its column ``benchmark``, else the
            smallest that has all of its tasks and metrics.

    Raises:
        ValueError: if the file is no table of that form; the message names the place.
    """
    path = Path(path)
    benchmark = benchmark or _find_benchmark(path)
    rows = read_rows(path, benchmark)
    baseline = next((row.means for row in rows if row.method == SINGLE_TASK), {})
    tasks = {task for row in rows for task, _ in row.means if task}
    scoring = Scoring(benchmark.select(tasks), baseline)
    for row in rows:
        if row.method != SINGLE_TASK:
            row.means.update(scoring.scores(row.means))
    columns = scoring.tabulate(rows)
    notes = [scoring.obstacle or BOTH]
    if scoring.obstacle and any(DELTA_M in row.means for row in rows):
        notes = [f'delta_m is as entered; there is nothing to compute it from: no {SINGLE_TASK}.']
    if any(row.deviations for row in rows):
        notes.append(SPREAD)
    caption = f'{benchmark.title}; results as entered in {path.name}.'
    return Report(columns, tuple(rows), caption, tuple(notes), benchmark)


def read_rows(path: Path, benchmark: Benchmark) -> list[Row]:
    """Read the methods of a table; the lines of best epochs are passed over.

    Raises:
        ValueError: if the file is no table of that form; the message names the line, the rule and
            the value.
    """
    header, *lines = _read(path)
    keys = {name: _split(name) for name in header if name not in LABELS}
    for name, key in keys.items():
        if not _is_known(key, benchmark):
            raise ValueError(
                f'{path} should have columns named task/metric of {benchmark.name}. Found `{name}`.'
            )
    rows: dict[str, Row] = {}
    for number, values in enumerate(lines, start=2):
        where = f'{path}, line {number},'
        if len(values) != len(header):
            raise ValueError(f'{where} should have {len(header)} values. Found {len(values)}.')
        line = dict(zip(header, values))
        if line.get('epochs') == BEST:
            continue
        row = _row(line, keys, benchmark, where)
        if not row.method or row.method in rows:
            raise ValueError(f'{where} should name another method. Found `{row.method}`.')
        rows[row.method] = row
    if not rows:
        raise ValueError(f'{path} should hold at least one method. Found none.')
    return list(rows.values())


def _read(path: Path) -> list[list[str]]:
    # Not by pandas: it completes short lines and renames repeated columns without a word.
    try:
        lines = read_table(path)
    except (OSError, ValueError) as error:
        raise ValueError(f'{path} should be a table as CSV. {error}') from error
    header = lines[0] if lines else []
    if 'method' not in header or len(set(header)) != len(header):
        raise ValueError(
            f'{path} should begin with the names of its columns, each once, `method` among them. '
            f'Found {", ".join(header) or "nothing"}.'
        )
    return lines


def _find_benchmark(path: Path) -> Benchmark:
    header, *lines = _read(path)
    for line in lines:
        name = dict(zip(header, line)).get('benchmark')
        if name:
            return get_benchmark(name)
    keys = [_split(name) for name in header if name not in LABELS]
    fitting = [b for b in BENCHMARKS.values() if all(_is_known(key, b) for key in keys)]
    if not fitting:
        known = '; '.join(f'{b.name}: {", ".join(b.task_names)}' for b in BENCHMARKS.values())
        raise ValueError(
            f'{path} should have columns named task/metric of one benchmark ({known}).'
        )
    return min(fitting, key=lambda benchmark: len(benchmark.tasks))


def _split(name: str) -> Key:
    for part in PARTS:
        name = name.removesuffix(part)
    task, _, metric = name.rpartition('/')
    return task, metric


def _is_known(key: Key, benchmark: Benchmark) -> bool:
    task, metric = key
    if not task:
        return metric.startswith('mean ') or any(column.key == key for column in SUMMARY)
    return task in benchmark.task_names and any(
        known.name == metric for known in benchmark.task(task).metrics
    )


def _row(line: Mapping[str, str], keys: Mapping[str, Key], benchmark: Benchmark, where: str) -> Row:
    figures = {
        name: _convert(line[name], float, f'{where} {name} should be a number')
        for name in keys
        if line[name]
    }
    fields = line.get('seeds', '').split()
    seeds = tuple(_convert(each, int, f'{where} seeds should be whole numbers') for each in fields)
    row = Row(from_text(line['method']), seeds, {})
    for name, value in figures.items():
        key = keys[name]
        if name.endswith(' std'):
            row.deviations[key] = value
        elif name.endswith(' low'):
            row.intervals[key] = value, figures.get(f'{name.removesuffix(" low")} high', inf)
        elif not name.endswith(' high'):
            metrics = benchmark.task(key[0]).metrics if key[0] else ()
            if value > 1 and any(m.name == key[1] and m.unit == 'share' for m in metrics):
                raise ValueError(
                    f'{where} {name} should be a share in [0, 1], not percent. Found {value:g}.'
                )
            row.means[key] = value
    return row


def _convert(text: str, kind: Callable[[str], Any], rule: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f'{rule}. Found `{text}`.') from error
