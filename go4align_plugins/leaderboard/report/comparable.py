"""Check that the runs of one table differ in method, seed and single task alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.run.runs import Run, by_method

SHARED = (
    'framework', 'benchmark', 'num_frames', 'image_size', 'protocol', 'arch', 'arch_args',
    'backbone', 'pretrained', 'epochs', 'batch_size', 'augment', 'optim_param', 'scheduler_param',
    'optimizer', 'param_scheduler',
)  # fmt: skip


def check_comparable(
    runs: Sequence[Run], baseline_runs: Sequence[Run], benchmark: Benchmark
) -> None:
    """Refuse runs that cannot be compared, or are not finished.

    Raises:
        ValueError: if so; the message names the runs and the reason.
    """
    if not runs:
        raise ValueError('Parameter `runs` should hold a run of several tasks. Found none.')
    for run in (*runs, *baseline_runs):
        if run.config['benchmark'] != benchmark.name:
            found = f'{run.config["benchmark"]} in {run.folder}'
            raise ValueError(f'Runs should be of benchmark {benchmark.name}. Found {found}.')
        if len(run.epochs) != run.config['epochs']:
            raise ValueError(
                f'Runs should be finished. Found {run.folder} at {len(run.epochs)} of '
                f'{run.config["epochs"]} epochs: go on with it first.'
            )
    check_shared((*runs, *baseline_runs))
    for run in runs:
        if run.single_task or set(run.tasks) != set(runs[0].tasks):
            raise ValueError(
                'Multi-task runs in one table should share several tasks. Found '
                f'{", ".join(runs[0].tasks)} in {runs[0].folder}, '
                f'{", ".join(run.tasks)} in {run.folder}.'
            )
    seen: dict[tuple[str, tuple[str, ...], int], Run] = {}
    for method, group in by_method((*runs, *baseline_runs)).items():
        for run in group:
            first = seen.setdefault((method, run.tasks, run.config['seed']), run)
            if first is not run:
                raise ValueError(
                    f'Runs of one method should differ in their seed. Found seed '
                    f'{run.config["seed"]} of {method} in {first.folder} and {run.folder}.'
                )


def check_shared(runs: Sequence[Run]) -> None:
    """Refuse runs that differ in more than method, seed and single task.

    Raises:
        ValueError: if so; the message names the option, the runs and the values.
    """
    for run in runs:
        for key in SHARED:
            expected, found = (_option(r.config, key) for r in (runs[0], run))
            if found != expected:
                raise ValueError(
                    f'Runs in one table should share their {key}. '
                    f'Found {expected} in {runs[0].folder}, {found} in {run.folder}.'
                )


def _option(config: Mapping[str, Any], key: str) -> Any:
    if key == 'optimizer':  # MMEngine's is in its wrapper, whose own type is the method's
        return (config.get('optim_wrapper') or {}).get(key)
    return config.get(key)
