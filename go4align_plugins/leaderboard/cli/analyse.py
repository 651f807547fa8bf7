"""Run the command ``analyse``: the paper's analyses, each with its figures and its picture."""

from __future__ import annotations

import math
import os
import platform
import re
from argparse import Namespace
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.analyse import comparison, convergence, runtime
from go4align_plugins.leaderboard.analyse.pictures import weights_heatmap
from go4align_plugins.leaderboard.cli.board import plan_of, train
from go4align_plugins.leaderboard.report.build import load_results
from go4align_plugins.leaderboard.report.scores import DELTA_M, TIME
from go4align_plugins.leaderboard.report.table import check
from go4align_plugins.leaderboard.run.cell import describe_machine
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING, Run, by_method
from go4align_plugins.leaderboard.run.store import RESULTS, Store
from go4align_plugins.plots.canvas import new_figure
from go4align_plugins.utils.files import save_bytes, save_json
from go4align_plugins.utils.options import check_whole, require
from go4align_plugins.utils.run_folder import describe_environment
from go4align_plugins.weighting.groupings import GROUPINGS

DRAWN: dict[str, dict[str, Any]] = {
    'ablation': {'note': 'Eq. 4: grouping; Eq. 5: scale balance; Eq. 6: smooth alignment.'},
    'clusterings': {'figures': (DELTA_M, TIME)},
}
TIMED = ('EW', 'GO4Align', 'UW', 'DWA', 'FAMO', 'CAGrad', 'IMTL', 'PCGrad', 'MGDA', 'Nash_MTL')
COUNTS = (2, 3, 11, 40)


def draw_weights(options: Namespace) -> None:
    """Draw a heat map a method, of one seed."""
    chosen, without = [], []
    for method, runs in _methods(options).items():
        seeds = {run.config['seed']: run for run in runs}
        run = seeds.get(min(seeds) if options.seed is None else options.seed)
        if run is not None and all(entry.get('weights') for entry in run.epochs):
            chosen.append(replace(run, config={**run.config, 'weighting': method}))
        else:
            without.append(method)
    seed = '' if options.seed is None else f' with seed {options.seed}'
    check(chosen, f'{options.folder} should hold a finished run{seed} that has weights', 'none')
    if without:
        print(f'Without weights of the tasks{seed}, so not drawn: {", ".join(without)}.')
    path = options.picture or options.folder / 'weights.png'
    weights_heatmap(chosen, path)
    print(f'The picture: {path}')


def draw_convergence(options: Namespace) -> None:
    """Print and draw when each task converges, and the standard deviation."""
    runs = [run for group in _methods(options).values() for run in group]
    found = convergence.measure_convergence(runs, options.share, options.window)
    width = max(len(method.method) for method in found)
    print(f'{"":{width}}  standard deviation (epoch of each task)')
    for method in found:
        epochs = (f'{task} {fmean(values):.1f}' for task, values in method.epochs.items())
        print(f'{method.method:{width}}  {method.difference:8.2f}  ({", ".join(epochs)})')
    print(convergence.explain_convergence(found, options.share, options.window))
    path = options.picture or options.folder / 'convergence.png'
    convergence.draw_convergence(found, path, options.share, options.window)
    print(f'The picture: {path}')


def _methods(options: Namespace) -> dict[str, list[Run]]:
    """Return the finished runs of several tasks by method; raise if one asked for has none."""
    runs, failures = load_results([options.folder])
    for failure in failures:
        print(f'Left out, as it failed: {failure}')
    methods = by_method(run for run in runs if not run.single_task)
    check(methods, f'{options.folder} should hold a finished run of several tasks', 'none')
    chosen: dict[str, list[Run]] = {}
    for asked in options.methods or methods:
        # A weighting's name alone stands for it with any arguments.
        found = {n: runs for n, runs in methods.items() if asked in (n, n.partition(' (')[0])}
        rule = f'name methods of {options.folder}: {", ".join(methods)}'
        require(bool(found), 'methods', rule, asked)
        chosen.update(found)
    return chosen


