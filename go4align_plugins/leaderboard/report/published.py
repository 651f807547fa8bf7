"""Read the papers' tables, as rows and as runs that a report is built from.

The tables are in ``papers/``, in the form in which anyone enters results: see ``csv_results``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.report.csv_results import read_rows
from go4align_plugins.leaderboard.report.table import Row
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run

PAPERS = Path(__file__).with_name('papers')
SEEDS = (0, 1, 2)  # the paper has three, and does not name them
MODEL, EPOCHS = 'SegNet-MTAN', 200


class Source(NamedTuple):
    """The number of a printed table, its batch size, and its known misprint."""

    table: str
    batch_size: int
    misprint: str


SOURCES = {
    'nyuv2': Source('Table 1', 2, 'delta_m of IMTL-G is a misprint: its row recomputes to -0.60'),
    'cityscapes': Source(
        'Table 2', 8, "LS is NashMTL's and FAMO's row, as the paper repeats SI's there by mistake"
    ),
}


def published_rows(name: str) -> tuple[Row, ...]:
    """Read the GO4Align paper's table, as printed: single tasks, then every method."""
    if name not in SOURCES:
        raise ValueError(
            f'Published results are of {", ".join(SOURCES)}, on their own images alone. '
            f'Found benchmark {name}.'
        )
    benchmark = get_benchmark(name)
    single = {
        (task, metric): value
        for task, metrics in (benchmark.single_task or {}).items()
        for metric, value in metrics.items()
    }
    rows = read_rows(PAPERS / f'{name}.csv', benchmark)
    return tuple(Row(row.method, SEEDS, row.means) for row in (Row(SINGLE_TASK, (), single), *rows))


def published_remark(name: str, config: Mapping[str, Any]) -> str:
    """Name the source of published rows, and how their protocol differs from some runs'."""
    source, benchmark = SOURCES[name], get_benchmark(name)
    facts = {
        'frames': (benchmark.num_frames, config.get('num_frames')),
        'image size': (benchmark.image_size, config.get('image_size')),
        'model': (MODEL, f'{config.get("arch")} {config.get("backbone")}'),
        'epochs': (EPOCHS, config.get('epochs')),
        'batch size': (source.batch_size, config.get('batch_size')),
    }
    pairs = {name: tuple(map(_print, values)) for name, values in facts.items()}
    differing = [
        f'{name} {own} there, {here} here' for name, (own, here) in pairs.items() if own != here
    ]
    return (
        f'Rows marked (published) are those of the GO4Align paper, arXiv 2404.06486, '
        f'{source.table}, as printed: means of the last 10 epochs over 3 seeds, MR among the '
        f"paper's own methods, LS being equal weighting; {source.misprint}. They were not measured "
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
    return 'not recorded' if value is None else str(value).strip()
