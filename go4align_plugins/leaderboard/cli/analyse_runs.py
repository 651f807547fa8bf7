"""The analyses of runs that are there: weights over the epochs, and convergence."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from go4align_plugins.leaderboard.analyse.convergence import (
    draw_convergence,
    explain,
    measure_convergence,
)
from go4align_plugins.leaderboard.analyse.pictures import weights_heatmap
from go4align_plugins.leaderboard.cli.options import add_picture
from go4align_plugins.leaderboard.report.sources import load_results
from go4align_plugins.leaderboard.run.runs import Run, by_method


def add_parsers(analyses: argparse._SubParsersAction) -> None:
    """Add ``weights`` and ``convergence``."""
    parser = _add(analyses, 'weights', 'weights and groups over the epochs (Fig. 5)', weights)
    parser.add_argument('--seed', type=int, help='whose runs to draw (the lowest of each method)')
    parser = _add(analyses, 'convergence', 'when the tasks converge (Fig. 2)', convergence)
    parser.add_argument(
        '--share', type=float, default=0.95, help='of its progress makes a metric converged (0.95)'
    )
    parser.add_argument(
        '--window', type=int, default=5, help='epochs whose mean smooths a metric (5)'
    )


def _add(
    analyses: argparse._SubParsersAction,
    name: str,
    meaning: str,
    command: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = analyses.add_parser(
        name, help=meaning, description=f'{meaning[0].upper()}{meaning[1:]}.', allow_abbrev=False
    )
    parser.add_argument('folder', type=Path, help='a leaderboard')
    parser.add_argument(
        '--methods', nargs='+', metavar='METHOD', help='as the report names them (all)'
    )
    add_picture(parser, f'.png, .pdf or .svg (FOLDER/{name}.png)')
    parser.set_defaults(command=command)
    return parser


def weights(options: argparse.Namespace) -> int:
    """The analysis ``weights``: a heat map a method, of one seed."""
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


def convergence(options: argparse.Namespace) -> int:
    """The analysis ``convergence``: when each task converges, and the standard deviation."""
    runs = [run for group in _methods(options).values() for run in group]
    found = measure_convergence(runs, options.share, options.window)
    width = max(len(method.method) for method in found)
    print(f'{"":{width}}  standard deviation (epoch of each task)')
    for method in found:
        epochs = (f'{task} {fmean(values):.1f}' for task, values in method.epochs.items())
        print(f'{method.method:{width}}  {method.difference:8.2f}  ({", ".join(epochs)})')
    print(explain(options.share, options.window, max(len(m.differences) for m in found)))
    path = options.picture or options.folder / 'convergence.png'
    draw_convergence(found, path, options.share, options.window)
    print(f'The picture: {path}')
    return 0


def _methods(options: argparse.Namespace) -> dict[str, list[Run]]:
    """The finished runs of several tasks, by method.

    Raises:
        ValueError: if there is none, or none of a method that was asked for.
    """
    runs, failures = load_results([options.folder])
    for failure in failures:
        print(f'Left out, as it failed: {failure}')
    methods = by_method(run for run in runs if not run.single_task)
    if not methods:
        raise ValueError(f'{options.folder} should hold a finished run of several tasks.')
    chosen: dict[str, list[Run]] = {}
    for asked in options.methods or methods:
        # A weighting's name alone stands for it with whatever arguments.
        found = {name: runs for name, runs in methods.items() if asked in (name, _weighting(name))}
        if found:
            chosen.update(found)
            continue
        raise ValueError(
            f'Parameter `methods` should name methods of {options.folder}: {", ".join(methods)}. '
            f'Found `{asked}`.'
        )
    return chosen


def _weighting(method: str) -> str:
    return method.partition(' (')[0]
