"""Read results from leaderboards, stores and run folders, and check that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.report.table import Failure, check
from go4align_plugins.leaderboard.run.plan import PLAN, load_plan
from go4align_plugins.leaderboard.run.runs import Run, by_method, load_run
from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store

SHARED = (
    'framework', 'benchmark', 'num_frames', 'image_size', 'protocol', 'arch', 'arch_args',
    'backbone', 'pretrained', 'epochs', 'batch_size', 'augment', 'optim_param', 'scheduler_param',
    'optimizer', 'param_scheduler',
)  # fmt: skip


def load_results(paths: Iterable[str | Path]) -> tuple[list[Run], list[Failure]]:
    """Read finished runs, and failed ones.

    Each path is a leaderboard, whose results come in the order of its plan, a store (``.jsonl``) or
    a run folder.
    """
    runs, failures = [], []
    for path in map(Path, paths):
        store = path if path.suffix == '.jsonl' else path / RESULTS
        if not store.is_file():
            rule = (
                f'{path} should be a leaderboard (a folder with {RESULTS}), a store or a run '
                'folder (with config.json)'
            )
            valid = path.suffix != '.jsonl' and (path / 'config.json').is_file()
            check(valid, rule, 'neither' if path.exists() else 'nothing')
            runs.append(load_run(path))
            continue
        cells = load_plan(store.parent).cells() if store.with_name(PLAN).exists() else []
        places = {cell.name: place for place, cell in enumerate(cells)}
        entries = Store(store).entries().values()
        for entry in sorted(entries, key=lambda entry: places.get(entry.cell, len(places))):
            if entry.finished:
                runs.append(entry.run)
            else:
                failures.append(failure_of(entry, entry.method))
    return runs, failures


def failure_of(entry: Entry, label: str) -> Failure:
    """Describe a failed entry under a method's name."""
    name = label if entry.task is None else f'{label} ({entry.task})'
    return Failure(name, entry.seed, entry.reason or 'not recorded', entry.log or 'none')


def check_comparable(runs: Sequence[Run], singles: Sequence[Run], benchmark: Benchmark) -> None:
    """Refuse runs that are not finished, or differ in more than method, seed and single task."""
    check(runs, 'Parameter `runs` should hold a run of several tasks', 'none')
    everything = (*runs, *singles)
    for run in everything:
        name, done, epochs = run.config['benchmark'], len(run.epochs), run.config['epochs']
        rule = f'Runs should be of benchmark {benchmark.name}'
        check(name == benchmark.name, rule, f'{name} in {run.folder}')
        progress = f'{run.folder} at {done} of {epochs} epochs: go on with it first'
        check(done == epochs, 'Runs should be finished', progress)
    check_shared(everything)
    for run in runs:
        tasks = (f'{", ".join(each.tasks)} in {each.folder}' for each in (runs[0], run))
        fits = not run.single_task and set(run.tasks) == set(runs[0].tasks)
        rule = 'Multi-task runs in one table should share several tasks'
        check(fits, rule, ', '.join(tasks))
    seen: dict[tuple[str, tuple[str, ...], int], Run] = {}
    for method, group in by_method(everything).items():
        for run in group:
            seed = run.config['seed']
            first = seen.setdefault((method, run.tasks, seed), run)
            found = f'seed {seed} of {method} in {first.folder} and {run.folder}'
            check(first is run, 'Runs of one method should differ in their seed', found)


def check_shared(runs: Sequence[Run]) -> None:
    """Refuse runs that differ in an option of their protocol; the message names it."""
    for run, key in product(runs, SHARED):
        expected, found = (
            # MMEngine's optimizer is in its wrapper, whose own type is the method's.
            (each.config.get('optim_wrapper') or {} if key == 'optimizer' else each.config).get(key)
            for each in (runs[0], run)
        )
        both = f'{expected} in {runs[0].folder}, {found} in {run.folder}'
        check(found == expected, f'Runs in one table should share their {key}', both)
