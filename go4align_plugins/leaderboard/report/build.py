"""Read runs, check that they compare, and build the papers' table from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import inf, isfinite, nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.report.csv_results import published_remark, published_rows
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import SECONDS, Scoring
from go4align_plugins.leaderboard.report.table import Failure, Key, Row, check
from go4align_plugins.leaderboard.run.plan import PLAN, load_plan
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run, by_method, load_run
from go4align_plugins.leaderboard.run.store import RESULTS, Entry, Store

Figures = Callable[[Run], dict[Key, float]]
SHARED = (
    'framework', 'benchmark', 'num_frames', 'image_size', 'protocol', 'arch', 'arch_args',
    'backbone', 'pretrained', 'epochs', 'batch_size', 'augment', 'optim_param', 'scheduler_param',
    'optimizer', 'param_scheduler',
)  # fmt: skip


def load_results(paths: Iterable[str | Path]) -> tuple[list[Run], list[Failure]]:
    """Read finished and failed runs: of leaderboards in their plan's order, stores, run folders."""
    runs, failures = [], []
    for path in map(Path, paths):
        store = path if path.suffix == '.jsonl' else path / RESULTS
        if not store.is_file():
            rule = f'{path} should be a leaderboard ({RESULTS}), a store or a run (config.json)'
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


def build_report(
    runs: Sequence[Run],
    baseline_runs: Sequence[Run],
    benchmark: Benchmark,
    last: int = 10,
    *,
    best: bool = False,
    published: bool = False,
    failures: Sequence[Failure] = (),
) -> Report:
    """Compare methods on one benchmark; the seeds of a method are averaged.

    Args:
        runs: multi-task runs; methods keep the order of their first run.
        baseline_runs: single-task runs. Where a task has none, delta_m is left out.
        benchmark: whose metrics are the columns.
        last: number of epochs at the end over which test metrics are averaged.
        best: whether a second table shows each run's best epoch on the test set.
        published: whether a paper's rows are set beside.
        failures: trainings without a result, to be listed.

    Returns:
        The table: every metric, mean rank among the multi-task methods, delta_m (mean relative
        change in % against the single-task runs) with its difference to equal weighting, LibMTL's
        improvement, and training seconds an epoch relative to equal weighting.

    Raises:
        ValueError: if the runs cannot stand in one table, the message names them and the reason;
            or if nothing is published of the benchmark.
    """
    check_comparable(runs, baseline_runs, benchmark)
    epochs = len(runs[0].epochs)
    everything = (*(run for run in baseline_runs if run.tasks[0] in runs[0].tasks), *runs)
    period = f'mean of the last {min(last, epochs)} of {epochs} epochs'
    report, scoring = _report(everything, lambda run: _flat(run.final(last)), benchmark, period)
    notes = [*report.notes]
    further: dict[str, Any] = {'failures': tuple(failures), 'runs': everything}
    if published:
        further['published'] = tuple(
            replace(row, method=f'{row.method} (published)')
            for row in published_rows(benchmark.name)
        )
        notes.append(published_remark(benchmark.name, runs[0].config))
    if best and scoring.obstacle:
        notes.append('The best epochs are left out: they are chosen by the improvement on STL.')
    elif best:
        period = f'best of {epochs} epochs on the test set'
        table, _ = _report(everything, lambda run: _best_epoch(run, scoring), benchmark, period)
        own = tuple(note for note in table.notes if note not in report.notes)
        further['best'] = replace(table, notes=own)
    return replace(report, notes=tuple(notes), **further)


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


def _report(
    runs: Sequence[Run], figures_of: Figures, benchmark: Benchmark, period: str
) -> tuple[Report, Scoring]:
    """Build the table of the figures of each run."""
    first = next(run for run in runs if not run.single_task)
    methods = by_method(runs)
    baseline = _row(SINGLE_TASK, methods.get(SINGLE_TASK, []), figures_of).means
    scoring = Scoring(benchmark.select(first.tasks), baseline)

    def scored(run: Run) -> dict[Key, float]:
        own = figures_of(run)
        if run.single_task:
            return {**own, (run.tasks[0], 'seconds'): run.seconds}
        return {**own, SECONDS: run.seconds, **scoring.scores(own), **scoring.averages(own)}

    rows = [_row(method, group, scored) for method, group in methods.items()]
    columns, notes = scoring.tabulate(rows)
    caption = _caption(first, rows, benchmark, period)
    return Report(columns, tuple(rows), caption, tuple(notes), benchmark, first.config), scoring


def _row(method: str, runs: Sequence[Run], figures_of: Figures) -> Row:
    """Average each figure over the seeds of the runs that have it."""
    values: dict[Key, dict[int, float]] = {}
    for run in runs:
        for key, value in figures_of(run).items():
            values.setdefault(key, {})[run.config['seed']] = value
    means = {key: fmean(group.values()) for key, group in values.items()}
    deviations = {
        key: stdev(group.values()) if all(map(isfinite, group.values())) else nan
        for key, group in values.items()
        if len(group) > 1
    }
    seeds = tuple(sorted({run.config['seed'] for run in runs}))
    return Row(method, seeds, means, deviations, values=values)


def _flat(metrics: Mapping[str, Mapping[str, float]]) -> dict[Key, float]:
    return {(task, name): value for task in metrics for name, value in metrics[task].items()}


def _best_epoch(run: Run, scoring: Scoring) -> dict[Key, float]:
    """Choose the epoch with the greatest improvement, as LibMTL does."""
    tasks = [task for task in scoring.tasks if task.name in run.tasks]
    tests = [entry['test']['metrics'] for entry in run.epochs]
    epochs = [_flat({task: test[task] for task in run.tasks}) for test in tests]
    scores = [scoring.improvement(figures, tasks) for figures in epochs]
    return epochs[int(np.nan_to_num(scores, nan=-inf).argmax())]


def _caption(run: Run, rows: Sequence[Row], benchmark: Benchmark, period: str) -> str:
    """Describe the runs of the table in one line."""
    frames, inputs = run.config.get('num_frames') or {}, benchmark.inputs
    counts = ' + '.join(f'{count} {split}' for split, count in frames.items())
    methods: dict[str, list[str]] = {}
    for row in rows:
        methods.setdefault(' '.join(map(str, row.seeds)), []).append(row.method)
    seeds = [f'{seed} ({", ".join(names)})' for seed, names in methods.items()]
    facts = (
        benchmark.title,
        f'{counts} {inputs}' if frames else f'number of {inputs} not recorded',
        period,
        'seeds ' + (', '.join(seeds) if len(seeds) > 1 else next(iter(methods))),
        f'model {run.config["arch"]} {run.config["backbone"]}',
        f'protocol {run.config["protocol"]}',
    )
    return '; '.join(facts) + '.'
