"""Read results that were entered by hand: a CSV in the form in which reports are written.

A line a method: ``method``, ``seeds`` (may be empty) and a column a metric named ``task/metric``,
with figures as stored (shares in [0, 1]). The method ``STL`` holds the single-task results. Other
columns of ``report.csv``, as ``task/metric std``, are read, too; scores are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from typing import Any

from go4align_plugins.data.table import BENCHMARKS, Benchmark, get_benchmark
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import DELTA_M, SUMMARY, Scoring
from go4align_plugins.leaderboard.report.table import PARTS, Key, Row, check
from go4align_plugins.leaderboard.report.text import BEST, from_text
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK
from go4align_plugins.utils.texts import read_table

LABELS = ('method', 'seeds', 'benchmark', 'epochs')


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
    rows, benchmark = read_rows(path, benchmark)
    baseline = next((row.means for row in rows if row.method == SINGLE_TASK), {})
    tasks = {task for row in rows for task, _ in row.means if task}
    scoring = Scoring(benchmark.select(tasks), baseline)
    for row in rows:
        if row.method != SINGLE_TASK:
            row.means.update(scoring.scores(row.means))
    columns, notes = scoring.tabulate(rows)
    if scoring.obstacle and any(DELTA_M in row.means for row in rows):
        reason = f'there is nothing to compute it from: no {SINGLE_TASK}.'
        notes[0] = f'delta_m is as entered; {reason}'
    caption = f'{benchmark.title}; results as entered in {path.name}.'
    return Report(columns, tuple(rows), caption, tuple(notes), benchmark)


def read_rows(path: Path, benchmark: Benchmark | None) -> tuple[list[Row], Benchmark]:
    """Read a table, but lines of best epochs; a mistake is named with its line, rule and value."""
    # Not by pandas: it completes short lines and renames repeated columns without a word.
    try:
        header, *lines = read_table(path) or [[]]
    except (OSError, ValueError) as error:
        raise ValueError(f'{path} should be a table as CSV. {error}') from error
    rule = f'{path} should begin with the names of its columns, each once, `method` among them'
    valid = 'method' in header and len(set(header)) == len(header)
    check(valid, rule, ', '.join(header) or 'nothing')
    table = {}
    for number, values in enumerate(lines, start=2):
        where = f'{path}, line {number},'
        check(len(values) == len(header), f'{where} should have {len(header)} values', len(values))
        line = dict(zip(header, values))
        if line.get('epochs') != BEST:
            table[where] = line
    check(table, f'{path} should hold at least one method', 'none')
    named = [line['benchmark'] for line in table.values() if line.get('benchmark')]
    if benchmark is None:
        benchmark = get_benchmark(named[0]) if named else _find_benchmark(path, header)
    unknown = _unknown(header, benchmark)
    rule = f'{path} should have columns named task/metric of {benchmark.name}'
    check(not unknown, rule, f'`{"".join(unknown[:1])}`')
    rows: dict[str, Row] = {}
    for where, line in table.items():
        row = _row(line, benchmark, where)
        new = row.method and row.method not in rows
        check(new, f'{where} should name another method', f'`{row.method}`')
        rows[row.method] = row
    return list(rows.values()), benchmark


def _find_benchmark(path: Path, header: Iterable[str]) -> Benchmark:
    fitting = [b for b in BENCHMARKS.values() if not _unknown(header, b)]
    if not fitting:
        known = '; '.join(f'{b.name}: {", ".join(b.task_names)}' for b in BENCHMARKS.values())
        raise ValueError(
            f'{path} should have columns named task/metric of one benchmark ({known}).'
        )
    return min(fitting, key=lambda benchmark: len(benchmark.tasks))


def _unknown(names: Iterable[str], benchmark: Benchmark) -> list[str]:
    """Return the names of columns that are no labels, scores, or metrics of a benchmark."""
    known = {(task.name, metric.name) for task in benchmark.tasks for metric in task.metrics}
    known |= {column.key for column in SUMMARY}
    keys = {name: _split(name)[0] for name in names if name not in LABELS}
    return [
        name
        for name, key in keys.items()
        if key not in known and (key[0] or not key[1].startswith('mean '))
    ]


def _split(name: str) -> tuple[Key, str]:
    """Split a column's name into a figure's key and the part of it."""
    part = next((part for part in PARTS if part and name.endswith(part)), '')
    task, _, metric = name.removesuffix(part).rpartition('/')
    return (task, metric), part


def _row(line: dict[str, str], benchmark: Benchmark, where: str) -> Row:
    parts: dict[str, dict[Key, float]] = {part: {} for part in PARTS}
    for name, text in line.items():
        if name in LABELS or not text:
            continue
        (task, metric), part = _split(name)
        value = _convert(text, float, f'{where} {name} should be a number')
        metrics = benchmark.task(task).metrics if task and not part else ()
        share = any(known.name == metric and known.unit == 'share' for known in metrics)
        rule = f'{where} {name} should be a share in [0, 1], not percent'
        check(not (share and value > 1), rule, f'{value:g}')
        parts[part][task, metric] = value
    for key in parts[' low']:
        parts[' high'].setdefault(key, inf)
    fields = line.get('seeds', '').split()
    seeds = tuple(_convert(each, int, f'{where} seeds should be whole numbers') for each in fields)
    means, deviations, lows, highs = parts.values()
    return Row(from_text(line['method']), seeds, means, deviations, lows, highs)


def _convert(text: str, kind: Callable[[str], Any], rule: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f'{rule}. Found `{text}`.') from error