def compare_variants(options: Namespace) -> int:
    """Train, print and write the table, draw the picture; return 1 if a training failed."""
    plan = plan_of(options, methods=comparison.BASELINES)
    num_tasks, benchmark = len(plan.task_names), get_benchmark(plan.benchmark)
    require(num_tasks > 1, 'tasks', 'leave two tasks or more to be weighted', plan.task_names)
    check_whole('last', options.last, 1, math.inf)
    # By default K is the paper's, if that leaves any tasks to group.
    compared = _variants(options, num_tasks, min(benchmark.num_groups, num_tasks - 1))
    new_figure(1, 1)  # where matplotlib is absent, say so before the training and not after it
    methods = [*comparison.BASELINES, *(variant.spec for variant in compared)]
    folder, _ = train(options, plan_of(options, methods=methods), only_asked=True)
    entries = Store(folder / RESULTS).entries().values()
    found = comparison.compare(entries, compared, benchmark, options.last)
    print(found.report.console())
    path = options.picture or folder / f'{options.analysis}.png'
    if options.analysis == 'groups':
        comparison.draw_counts(found, compared, path)
    else:
        comparison.draw_dots(found, compared, path, **DRAWN.get(options.analysis, {}))
    table = path.with_suffix('.md')
    save_bytes(table, found.report.markdown().encode())
    print(f'The table: {table}\nThe picture: {path}')
    return 1 if found.missing or found.report.failures else 0


def _variants(options: Namespace, num_tasks: int, default: int) -> Sequence[comparison.Variant]:
    """List the methods of a comparison, and print which are left out."""
    if options.analysis == 'groups':
        return comparison.group_counts(num_tasks, options.groups)
    num_groups = default if options.num_groups is None else options.num_groups
    if options.analysis == 'ablation':
        return comparison.ablation(num_tasks, num_groups)
    known: Iterable[str] = comparison.INDICATORS
    if options.analysis == 'indicators':
        from go4align_plugins.libmtl.compat import import_libmtl

        asked, offered = options.indicators, import_libmtl().weighting.__all__
        found = comparison.indicators(offered, num_tasks, num_groups, asked)
    else:
        known, asked = GROUPINGS, options.clusterings
        found = comparison.clusterings(num_tasks, num_groups, asked)
    if asked is None:
        _print_absent(known, [variant.row for variant in found])
    return found


def _print_absent(known: Iterable[str], present: Collection[str]) -> None:
    """Print the paper's methods or groupings that are not installed."""
    absent = [name for name in known if name not in present]
    remedy = ' (pip install "go4align-plugins[clustering]")' if {*absent} & {*GROUPINGS} else ''
    if absent:
        print(f'Left out, as the installed packages lack them: {", ".join(absent)}{remedy}.')


def time_methods(options: Namespace) -> int:
    """Time training steps of methods side by side; return 1 if a method could not be timed."""
    # LibMTL takes seconds to load: not for every command.
    from go4align_plugins.leaderboard.analyse.workloads import build_workload
    from go4align_plugins.libmtl.compat import import_libmtl

    new_figure(1, 1)  # where matplotlib is absent, say so before the timing and not after it
    methods = options.methods
    if methods is None:
        offered = import_libmtl().weighting.__all__
        methods = [method for method in TIMED if method in offered]
        _print_absent(TIMED, methods)
    steps, failures, notes = {}, {}, []
    for count in sorted(set(options.tasks)):
        load = build_workload(count, options.batch_size)
        note = f'{count} tasks: {load.benchmark.title}, {load.backbone}, batch {load.batch_size}.'
        notes.append(f'{note} {load.note}'.rstrip())
        print(notes[-1])
        for method in dict.fromkeys((EQUAL_WEIGHTING, *methods)):
            try:
                steps[count, method] = load.prepare(method, options.device)
            except Exception as error:  # any error of LibMTL's code; ValueError: no such method
                if method == EQUAL_WEIGHTING or isinstance(error, ValueError):
                    raise
                failures[count, method] = runtime.explain_failure(error)
    timings, failed_steps = runtime.time_steps(steps, options.repeats)
    failures.update(failed_steps)
    info = Path('/proc/cpuinfo')  # of Linux
    named = re.search(r'model name\s*: (.+)', info.read_text() if info.exists() else '')
    model, threads = named[1] if named else platform.processor(), torch.get_num_threads()
    hardware = {**describe_machine(), 'model': model, 'cores': os.cpu_count(), 'threads': threads}
    machine = f'{", ".join(hardware["gpus"]) or model}, threads: {threads}'
    notes.append(f'Median and quartiles over {options.repeats} rounds; random data; {machine}.')
    print(runtime.timing_table(timings))
    for (count, method), reason in failures.items():
        notes.append(f'{method} fails with {count} tasks.')
        print(f'{method} fails with {count} tasks: {reason}')
    failed = [{'tasks': m, 'method': name, 'reason': why} for (m, name), why in failures.items()]
    record = {'hardware': hardware, **describe_environment('torch', 'LibMTL', 'torch_geometric')}
    record |= {'repeats': options.repeats, 'notes': notes}
    record |= {'timings': [asdict(each) for each in timings], 'failures': failed}
    save_json(options.json, record)
    picture = options.picture or options.json.with_suffix('.png')
    runtime.draw_runtime(timings, ' '.join(notes), picture)
    print(f'All figures: {options.json}\nThe picture: {picture}')
    return 1 if failures else 0
