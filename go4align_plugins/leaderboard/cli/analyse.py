"""Run ``leaderboard.py analyse``: the paper's analyses, each one command, a table and a picture."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from go4align_plugins.leaderboard.analyse import convergence
from go4align_plugins.leaderboard.analyse.pictures import weights_heatmap
from go4align_plugins.leaderboard.cli import compare, runtime
from go4align_plugins.leaderboard.cli.options import add_command, add_picture
from go4align_plugins.leaderboard.report.sources import load_results
from go4align_plugins.leaderboard.run.runs import Run, by_method

DESCRIPTION = """\
The analyses of the GO4Align paper. `weights` and `convergence` read a leaderboard that is there;
`groups`, `ablation`, `indicators` and `clusterings` train the missing cells of one, with STL and
EW, and take the options of `run`; `runtime` times training steps on random data."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``analyse`` with its analyses."""
    parser = add_command(subparsers, 'analyse', "make one of the paper's analyses", DESCRIPTION)
    analyses = parser.add_subparsers(required=True, metavar='ANALYSIS')
    meaning = 'weights and groups over the epochs (Fig. 5)'
    weights = add_command(analyses, 'weights', meaning, command=_weights)
    meaning = 'when the tasks converge (Fig. 2)'
    converged = add_command(analyses, 'convergence', meaning, command=_convergence)
    for name, parser in (('weights', weights), ('convergence', converged)):
        add = parser.add_argument
        add('folder', type=Path, help='a leaderboard')
        add('--methods', nargs='+', metavar='METHOD', help='as the report names them (all)')
        add_picture(parser, f' (FOLDER/{name}.png)')
    weights.add_argument('--seed', type=int, help='whose runs to draw (the lowest of each method)')
    add = converged.add_argument
    add('--share', type=float, default=0.95, help='of its progress makes a metric converged (0.95)')
    add('--window', type=int, default=5, help='epochs whose mean smooths a metric (5)')
    compare.add_parsers(analyses)
    runtime.add_parser(analyses)


def _weights(options: argparse.Namespace) -> int:
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
    if not chosen:
        raise ValueError(f'{options.folder} should hold a finished run{seed} that has weights.')
    if without:
        print(f'Without weights of the tasks{seed}, so not drawn: {", ".join(without)}.')
    path = options.picture or options.folder / 'weights.png'
    weights_heatmap(chosen, path)
    print(f'The picture: {path}')
    return 0


def _convergence(options: argparse.Namespace) -> int:
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
    return 0


def _methods(options: argparse.Namespace) -> dict[str, list[Run]]:
    """Return the finished runs of several tasks by method; raise if one asked for has none."""
    runs, failures = load_results([options.folder])
    for failure in failures:
        print(f'Left out, as it failed: {failure}')
    methods = by_method(run for run in runs if not run.single_task)
    if not methods:
        raise ValueError(f'{options.folder} should hold a finished run of several tasks.')
    chosen: dict[str, list[Run]] = {}
    for asked in options.methods or methods:
        # A weighting's name alone stands for it with any arguments.
        found = {n: runs for n, runs in methods.items() if asked in (n, n.partition(' (')[0])}
        if not found:
            raise ValueError(
                f'Parameter `methods` should name methods of {options.folder}: '
                f'{", ".join(methods)}. Found `{asked}`.'
            )
        chosen.update(found)
    return chosen
