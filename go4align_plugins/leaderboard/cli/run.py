"""Run ``leaderboard.py run``, which trains the missing cells of a leaderboard, and ``status``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from go4align_plugins.data import BENCHMARKS, get_benchmark
from go4align_plugins.data.rooms import render_if_missing
from go4align_plugins.leaderboard.cli.options import add_command
from go4align_plugins.leaderboard.run.cli_values import literal
from go4align_plugins.leaderboard.run.cluster import CLUSTERS, ClusterLauncher
from go4align_plugins.leaderboard.run.commands import check_methods
from go4align_plugins.leaderboard.run.execute import Execution
from go4align_plugins.leaderboard.run.plan import (
    FRAMEWORKS,
    PLAN,
    Cell,
    Plan,
    load_plan,
    read_plan,
    save_plan,
)
from go4align_plugins.leaderboard.run.processes import LocalLauncher
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
    parser = add_command(
        subparsers, 'run', _run, 'train what is missing', DESCRIPTION, takes_rest=True
    )
    add_run_options(parser)
    parser.add_argument(
        '--methods', nargs='+', metavar='METHOD',
        help='STL (each task alone), EW, GO4Align, ...; with arguments as NAME:key=value,key=value',
    )  # fmt: skip
    meaning = 'list the cells and their state'
    parser = add_command(subparsers, 'status', _status, meaning, '')
    parser.add_argument('folder', type=Path, help="the leaderboard's")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the training, all but the methods."""
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


def train(options: argparse.Namespace, only_methods: bool = False) -> tuple[Path, Plan]:
    """Train the missing cells.

    Args:
        options: those of :func:`add_run_options`, ``methods`` and ``rest``.
        only_methods: whether other methods of the leaderboard are left for the next call.

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
    if options.out is not None and (options.out / PLAN).exists():
        values = {**load_plan(options.out).to_dict(), **values}
    plan = Plan.from_dict({'framework': 'libmtl', **values})
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
            execution.run(_missing(asked, execution.store.entries(), options.retry))
    except Timeout as error:
        raise ValueError(f'{folder}: another process is training in it. Wait for it.') from error
    return folder, plan


def _run(options: argparse.Namespace) -> int:
    """Return 0 if every cell is finished, 1 if one is not."""
    folder, plan = train(options)
    stored = Store(folder / RESULTS).entries()
    names = [cell.name for cell in plan.cells()]
    failed = [e for name, e in stored.items() if name in names and not e.finished]
    finished = sum(name in names and entry.finished for name, entry in stored.items())
    print(f'{folder}: {finished} of {len(names)} cells are finished, {len(failed)} failed.')
    for entry in failed:
        print(f'  {entry.cell}: {entry.reason} (see {folder}/{entry.log})')
    print(f'The report: python tools/leaderboard.py report {folder}')
    return 0 if finished == len(names) else 1


def _status(options: argparse.Namespace) -> int:
    plan = load_plan(options.folder)
    entries = Store(options.folder / RESULTS).entries()
    for cell in plan.cells():
        entry = entries.get(cell.name)
        state = 'not finished' if entry is None else entry.reason or entry.status
        print(f'{cell.name:40} {state}')
    return 0


def _launcher(options: argparse.Namespace, folder: Path) -> LocalLauncher | ClusterLauncher:
    if options.workers is not None and options.workers < 1:
        raise ValueError(
            f'Parameter `workers` should be at least 1. Found `workers = {options.workers}`.'
        )
    if options.cluster is None and options.cluster_options:
        raise ValueError('Parameter `cluster` should be given for `cluster_options`. Found none.')
    if options.cluster is None:
        return LocalLauncher(1 if options.workers is None else options.workers)
    pairs = [option.partition('=') for option in options.cluster_options]
    parameters = {name: literal(value) for name, _, value in pairs}
    return ClusterLauncher(folder, options.cluster, parameters, options.workers)


def _missing(plan: Plan, entries: dict[str, Entry], retry: bool) -> list[Cell]:
    done = {name for name, entry in entries.items() if entry.finished or not retry}
    return [cell for cell in plan.cells() if cell.name not in done]
