"""``leaderboard.py run``: trains what is missing in a leaderboard; and ``status``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from go4align_plugins.benchmarks import BENCHMARKS, get_benchmark
from go4align_plugins.benchmarks.embedded import render_if_missing
from go4align_plugins.leaderboard.run.cli_values import literal
from go4align_plugins.leaderboard.run.cluster import CLUSTERS, ClusterLauncher
from go4align_plugins.leaderboard.run.commands import check_methods
from go4align_plugins.leaderboard.run.execute import Execution
from go4align_plugins.leaderboard.run.plan import (
    FRAMEWORKS,
    PLAN,
    Plan,
    load_plan,
    read_plan,
    save_plan,
)
from go4align_plugins.leaderboard.run.processes import Launcher, LocalLauncher
from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store

PLANNED = ('framework', 'benchmark', 'methods', 'seeds', 'data', 'tasks', 'config')

DESCRIPTION = """\
Trains every method with every seed, each in a process of its own, in the folder --out. Cells that
are finished are never trained again; a cell that was killed goes on after its last epoch; a cell
that failed is reported with its log, and is tried again only with --retry. Methods and seeds given
later are added. Options that are not listed here go to the training tool as they are, for every
cell: --epochs 20 --protocol paper --no-pretrained ..."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the commands ``run`` and ``status``."""
    parser = subparsers.add_parser(
        'run',
        help='train what is missing',
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_run_options(parser)
    parser.add_argument(
        '--methods', nargs='+', metavar='METHOD',
        help='STL (each task alone), EW, GO4Align, ...; with arguments as NAME:key=value,key=value',
    )  # fmt: skip
    parser.set_defaults(command=run, takes_rest=True)
    status_parser = subparsers.add_parser('status', help='list the cells and their state')
    status_parser.add_argument('folder', type=Path, help="the leaderboard's")
    status_parser.set_defaults(command=status)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to train, all but the methods."""
    add = parser.add_argument
    add('--framework', choices=FRAMEWORKS, help='which framework trains (libmtl)')
    add('--benchmark', choices=BENCHMARKS, help='which benchmark')
    add('--seeds', nargs='+', type=int, help='each method is trained with each seed (0)')
    add('--data', help='folder of the data (data/BENCHMARK; rooms and streets are rendered there)')
    add('--tasks', nargs='+', help="some of the benchmark's tasks (all)")
    add('--config', help='mmseg: a config that weights all tasks equally (the small SegNet)')
    add('--plan', type=Path, help='a YAML file with all of these, and `options` for the tool')
    add('--out', type=Path, help='folder of the leaderboard (leaderboards/FRAMEWORK-BENCHMARK)')
    add('--workers', type=int, help='cells at a time; GPUs are shared out (1; on a cluster all)')
    add('--cluster', choices=CLUSTERS, help='submit each cell as a job, by submitit')
    add(
        '--cluster-options', nargs='+', default=[], metavar='KEY=VALUE',
        help='of the jobs: slurm_partition=gpu gpus_per_node=1 cpus_per_task=8 timeout_min=600',
    )  # fmt: skip
    add('--retry', action='store_true', help='try failed cells again')


def run(options: argparse.Namespace) -> int:
    """The command ``run``: 0 if every cell is finished, 1 if one is not."""
    folder, plan = train(options)
    own = {cell.name for cell in plan.cells()}
    entries = {name: e for name, e in Store(folder / RESULTS).entries().items() if name in own}
    failed = [entry for entry in entries.values() if not entry.finished]
    finished = len(entries) - len(failed)
    print(f'{folder}: {finished} of {len(own)} cells are finished, {len(failed)} failed.')
    for entry in failed:
        print(f'  {entry.cell}: {entry.reason} (see {folder}/{entry.log})')
    print(f'The report: python tools/leaderboard.py report {folder}')
    return 0 if finished == len(own) else 1


def train(options: argparse.Namespace, only_methods: bool = False) -> tuple[Path, Plan]:
    """Train what the options ask for and is not there yet.

    Args:
        options: those of :func:`add_run_options`, ``methods`` and ``rest``.
        only_methods: whether other methods, which the leaderboard was to have before, are left for
            the next call.

    Returns:
        The leaderboard's folder, and its plan, with the methods and seeds that it had before.

    Raises:
        ValueError: if an option is out of its range, or another process trains in the folder.
        OSError: if the folder cannot be written to.
    """
    given = {name: getattr(options, name) for name in PLANNED if getattr(options, name) is not None}
    if options.rest:
        given['options'] = options.rest
    values = {**(read_plan(options.plan) if options.plan else {}), **given}
    if options.out is None or not (options.out / PLAN).exists():
        values.setdefault('framework', 'libmtl')
        plan = Plan.from_dict(values)
    else:
        plan = Plan.from_dict({**load_plan(options.out).to_dict(), **values})
    methods = plan.methods
    folder = options.out or Path('leaderboards', f'{plan.framework}-{plan.benchmark}')
    launcher = _launcher(options, folder)
    if (folder / PLAN).exists():
        before = load_plan(folder)
        try:
            plan = before.extended(plan)
        except ValueError as error:
            raise ValueError(
                f'{folder / PLAN}: {error} Choose another folder by --out; or, if that file is '
                'damaged, put it back as it was.'
            ) from error
    check_methods(plan, folder)
    if get_benchmark(plan.benchmark).embedded:
        render_if_missing(plan.benchmark, plan.data_folder)
    execution = Execution(plan, folder, launcher)
    try:
        with FileLock(folder / '.lock', timeout=0):
            save_plan(plan, folder / PLAN)
            asked = replace(plan, methods=methods) if only_methods else plan
            execution.run(missing(asked, execution.store.entries(), options.retry))
    except Timeout as error:
        raise ValueError(f'{folder}: another process is training in it. Wait for it.') from error
    return folder, plan


def _launcher(options: argparse.Namespace, folder: Path) -> Launcher:
    """What starts the cells."""
    if options.workers is not None and options.workers < 1:
        raise ValueError(
            f'Parameter `workers` should be at least 1. Found `workers = {options.workers}`.'
        )
    if options.cluster is None and not options.cluster_options:
        return LocalLauncher(1 if options.workers is None else options.workers)
    if options.cluster is None:
        raise ValueError('Parameter `cluster` should be given for `cluster_options`. Found none.')
    pairs = [option.partition('=') for option in options.cluster_options]
    parameters = {name: literal(value) for name, _, value in pairs}
    return ClusterLauncher(folder, options.cluster, parameters, options.workers)


def missing(plan: Plan, entries: dict[str, Entry], retry: bool) -> Sequence[Any]:
    """The cells that are to be trained."""
    done = {name for name, entry in entries.items() if entry.finished or not retry}
    return [cell for cell in plan.cells() if cell.name not in done]


def status(options: argparse.Namespace) -> int:
    """The command ``status``."""
    plan = load_plan(options.folder)
    entries = Store(options.folder / RESULTS).entries()
    for cell in plan.cells():
        entry = entries.get(cell.name)
        state = 'not finished' if entry is None else entry.reason or entry.status
        print(f'{cell.name:40} {state}')
    return 0
