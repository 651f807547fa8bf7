"""Build the papers' table from runs: metrics, mean rank, delta_m and relative time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, isnan, nan
from statistics import fmean, stdev

from go4align_plugins.benchmarks.table import Benchmark
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

Metrics = Mapping[str, Mapping[str, float]]
Choose = Callable[[Run], Metrics]


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
        change in % against the single-task runs, lower is better) with its difference to equal
        weighting, LibMTL's improvement (averaged over the tasks, higher is better), and training
        seconds an epoch relative to equal weighting.

    Raises:
        ValueError: if the runs cannot stand in one table, the message names them and the reason;
            or if nothing is published of the benchmark.
    """
    check_comparable(runs, baseline_runs, benchmark)
    wanted = [run for run in baseline_runs if run.tasks[0] in runs[0].tasks]
    epochs = len(runs[0].epochs)
    period = f'mean of the last {min(last, epochs)} of {epochs} epochs'
    scoring = _scoring(runs, wanted, benchmark, lambda run: run.final(last))
    report = _report(runs, wanted, benchmark, scoring, lambda run: run.final(last), period)
    report = replace(report, failures=tuple(failures), runs=(*wanted, *runs))
    if published:
        report = replace(
            report,
            published=published_rows(benchmark.name),
            notes=(*report.notes, published_remark(benchmark.name, runs[0].config)),
        )
    if not best:
        return report
    if scoring.obstacle:
        note = 'The best epochs are left out: they are chosen by the improvement on STL.'
        return replace(report, notes=(*report.notes, note))

    def choose(run: Run) -> Metrics:
        return _best_epoch(run, scoring)

    own = _scoring(runs, wanted, benchmark, choose)
    period = f'best of {epochs} epochs on the test set'
    chosen = _report(runs, wanted, benchmark, own, choose, period)
    further = tuple(note for note in chosen.notes if note not in report.notes)
    return replace(report, best=replace(chosen, notes=further))


def _report(
    runs: Sequence[Run],
    wanted: Sequence[Run],
    benchmark: Benchmark,
    scoring: Scoring,
    choose: Choose,
    period: str,
) -> Report:
    """Build the table of the metrics that ``choose`` takes from each run."""
    rows: list[Row] = []
    for method, group in by_method(runs).items():
        figures = [_figures(run, choose) for run in group]
        for found in figures:
            found.update(scoring.scores(found))
            found.update(scoring.averages(found))
        rows.append(_row(method, group, figures))
    notes = [scoring.obstacle or BOTH, *_compare(rows, by_method(runs))]
    if wanted:
        rows.insert(0, _row(SINGLE_TASK, wanted, [_figures(run, choose) for run in wanted]))
    notes += _relate_times(rows, wanted, scoring)
    columns = scoring.tabulate(rows)
    if any(row.deviations for row in rows):
        notes.append(SPREAD)
    caption = _caption(runs, rows, benchmark, period)
    return Report(columns, tuple(rows), caption, tuple(notes), benchmark, runs[0].config)


def _scoring(
    runs: Sequence[Run], wanted: Sequence[Run], benchmark: Benchmark, choose: Choose
) -> Scoring:
    baseline = _row(SINGLE_TASK, wanted, [_figures(run, choose) for run in wanted])
    return Scoring(benchmark.select(runs[0].tasks), baseline.means)


def _best_epoch(run: Run, scoring: Scoring) -> Metrics:
    """Choose the epoch with the greatest improvement, as LibMTL does."""
    tests = [entry['test']['metrics'] for entry in run.epochs]
    tasks = [task for task in scoring.tasks if task.name in run.tasks]

    def improvement(test: Metrics) -> float:
        found = scoring.improvement(_flat(test), tasks)
        return -inf if isnan(found) else found

    test = max(tests, key=improvement)
    return {task: test[task] for task in run.tasks}


def _compare(rows: Sequence[Row], methods: Mapping[str, Sequence[Run]]) -> list[str]:
    """Add each row's difference to equal weighting; return the notes about it."""
    deltas = {
        row.method: {
            run.config['seed']: value
            for run, value in zip(methods[row.method], row.values.get(DELTA_M, ()))
        }
        for row in rows
    }
    equal = deltas.get(EQUAL_WEIGHTING)
    if len(rows) < 2 or not equal:
        return []
    alone, counts = [], []
    for row in rows:
        seeds = sorted(set(equal) & set(deltas[row.method]))
        if row.method == EQUAL_WEIGHTING:
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


def _relate_times(rows: Sequence[Row], wanted: Sequence[Run], scoring: Scoring) -> list[str]:
    """Add each row's time relative to equal weighting; return a note if there is none."""
    for row in rows:
        if row.method == SINGLE_TASK:  # the single tasks are trained one after another
            groups = [[r.seconds for r in wanted if t.name in r.tasks] for t in scoring.tasks]
            if all(groups):
                row.means[SECONDS] = sum(map(fmean, groups))
    equal = next((row.means[SECONDS] for row in rows if row.method == EQUAL_WEIGHTING), None)
    if equal is None:
        return [f'Relative time is left out: no run of {EQUAL_WEIGHTING}.']
    for row in rows:
        time = row.means.get(SECONDS, nan) / equal
        if not isnan(time):  # results that were entered by hand have none
            row.means[TIME] = time
            row.values[TIME] = [seconds / equal for seconds in row.values.get(SECONDS, ())]
    return []


def _flat(metrics: Metrics) -> dict[Key, float]:
    return {(task, name): value for task in metrics for name, value in metrics[task].items()}


def _figures(run: Run, choose: Choose) -> dict[Key, float]:
    figures = _flat(choose(run))
    return figures if run.single_task else {**figures, SECONDS: run.seconds}


def _row(method: str, runs: Sequence[Run], figures: Sequence[Mapping[Key, float]]) -> Row:
    """Average each figure over the runs that have it."""
    values: dict[Key, list[float]] = {}
    for run in figures:
        for key, value in run.items():
            values.setdefault(key, []).append(value)
    seeds = tuple(sorted({run.config['seed'] for run in runs}))
    means = {key: fmean(group) for key, group in values.items()}
    deviations = {
        key: stdev(group) if all(map(isfinite, group)) else nan
        for key, group in values.items()
        if len(group) > 1
    }
    return Row(method, seeds, means, deviations, values=values)


def _caption(runs: Sequence[Run], rows: Sequence[Row], benchmark: Benchmark, period: str) -> str:
    """Describe the runs of the table in one line."""
    config = runs[0].config
    frames = config.get('num_frames')
    methods: dict[str, list[str]] = {}
    for row in rows:
        methods.setdefault(' '.join(map(str, row.seeds)), []).append(row.method)
    seeds = [f'{seed} ({", ".join(names)})' for seed, names in methods.items()]
    counts = f'number of {benchmark.inputs} not recorded'
    if frames:
        splits = ' + '.join(f'{count} {split}' for split, count in frames.items())
        counts = f'{splits} {benchmark.inputs}'
    facts = (
        benchmark.title,
        counts,
        period,
        'seeds ' + (', '.join(seeds) if len(seeds) > 1 else next(iter(methods))),
        f'model {config["arch"]} {config["backbone"]}',
        f'protocol {config["protocol"]}',
    )
    return '; '.join(facts) + '.'
