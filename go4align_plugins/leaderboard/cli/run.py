"""Run ``leaderboard.py run``, which trains the missing cells of a leaderboard, and ``status``."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from go4align_plugins.data import BENCHMARKS, get_benchmark
from go4align_plugins.data.rooms import render_if_missing
from go4align_plugins.leaderboard.cli.options import add_command
from go4align_plugins.leaderboard.run.commands import check_methods
from go4align_plugins.leaderboard.run.execute import Execution, Launcher
from go4align_plugins.leaderboard.run.launchers import CLUSTERS, ClusterLauncher, LocalLauncher
from go4align_plugins.leaderboard.run.method import literal
from go4align_plugins.leaderboard.run.plan import (
    FRAMEWORKS,
    PLAN,
    Plan,
    load_plan,
    read_plan,
    save_plan,
)
from go4align_plugins.leaderboard.run.store import RESULTS, Store
from go4align_plugins.utils.options import require

DESCRIPTION = """\
Trains every method with every seed, each in a process of its own, in the folder --out. Cells that
are finished are never trained again; a cell that was killed goes on after its last epoch; a cell
that failed is reported with its log, and is tried again only with --retry. Methods and seeds given
later are added. Options that are not listed here go to the training tool as they are, for every
cell: --epochs 20 --protocol paper --no-pretrained ..."""
METHODS = 'STL (each task alone), EW, GO4Align, ...; with arguments as NAME:key=value,key=value'


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the commands ``run`` and ``status``."""
    parser = add_command(subparsers, 'run', 'train the missing cells', DESCRIPTION, command=_run)
    add_run_options(parser)
    parser.add_argument('--methods', nargs='+', metavar='METHOD', help=METHODS)
    parser = add_command(subparsers, 'status', 'list the cells and their state', command=_status)
    parser.add_argument('folder', type=Path, help="the leaderboard's")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the training, all but the methods; the rest goes to the training tool."""
    parser.set_defaults(takes_rest=True)
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


def plan_of(options: argparse.Namespace, **values: Any) -> Plan:
    """Plan by the leaderboard that is there, the plan's file and the options."""
    there = options.out is not None and (options.out / PLAN).exists()
    sources = [load_plan(options.out).to_dict()] if there else []
    sources += [read_plan(options.plan)] if options.plan else []
    given = {**vars(options), 'options': options.rest or None, **values}
    names = [field.name for field in fields(Plan)]
    return Plan.from_dict(*sources, {name: given.get(name) for name in names})


def train(options: argparse.Namespace, asked: Plan, only_asked: bool = False) -> tuple[Path, Plan]:
    """Train the missing cells; return the leaderboard's folder and whole plan.

    Methods that were there before and are not asked for are left out by ``only_asked``.
    """
    folder = options.out or Path('leaderboards', f'{asked.framework}-{asked.benchmark}')
    launcher = _launcher(options, folder)
    path, plan = folder / PLAN, asked
    if path.exists():
        plan = load_plan(folder).extended(asked, path)
    check_methods(plan, folder)
    if get_benchmark(plan.benchmark).embedded:
        render_if_missing(plan.benchmark, plan.data_folder)
    execution = Execution(plan, folder, launcher)
    try:
        with FileLock(folder / '.lock', timeout=0):
            save_plan(plan, path)
            stored = execution.store.entries().items()
            done = {name for name, entry in stored if entry.finished or not options.retry}
            cells = (replace(plan, methods=asked.methods) if only_asked else plan).cells()
            execution.run([cell for cell in cells if cell.name not in done])
    except Timeout as error:
        raise ValueError(f'{folder}: another process is training in it. Wait for it.') from error
    return folder, plan


def _run(options: argparse.Namespace) -> int:
    """Return 0 if every cell is finished, 1 if one is not."""
    folder, plan = train(options, plan_of(options))
    names = [cell.name for cell in plan.cells()]
    stored = [e for name, e in Store(folder / RESULTS).entries().items() if name in names]
    failed = [entry for entry in stored if not entry.finished]
    finished = len(stored) - len(failed)
    print(f'{folder}: {finished} of {len(names)} cells are finished, {len(failed)} failed.')
    for entry in failed:
        print(f'  {entry.cell}: {entry.reason} (see {folder}/{entry.log})')
    print(f'The report: python tools/leaderboard.py report {folder}')
    return 0 if finished == len(names) else 1


def _status(options: argparse.Namespace) -> int:
    entries = Store(options.folder / RESULTS).entries()
    for cell in load_plan(options.folder).cells():
        entry = entries.get(cell.name)
        print(f'{cell.name:40} {(entry.reason or entry.status) if entry else "not finished"}')
    return 0


def _launcher(options: argparse.Namespace, folder: Path) -> Launcher:
    workers, given = options.workers, options.cluster_options
    require(workers is None or workers >= 1, 'workers', 'be at least 1', workers)
    require(bool(options.cluster or not given), 'cluster', 'be given for `cluster_options`', None)
    if options.cluster is None:
        return LocalLauncher(workers or 1)
    pairs = [option.partition('=') for option in given]
    parameters = {name: literal(value) for name, _, value in pairs}
    return ClusterLauncher(folder, options.cluster, parameters, workers)
