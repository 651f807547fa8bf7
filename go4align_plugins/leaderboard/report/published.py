"""What the papers print: their tables as rows, and as runs that a report is built from.

The tables are in ``papers/``, in the form in which anyone enters results (see :mod:`entered`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from go4align_plugins.benchmarks.table import Benchmark, get_benchmark
from go4align_plugins.leaderboard.report.csv_results import read_rows
from go4align_plugins.leaderboard.report.table import Key, Row
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run

PAPERS = Path(__file__).with_name('papers')
SEEDS = (0, 1, 2)  # theirs are three, whichever they were


@dataclass(frozen=True)
class Source:
    """Where a table was printed, under which protocol, and what is known to be wrong in it."""

    table: str
    batch_size: int
    misprint: str
    model: str = 'SegNet-MTAN'
    epochs: int = 200


SOURCES = {
    'nyuv2': Source('Table 1', 2, 'delta_m of IMTL-G is a misprint: its row recomputes to -0.60'),
    'cityscapes': Source(
        'Table 2', 8, "LS is NashMTL's and FAMO's row, as the paper repeats SI's there by mistake"
    ),
}


def published_rows(name: str) -> tuple[Row, ...]:
    """The rows of the GO4Align paper's table of a benchmark: single tasks, then every method.

    MR and delta_m are as printed, of the paper's own methods.

    Raises:
        ValueError: if no table of that benchmark was published. Those of NYUv2 and CityScapes are
            no match for the rendered `rooms` and `streets`: they are other images.
    """
    if name not in SOURCES:
        raise ValueError(
            f'Published results are of {", ".join(SOURCES)}, on their own images alone. '
            f'Found benchmark {name}.'
        )
    benchmark = get_benchmark(name)
    rows = read_rows(PAPERS / f'{name}.csv', benchmark)
    return tuple(Row(row.method, SEEDS, row.means) for row in (_single_task(benchmark), *rows))


def published_remark(name: str, config: Mapping[str, Any]) -> str:
    """Whose rows these are, and how their protocol differs from that of some runs."""
    source, benchmark = SOURCES[name], get_benchmark(name)
    own = {
        'frames': benchmark.num_frames,
        'image size': benchmark.image_size,
        'model': source.model,
        'epochs': source.epochs,
        'batch size': source.batch_size,
    }
    other = {
        'frames': config.get('num_frames'),
        'image size': config.get('image_size'),
        'model': f'{config.get("arch")} {config.get("backbone")}',
        'epochs': config.get('epochs'),
        'batch size': config.get('batch_size'),
    }
    differing = [
        f'{key} {_say(own[key])} there, {_say(other[key])} here'
        for key in own
        if _say(own[key]) != _say(other[key])
    ]
    return (
        f'Rows marked (published) are those of the GO4Align paper, arXiv 2404.06486, '
        f'{source.table}, as printed: means of the last 10 epochs over 3 seeds, MR among the '
        f"paper's own methods, LS being equal weighting; {source.misprint}. They were not measured "
        f'here and are not ranked with what was. What differs: {"; ".join(differing)}.'
    )


def published_runs(name: str) -> tuple[list[Run], list[Run]]:
    """The same table as if it had been trained here: what :func:`build_report` takes.

    Returns:
        Multi-task runs and single-task runs, of one epoch and no time.

    Raises:
        ValueError: as :func:`published_rows`.
    """
    benchmark = get_benchmark(name)
    single, *rows = published_rows(name)
    baselines = [_run(benchmark, [task], single) for task in benchmark.task_names]
    return [_run(benchmark, list(benchmark.task_names), row) for row in rows], baselines


def _single_task(benchmark: Benchmark) -> Row:
    means: dict[Key, float] = {
        (task, metric): value
        for task, metrics in (benchmark.single_task or {}).items()
        for metric, value in metrics.items()
    }
    return Row(SINGLE_TASK, SEEDS, means)


def _run(benchmark: Benchmark, tasks: list[str], row: Row) -> Run:
    source = SOURCES[benchmark.name]
    config = {
        'framework': 'published',
        'benchmark': benchmark.name,
        'tasks': tasks,
        'weighting': row.method,
        'protocol': 'published',
        'arch': source.model,
        'backbone': '',
        'num_frames': benchmark.num_frames,
        'epochs': 1,
        'seed': 0,
    }
    metrics = {
        name: {metric.name: row.means[name, metric.name] for metric in benchmark.task(name).metrics}
        for name in tasks
    }
    entry = {'epoch': 0, 'test': {'metrics': metrics}, 'seconds': {'train': nan}}
    return Run(PAPERS / benchmark.name / row.method, config, (entry,))


def _say(value: Any) -> str:
    """A fact in words; lists and tuples alike."""
    if isinstance(value, Mapping):
        return ' + '.join(f'{count} {split}' for split, count in value.items())
    if isinstance(value, (list, tuple)):
        return ' × '.join(map(str, value))  # noqa: RUF001
    return 'not recorded' if value is None else str(value).strip()
