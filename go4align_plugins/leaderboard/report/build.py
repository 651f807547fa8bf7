"""Build the papers' table from runs: metrics, mean rank, delta_m and relative time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, nan
from statistics import fmean, stdev
from typing import Any

import numpy as np

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.report.csv_results import published_remark, published_rows
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.scores import SECONDS, Scoring
from go4align_plugins.leaderboard.report.sources import check_comparable
from go4align_plugins.leaderboard.report.table import Failure, Key, Row
from go4align_plugins.leaderboard.run.runs import SINGLE_TASK, Run, by_method

Figures = Callable[[Run], dict[Key, float]]


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
