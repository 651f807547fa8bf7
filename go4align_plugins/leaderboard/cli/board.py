"""Run the commands on a leaderboard: ``run``, ``status``, ``report``, ``export``, ``import``."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.rooms import render_if_missing
from go4align_plugins.leaderboard.report.build import build_report, check_shared, load_results
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.table import check
from go4align_plugins.leaderboard.run.cell import check_methods
from go4align_plugins.leaderboard.run.execute import Execution
from go4align_plugins.leaderboard.run.launchers import ClusterLauncher, LocalLauncher
from go4align_plugins.leaderboard.run.plan import PLAN, Plan, load_plan, read_plan, save_plan
from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.options import require


def plan_of(options: Namespace, **values: Any) -> Plan:
    """Plan by the leaderboard that is there, the plan's file and the options."""
    there = options.out is not None and (options.out / PLAN).exists()
    sources = [load_plan(options.out).to_dict()] if there else []
    sources += [read_plan(options.plan)] if options.plan else []
    given = {**vars(options), 'options': options.rest or None, **values}
    return Plan.from_dict(*sources, {field.name: given.get(field.name) for field in fields(Plan)})


def train(options: Namespace, asked: Plan, only_asked: bool = False) -> tuple[Path, Plan]:
    """Train missing cells, of all methods or those asked for; return the folder and whole plan."""
    folder = options.out or Path('leaderboards', f'{asked.framework}-{asked.benchmark}')
    workers, cluster, jobs = options.workers, options.cluster, options.cluster_options
    require(workers is None or workers >= 1, 'workers', 'be at least 1', workers)
    require(bool(cluster or not jobs), 'cluster', 'be given for `cluster_options`', None)
    launcher: LocalLauncher | ClusterLauncher = LocalLauncher(workers or 1)
    if cluster:  # whose queue decides how many train at a time
        launcher = ClusterLauncher(folder, cluster, jobs, workers or 10_000)
    path, plan = folder / PLAN, asked
    if path.exists():
        plan = load_plan(folder).extended(asked, path)
    check_methods(plan)
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


def run(options: Namespace) -> int:
    """Train; return 0 if every cell is finished, 1 if one is not."""
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


def status(options: Namespace) -> None:
    """Print a line a cell."""
    entries = Store(options.folder / RESULTS).entries()
    for cell in load_plan(options.folder).cells():
        entry = entries.get(cell.name)
        print(f'{cell.name:40} {(entry.reason or entry.status) if entry else "not finished"}')


def make_report(
    sources: Sequence[str | Path], last: int = 10, best: bool = False, published: bool = False
) -> Report:
    """Report leaderboards, stores and run folders; ValueError if nothing is finished."""
    runs, failures = load_results(sources)
    single, multi = ([run for run in runs if run.single_task is one] for one in (True, False))
    rule = f'{", ".join(map(str, sources))} should hold a finished run of several tasks'
    listed = ''.join(f'\n  {failure}' for failure in failures)
    check(multi, rule, f'{len(single)} of one task, {len(failures)} failed{listed}')
    benchmark = get_benchmark(multi[0].config['benchmark'])
    return build_report(
        multi, single, benchmark, last, best=best, published=published, failures=failures
    )


def show(report: Report, paths: Sequence[Path]) -> None:
    """Print a report, and where it was written."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='replace')  # arrows on a console that has none
    print(report.console(), end='')
    for path in paths:
        print(f'wrote {path}')


def report(options: Namespace) -> None:
    """Print the table of runs, or of a table that was entered by hand; write it."""
    sources = options.sources
    if any(source.suffix == '.csv' for source in sources):
        alone = len(sources) == 1 and not (options.best or options.published)
        rule = 'A table entered by hand should be reported alone, without --best and --published'
        check(alone, rule, ', '.join(map(str, sources)))
        made = report_of_table(sources[0], options.benchmark and get_benchmark(options.benchmark))
    else:
        made = make_report(sources, options.last, options.best, options.published)
    show(made, made.write(options.out, options.formats) if options.out else [])


def export_results(options: Namespace) -> None:
    """Write all entries to one file."""
    entries = _read(options.folder / RESULTS)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_bytes(options.out, b''.join(entry.line for entry in entries))
    print(f'{options.out}: {len(entries)} cells')


def import_results(options: Namespace) -> None:
    """Add entries of other machines; all files are read and checked before anything is added."""
    store, plan = Store(options.folder / RESULTS), load_plan(options.folder)
    incoming = [entry for file in options.files for entry in _read(file)]
    everything = (*store.entries().values(), *incoming)
    check_shared([entry.run for entry in everything if entry.finished])
    methods: tuple[Any, ...] = (*plan.methods, *(entry.method for entry in incoming))
    plan = replace(plan, methods=methods, seeds=(*plan.seeds, *(e.seed for e in incoming)))
    added, differing = store.join(incoming)
    save_plan(plan, options.folder / PLAN)
    print(f'{options.folder}: {len(added)} of {len(incoming)} cells added.')
    for entry in differing:
        message = 'is finished here already, with other figures: kept as it is.'
        print(f'  {entry.cell} {message}', file=sys.stderr)


def _read(path: Path) -> list[Entry]:
    check(path.is_file(), f'{path} should be a file of results', 'none')
    return list(Store(path).entries().values())
