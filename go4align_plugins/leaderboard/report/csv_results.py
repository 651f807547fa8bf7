"""Read results that were entered by hand, the papers' among them, as a report or as runs.

The CSV is as reports are written: a line a method, ``STL`` among them, with columns ``method``,
``seeds`` (may be empty) and ``task/metric``, shares in [0, 1]. Scores in it are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any

from go4align_plugins.data import BENCHMARKS, Benchmark, get_benchmark
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import DELTA_M, SUMMARY, Scoring
from go4align_plugins.leaderboard.report.table import PARTS, Key, Row, check
from go4align_plugins.leaderboard.report.text import BEST, from_text
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run
from go4align_plugins.utils.texts import read_table

LABELS = ('method', 'seeds', 'benchmark', 'epochs')
PAPERS = Path(__file__).with_name('papers')
SEEDS = (0, 1, 2)  # the paper has three, and does not name them
MODEL, EPOCHS = 'SegNet-MTAN', 200
SOURCES = {  # table, batch size, misprint
    'nyuv2': ('Table 1', 2, 'delta_m of IMTL-G is a misprint: its row recomputes to -0.60'),
    'cityscapes': (
        'Table 2', 8, "LS is NashMTL's and FAMO's row, as the paper repeats SI's there by mistake"
    ),
}  # fmt: skip


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
    candidates = sorted(BENCHMARKS.values(), key=lambda each: len(each.tasks))
    named = [line['benchmark'] for line in table.values() if line.get('benchmark')]
    if benchmark or named:
        candidates = [benchmark or get_benchmark(named[0])]
    unknown = {each.name: _unknown(header, each) for each in candidates}
    rule = f'{path} should have columns named task/metric of {" or ".join(unknown)}'
    found = ', '.join(f'`{name}`' for name in min(unknown.values(), key=len))
    check(not found, rule, found)
    benchmark = next(each for each in candidates if not unknown[each.name])
    rows: dict[str, Row] = {}
    for where, line in table.items():
        row = _row(line, benchmark, where)
        new = row.method and row.method not in rows
        check(new, f'{where} should name another method', f'`{row.method}`')
        rows[row.method] = row
    return list(rows.values()), benchmark


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
    rule, fields = f'{where} seeds should be whole numbers', line.get('seeds', '').split()
    seeds = tuple(_convert(each, int, rule) for each in fields)
    means, deviations, lows, highs = parts.values()
    return Row(from_text(line['method']), seeds, means, deviations, lows, highs)


def _convert(text: str, kind: Callable[[str], Any], rule: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f'{rule}. Found `{text}`.') from error


def published_rows(name: str) -> tuple[Row, ...]:
    """Read the GO4Align paper's table, as printed: single tasks, then every method."""
    known = f'Published results are of {", ".join(SOURCES)}, on their own images alone'
    check(name in SOURCES, known, f'benchmark {name}')
    rows, benchmark = read_rows(PAPERS / f'{name}.csv', get_benchmark(name))
    published = (benchmark.single_task or {}).items()
    single = {(task, metric): value for task, own in published for metric, value in own.items()}
    return tuple(Row(row.method, SEEDS, row.means) for row in (Row(SINGLE_TASK, (), single), *rows))


def published_remark(name: str, config: Mapping[str, Any]) -> str:
    """Name the source of published rows, and how their protocol differs from some runs'."""
    (table, batch_size, misprint), benchmark = SOURCES[name], get_benchmark(name)
    facts = {
        'frames': (benchmark.num_frames, config.get('num_frames')),
        'image size': (benchmark.image_size, config.get('image_size')),
        'model': (MODEL, f'{config.get("arch")} {config.get("backbone")}'.strip()),
        'epochs': (EPOCHS, config.get('epochs')),
        'batch size': (batch_size, config.get('batch_size')),
    }
    pairs = {fact: tuple(map(_print, values)) for fact, values in facts.items()}
    differing = [f'{fact} {a} there, {b} here' for fact, (a, b) in pairs.items() if a != b]
    return (
        'Rows marked (published) are those of the GO4Align paper, arXiv 2404.06486, '
        f'{table}, as printed: means of the last 10 epochs over 3 seeds, MR among the '
        f"paper's own methods, LS being equal weighting; {misprint}. They were not measured "
        f'here and are not ranked with what was. What differs: {"; ".join(differing)}.'
    )


def published_runs(name: str) -> tuple[list[Run], list[Run]]:
    """Read the same table as multi-task and single-task runs, of one epoch and no time.

    Raises:
        ValueError: if no table of that benchmark was published. Those of NYUv2 and CityScapes are
            no match for the rendered `rooms` and `streets`: they are other images.
    """
    single, *rows = published_rows(name)
    names = get_benchmark(name).task_names
    return [_run(name, names, row) for row in rows], [_run(name, [task], single) for task in names]


def _run(name: str, tasks: Sequence[str], row: Row) -> Run:
    config = {
        'framework': 'published', 'benchmark': name, 'tasks': list(tasks), 'weighting': row.method,
        'protocol': 'published', 'arch': MODEL, 'backbone': '',
        'num_frames': get_benchmark(name).num_frames, 'epochs': 1, 'seed': 0,
    }  # fmt: skip
    metrics = {
        task: {metric: value for (owner, metric), value in row.means.items() if owner == task}
        for task in tasks
    }
    entry = {'epoch': 0, 'test': {'metrics': metrics}, 'seconds': {'train': nan}}
    return Run(PAPERS / name / row.method, config, (entry,))


def _print(value: Any) -> str:
    """Print a fact; lists and tuples alike."""
    if isinstance(value, Mapping):
        return ' + '.join(f'{count} {split}' for split, count in value.items())
    if isinstance(value, (list, tuple)):
        return ' × '.join(map(str, value))  # noqa: RUF001
    return 'not recorded' if value is None else str(value)
