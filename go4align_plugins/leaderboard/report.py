"""From runs to the papers' table: metrics, mean rank, delta_m and relative time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from statistics import fmean, stdev

from go4align_plugins.benchmarks.table import Benchmark, Metric
from go4align_plugins.leaderboard.runs import SINGLE_TASK, Run, by_method
from go4align_plugins.leaderboard.table import ARROWS, Column, Key, Report, Row, printed_unit
from go4align_plugins.measures.scores import delta_m, mean_rank

EQUAL_WEIGHTING = 'EW'
SHARED = (
    'framework', 'benchmark', 'num_frames', 'image_size', 'protocol', 'arch', 'backbone',
    'epochs', 'batch_size',
)  # fmt: skip
MEAN_RANK, DELTA_M, SECONDS, TIME = (
    ('', name) for name in ('MR', 'delta_m', 'seconds', 'relative_time')
)
SUMMARY = (
    Column(MEAN_RANK, 'MR ↓', '', False),
    Column(DELTA_M, 'delta_m ↓', '%', False),
    Column(TIME, 'time', f'× {EQUAL_WEIGHTING}', None),  # noqa: RUF001
)


def build_report(
    runs: Sequence[Run], baseline_runs: Sequence[Run], benchmark: Benchmark, last: int = 10
) -> Report:
    """Compares methods on one benchmark; the seeds of a method are averaged.

    Args:
        runs: multi-task runs; methods keep the order of their first run.
        baseline_runs: single-task runs. Where a task has none, delta_m is left out.
        benchmark: whose metrics are the columns.
        last: number of epochs at the end over which test metrics are averaged.

    Returns:
        The table: every metric, mean rank among the multi-task methods, delta_m (mean relative
        change in % against the single-task runs, lower is better), and training seconds an epoch
        relative to equal weighting.

    Raises:
        ValueError: if the runs cannot stand in one table; the message names them and the reason.
    """
    _check(runs, baseline_runs, benchmark)
    tasks = benchmark.select(runs[0].tasks)
    metrics = {(task.name, metric.name): metric for task in tasks for metric in task.metrics}
    higher_is_better = [metric.higher_is_better for metric in metrics.values()]
    wanted = [run for run in baseline_runs if run.tasks[0] in runs[0].tasks]
    absent = [task.name for task in tasks if all(task.name not in run.tasks for run in wanted)]
    notes = []
    if absent:
        notes.append(f'delta_m is left out: no single-task run of {", ".join(absent)}.')
    baseline = _row(SINGLE_TASK, wanted, [_figures(run, last) for run in wanted])
    zeros = [' '.join(key) for key in metrics if baseline.means.get(key) == 0]
    if zeros:
        notes.append(f'delta_m is left out: {", ".join(zeros)} of {SINGLE_TASK} is 0.')
    rows = []
    for method, group in by_method(runs).items():
        figures = [_figures(run, last) for run in group]
        for run in figures if not absent + zeros else ():
            # Linear in the metrics: the mean over seeds is the papers' delta_m of the means.
            run[DELTA_M] = delta_m(
                [run[key] for key in metrics],
                [baseline.means[key] for key in metrics],
                higher_is_better,
            )
        rows.append(_row(method, group, figures))

    table = [[row.means[key] for key in metrics] for row in rows]
    for row, rank in zip(rows, mean_rank(table, higher_is_better)):
        row.means[MEAN_RANK] = float(rank)
    if wanted:
        rows.insert(0, baseline)
    if not absent:  # the single tasks are trained one after another
        groups = ([run.seconds for run in wanted if task.name in run.tasks] for task in tasks)
        baseline.means[SECONDS] = sum(map(fmean, groups))
    equal = [row.means[SECONDS] for row in rows if row.method == EQUAL_WEIGHTING]
    if not equal:
        notes.append(f'Relative time is left out: no run of {EQUAL_WEIGHTING}.')
    for row in rows if equal else ():
        if SECONDS in row.means:
            row.means[TIME] = row.means[SECONDS] / equal[0]

    columns = [_column(key, metric, rows) for key, metric in metrics.items()]
    columns += [column for column in SUMMARY if any(column.key in row.means for row in rows)]
    if any(row.deviations for row in rows):
        notes.append('± is the standard deviation over seeds.')
    return Report(tuple(columns), tuple(rows), _caption(runs, rows, benchmark, last), tuple(notes))


def _check(runs: Sequence[Run], baseline_runs: Sequence[Run], benchmark: Benchmark) -> None:
    """Runs are compared only if they differ in nothing but method, seed and single task."""
    if not runs:
        raise ValueError('Parameter `runs` should hold a run of several tasks. Found none.')
    for run in (*runs, *baseline_runs):
        if run.config['benchmark'] != benchmark.name:
            raise ValueError(
                f'Runs should be of benchmark {benchmark.name}. '
                f'Found {run.config["benchmark"]} in {run.folder}.'
            )
        if len(run.epochs) != run.config['epochs']:
            raise ValueError(
                f'Runs should be finished. Found {run.folder} at {len(run.epochs)} of '
                f'{run.config["epochs"]} epochs: go on with it first.'
            )
        for key in SHARED:
            expected, found = (r.config.get(key) for r in (runs[0], run))
            if found != expected:
                raise ValueError(
                    f'Runs in one table should share their {key}. '
                    f'Found {expected} in {runs[0].folder}, {found} in {run.folder}.'
                )
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


def _figures(run: Run, last: int) -> dict[Key, float]:
    final = run.final(last)
    figures = {(task, name): final[task][name] for task in final for name in final[task]}
    return figures if run.single_task else {**figures, SECONDS: run.seconds}


def _row(method: str, runs: Sequence[Run], figures: Sequence[Mapping[Key, float]]) -> Row:
    """Averages each figure over the runs that have it."""
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
    return Row(method, seeds, means, deviations)


def _column(key: Key, metric: Metric, rows: Sequence[Row]) -> Column:
    """Prints as the papers do: percent and angles to two digits, small errors to four."""
    title = f'{metric.name} {ARROWS[metric.higher_is_better]}'
    factor, unit = printed_unit(metric)
    small = all(abs(row.means.get(key, 0.0)) < 10 for row in rows)
    digits = 4 if small and unit not in ('%', '°') else 2
    return Column(key, title, unit, metric.higher_is_better, factor, digits)


def _caption(runs: Sequence[Run], rows: Sequence[Row], benchmark: Benchmark, last: int) -> str:
    """What the table is a table of, in one line."""
    config, epochs = runs[0].config, len(runs[0].epochs)
    frames = config.get('num_frames')
    methods: dict[str, list[str]] = {}
    for row in rows:
        methods.setdefault(' '.join(map(str, row.seeds)), []).append(row.method)
    seeds = [f'{seed} ({", ".join(names)})' for seed, names in methods.items()]
    facts = (
        benchmark.title,
        ' + '.join(f'{count} {split}' for split, count in frames.items()) + ' frames'
        if frames
        else 'number of frames not recorded',
        f'mean of the last {min(last, epochs)} of {epochs} epochs',
        'seeds ' + (', '.join(seeds) if len(seeds) > 1 else next(iter(methods))),
        f'model {config["arch"]} {config["backbone"]}',
        f'protocol {config["protocol"]}',
    )
    return '; '.join(facts) + '.'
