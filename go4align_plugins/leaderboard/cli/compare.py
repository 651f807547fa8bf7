"""Run the analyses that train: comparisons of the paper, each an ordinary leaderboard."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from go4align_plugins.benchmarks.canvas import new_figure
from go4align_plugins.benchmarks.files import save_bytes
from go4align_plugins.benchmarks.table import get_benchmark
from go4align_plugins.leaderboard.analyse.comparison import Comparison, compare
from go4align_plugins.leaderboard.analyse.comparison_pictures import draw_counts, draw_dots
from go4align_plugins.leaderboard.analyse.variants import (
    BASELINES,
    INDICATORS,
    Variant,
    ablation,
    clusterings,
    group_counts,
    indicators,
)
from go4align_plugins.leaderboard.cli.options import add_command, add_picture, print_absent
from go4align_plugins.leaderboard.cli.run import add_run_options, train
from go4align_plugins.leaderboard.report.scores import DELTA_M, TIME
from go4align_plugins.leaderboard.run.plan import PLAN, Plan, read_plan
from go4align_plugins.leaderboard.run.store import RESULTS, Store
from go4align_plugins.weighting.grouping import GROUPINGS

EQUATIONS = 'Eq. 4: grouping; Eq. 5: scale balance; Eq. 6: smooth alignment.'
Draw = Callable[[Comparison, Path], None]


def add_parsers(analyses: argparse._SubParsersAction) -> None:
    """Add ``groups``, ``ablation``, ``indicators`` and ``clusterings``."""
    parser = _add(analyses, 'groups', 'the effect of the number of groups K', _groups)
    parser.add_argument('--groups', nargs='+', type=int, metavar='K', help='(1 to all tasks)')
    parsers = [
        _add(analyses, 'ablation', 'GO4Align without some of Eq. 4, 5, 6 (Table 3)', _ablation),
        _add(analyses, 'indicators', 'other methods alone and with AGRM (Table 4)', _indicators),
        _add(analyses, 'clusterings', 'other ways of grouping (Table 5)', _clusterings),
    ]
    for parser in parsers:
        parser.add_argument(
            '--num-groups', type=int, metavar='K',
            help="where tasks are grouped (the paper's, below M)",
        )  # fmt: skip
    parsers[1].add_argument(
        '--indicators', nargs='+', metavar='METHOD',
        help=f'(those of {", ".join(INDICATORS)} that LibMTL has)',
    )  # fmt: skip
    parsers[2].add_argument(
        '--clusterings', nargs='+', choices=GROUPINGS, help='(all installed ones)'
    )


def _add(
    analyses: argparse._SubParsersAction,
    name: str,
    meaning: str,
    command: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    description = (
        f'Compares: {meaning}. Trains what is missing as `run` does, with STL and EW\nbesides; '
        'options that are not listed here go to the training tool.'
    )
    defaults = {'takes_rest': True, 'analysis': name}
    parser = add_command(analyses, name, command, meaning, description, **defaults)
    add_run_options(parser)
    parser.add_argument('--last', type=int, default=10, help='epochs to average at the end (10)')
    add_picture(parser, f'; the table is put beside it as .md (OUT/{name}.png)')
    return parser


def _groups(options: argparse.Namespace) -> int:
    variants = group_counts(len(_planned(options).task_names), options.groups)
    return _analyse(
        options, list(variants.values()), lambda found, path: draw_counts(found, variants, path)
    )


def _ablation(options: argparse.Namespace) -> int:
    variants = ablation(*_sizes(options))
    return _analyse(options, variants, _dots(variants, (DELTA_M,), EQUATIONS))


def _indicators(options: argparse.Namespace) -> int:
    from go4align_plugins.libmtl.compat import import_libmtl

    offered = import_libmtl().weighting.__all__
    variants = indicators(offered, *_sizes(options), options.indicators)
    if options.indicators is None:
        print_absent(INDICATORS, [variant.row for variant in variants])
    return _analyse(options, variants, _dots(variants, (DELTA_M,)))


def _clusterings(options: argparse.Namespace) -> int:
    variants = clusterings(*_sizes(options), options.clusterings)
    absent = [name for name in GROUPINGS if name not in [variant.label for variant in variants]]
    if absent and options.clusterings is None:
        print(
            f'Left out, as their packages are not installed: {", ".join(absent)} '
            '(pip install "go4align-plugins[clustering]").'
        )
    return _analyse(options, variants, _dots(variants, (DELTA_M, TIME)))


def _dots(variants: Sequence[Variant], keys: Sequence[tuple[str, str]], note: str = '') -> Draw:
    return lambda comparison, path: draw_dots(comparison, variants, keys, path, note)


def _planned(options: argparse.Namespace) -> Plan:
    """Return the plan that the options ask for, as far as it is needed before the training."""
    values = {}
    there = options.out / PLAN if options.out else None
    for path in (there if there and there.exists() else None, options.plan):
        values.update(read_plan(path) if path else {})
    given = {name: getattr(options, name) for name in ('benchmark', 'tasks')}
    values.update({name: value for name, value in given.items() if value is not None})
    plan = Plan.from_dict({'framework': 'libmtl', **values, 'methods': BASELINES, 'config': None})
    if len(plan.task_names) < 2:
        raise ValueError(
            'Parameter `tasks` should leave two tasks or more to be weighted. '
            f'Found `{", ".join(plan.task_names)}`.'
        )
    return plan


def _sizes(options: argparse.Namespace) -> tuple[int, int]:
    """Return M, and K: by default the paper's, if that leaves any tasks to group."""
    plan = _planned(options)
    num_tasks = len(plan.task_names)
    if options.num_groups is not None:
        return num_tasks, options.num_groups
    return num_tasks, min(get_benchmark(plan.benchmark).num_groups, num_tasks - 1)


def _analyse(options: argparse.Namespace, variants: Sequence[Variant], draw: Draw) -> int:
    """Train the missing cells, print and write the table, draw the picture.

    Returns:
        The exit status: 1 if a training failed, so that figures are missing.
    """
    if options.last < 1:
        raise ValueError(f'Parameter `last` should be at least 1. Found `last = {options.last}`.')
    new_figure(1, 1)  # where matplotlib is absent, say so before the training and not after it
    options.methods = [*BASELINES, *(variant.spec for variant in variants)]
    folder, plan = train(options, only_methods=True)
    entries = Store(folder / RESULTS).entries().values()
    comparison = compare(entries, variants, get_benchmark(plan.benchmark), options.last)
    print(comparison.report.console())
    path = options.picture or folder / f'{options.analysis}.png'
    table = path.with_suffix('.md')
    draw(comparison, path)
    save_bytes(table, comparison.report.markdown().encode())
    print(f'The table: {table}\nThe picture: {path}')
    return 1 if comparison.missing or comparison.report.failures else 0
