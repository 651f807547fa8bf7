"""Build the papers' table from runs: metrics, mean rank, delta_m and relative time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, isnan, nan
from statistics import fmean, stdev

from go4align_plugins.data import Benchmark
from go4align_plugins.leaderboard.report.comparable import check_comparable
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.published import published_remark, published_rows
from go4align_plugins.leaderboard.report.scores import (
    BOTH,
    DELTA_M,
    DIFFERENCE,
    SECONDS,
    TIME,
    Scoring,
    bootstrap_interval,
)
from go4align_plugins.leaderboard.report.table import SPREAD, Failure, Key, Row
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, SINGLE_TASK, Run, by_method


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
    everything = [run for run in baseline_runs if run.tasks[0] in runs[0].tasks] + [*runs]
    finals = [_flat(run.final(last)) for run in everything]
    period = f'mean of the last {min(last, epochs)} of {epochs} epochs'
    report, scoring = _report(everything, finals, benchmark, period)
    report = replace(report, failures=tuple(failures), runs=tuple(everything))
    if published:
        rows = published_rows(benchmark.name)
        remark = published_remark(benchmark.name, runs[0].config)
        report = replace(report, published=rows, notes=(*report.notes, remark))
    if best and scoring.obstacle:
        note = 'The best epochs are left out: they are chosen by the improvement on STL.'
        return replace(report, notes=(*report.notes, note))
    if best:
        chosen = [_best_epoch(run, scoring) for run in everything]
        period = f'best of {epochs} epochs on the test set'
        table, _ = _report(everything, chosen, benchmark, period)
        further = tuple(note for note in table.notes if note not in report.notes)
        return replace(report, best=replace(table, notes=further))
    return report


def _report(
    runs: Sequence[Run], figures: Sequence[dict[Key, float]], benchmark: Benchmark, period: str
) -> tuple[Report, Scoring]:
    """Build the table of the figures of each run; single-task runs come first."""
    first = next(run for run in runs if not run.single_task)
    found = {id(run): dict(own) for run, own in zip(runs, figures)}
    methods = by_method(runs)
    single = methods.get(SINGLE_TASK, [])
    baseline = _row(SINGLE_TASK, single, found).means
    scoring = Scoring(benchmark.select(first.tasks), baseline)
    for run in runs:
        if not run.single_task:
            own = found[id(run)]
            own.update({SECONDS: run.seconds, **scoring.scores(own), **scoring.averages(own)})
    rows = [_row(method, group, found) for method, group in methods.items()]
    notes = [scoring.obstacle or BOTH, *_compare(rows), *_relate_times(rows, single, scoring)]
    columns = scoring.tabulate(rows)
    if any(row.deviations for row in rows):
        notes.append(SPREAD)
    caption = _caption(first, rows, benchmark, period)
    return Report(columns, tuple(rows), caption, tuple(notes), benchmark, first.config), scoring


def _best_epoch(run: Run, scoring: Scoring) -> dict[Key, float]:
    """Choose the epoch with the greatest improvement, as LibMTL does."""
    tasks = [task for task in scoring.tasks if task.name in run.tasks]

    def improvement(figures: dict[Key, float]) -> float:
        found = scoring.improvement(figures, tasks)
        return -inf if isnan(found) else found

    best = max((_flat(entry['test']['metrics']) for entry in run.epochs), key=improvement)
    return {key: value for key, value in best.items() if key[0] in run.tasks}


def _compare(rows: Sequence[Row]) -> list[str]:
    """Add each row's difference to equal weighting; return the notes about it."""
    deltas = {row.method: row.values.get(DELTA_M, {}) for row in rows}
    equal = deltas.get(EQUAL_WEIGHTING, {})
    alone, counts = [], []
    for row in rows if equal else ():
        seeds = sorted(set(equal) & set(deltas[row.method]))
        if row.method in (SINGLE_TASK, EQUAL_WEIGHTING):
            continue
        if len(seeds) < 2:
            alone.append(row.method)
            continue
        differences = [deltas[row.method][seed] - equal[seed] for seed in seeds]
        row.means[DIFFERENCE] = fmean(differences)
        row.intervals[DIFFERENCE] = bootstrap_interval(differences)
        counts.append(len(seeds))
    notes = []
    if counts:
        notes.append(
            f'delta_m - {EQUAL_WEIGHTING} is the mean difference over the seeds that both have, '
            'below 0 if better, with its 95 % paired bootstrap interval (STL taken as fixed).'
        )
        if min(counts) <= 3:
            notes.append(
                'With 2 or 3 seeds that interval is no more than the range of the differences: '
                'it excludes 0 by chance in 1 of 2 or 1 of 4 comparisons of equal methods.'
            )
    if alone:
        notes.append(
            f'No interval against {EQUAL_WEIGHTING} for {", ".join(alone)}: '
            'it needs 2 seeds in common.'
        )
    return notes


def _relate_times(rows: Sequence[Row], single: Sequence[Run], scoring: Scoring) -> list[str]:
    """Add each row's time relative to equal weighting; return a note if there is none."""
    for row in rows:
        if row.method == SINGLE_TASK:  # the single tasks are trained one after another
            groups = [[r.seconds for r in single if t.name in r.tasks] for t in scoring.tasks]
            if all(groups):
                row.means[SECONDS] = sum(map(fmean, groups))
    equal = next((row.means[SECONDS] for row in rows if row.method == EQUAL_WEIGHTING), None)
    if equal is None:
        return [f'Relative time is left out: no run of {EQUAL_WEIGHTING}.']
    for row in rows:
        time = row.means.get(SECONDS, nan) / equal
        if not isnan(time):  # results that were entered by hand have none
            row.means[TIME] = time
            own = row.values.get(SECONDS, {})
            row.values[TIME] = {seed: seconds / equal for seed, seconds in own.items()}
    return []


def _flat(metrics: Mapping[str, Mapping[str, float]]) -> dict[Key, float]:
    return {(task, name): value for task in metrics for name, value in metrics[task].items()}


def _row(method: str, runs: Sequence[Run], figures: Mapping[int, Mapping[Key, float]]) -> Row:
    """Average each figure over the seeds of the runs that have it."""
    values: dict[Key, dict[int, float]] = {}
    for run in runs:
        for key, value in figures[id(run)].items():
            values.setdefault(key, {})[run.config['seed']] = value
    seeds = tuple(sorted({run.config['seed'] for run in runs}))
    means = {key: fmean(group.values()) for key, group in values.items()}
    deviations = {
        key: stdev(group.values()) if all(map(isfinite, group.values())) else nan
        for key, group in values.items()
        if len(group) > 1
    }
    return Row(method, seeds, means, deviations, values=values)


def _caption(run: Run, rows: Sequence[Row], benchmark: Benchmark, period: str) -> str:
    """Describe the runs of the table in one line."""
    frames = run.config.get('num_frames') or {}
    counts = ' + '.join(f'{count} {split}' for split, count in frames.items())
    methods: dict[str, list[str]] = {}
    for row in rows:
        methods.setdefault(' '.join(map(str, row.seeds)), []).append(row.method)
    seeds = [f'{seed} ({", ".join(names)})' for seed, names in methods.items()]
    facts = (
        benchmark.title,
        f'{counts} {benchmark.inputs}' if frames else f'number of {benchmark.inputs} not recorded',
        period,
        'seeds ' + (', '.join(seeds) if len(seeds) > 1 else next(iter(methods))),
        f'model {run.config["arch"]} {run.config["backbone"]}',
        f'protocol {run.config["protocol"]}',
    )
    return '; '.join(facts) + '.'
