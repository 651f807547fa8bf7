"""Read the papers' tables, as rows and as runs that a report is built from.

The tables are in ``papers/``, in the form in which anyone enters results: see ``csv_results``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path
from typing import Any

from go4align_plugins.data.table import get_benchmark
from go4align_plugins.leaderboard.report.csv_results import read_rows
from go4align_plugins.leaderboard.report.table import Row, check
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run

PAPERS = Path(__file__).with_name('papers')
SEEDS = (0, 1, 2)  # the paper has three, and does not name them
MODEL, EPOCHS = 'SegNet-MTAN', 200


SOURCES = {  # table, batch size, misprint
    'nyuv2': ('Table 1', 2, 'delta_m of IMTL-G is a misprint: its row recomputes to -0.60'),
    'cityscapes': (
        'Table 2', 8, "LS is NashMTL's and FAMO's row, as the paper repeats SI's there by mistake"
    ),
}  # fmt: skip


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
