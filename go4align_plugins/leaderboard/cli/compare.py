"""Run the analyses that train: comparisons of the paper, each an ordinary leaderboard."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.analyse.comparison import compare
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
from go4align_plugins.plots.canvas import new_figure
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.weighting.groupings import GROUPINGS

EQUATIONS = 'Eq. 4: grouping; Eq. 5: scale balance; Eq. 6: smooth alignment.'


def add_parsers(analyses: argparse._SubParsersAction) -> None:
    """Add ``groups``, ``ablation``, ``indicators`` and ``clusterings``."""
    groups = _add(analyses, 'groups', 'the effect of the number of groups K', _groups)
    groups.add_argument('--groups', nargs='+', type=int, metavar='K', help='(1 to all tasks)')
    meaning = 'GO4Align without some of Eq. 4, 5, 6 (Table 3)'
    parts = _add(analyses, 'ablation', meaning, _ablation, note=EQUATIONS)
    meaning = 'other methods alone and with AGRM (Table 4)'
    others = _add(analyses, 'indicators', meaning, _indicators)
    meaning = f'(those of {", ".join(INDICATORS)} that LibMTL has)'
    others.add_argument('--indicators', nargs='+', metavar='METHOD', help=meaning)
    meaning = 'other ways of grouping (Table 5)'
    ways = _add(analyses, 'clusterings', meaning, _clusterings, figures=(DELTA_M, TIME))
    ways.add_argument('--clusterings', nargs='+', choices=GROUPINGS, help='(all installed ones)')
    for parser in (parts, others, ways):
        meaning = "where tasks are grouped (the paper's, below M)"
        parser.add_argument('--num-groups', type=int, metavar='K', help=meaning)


def _add(
    analyses: argparse._SubParsersAction,
    name: str,
    meaning: str,
    variants: Callable[[argparse.Namespace, int, int], Sequence[Variant]],
    **drawn: Any,
) -> argparse.ArgumentParser:
    description = (
        f'Compares: {meaning}. Trains what is missing as `run` does, with STL and EW\nbesides; '
        'options that are not listed here go to the training tool.'
    )
    defaults = {'takes_rest': True, 'analysis': name, 'variants': variants, 'drawn': drawn}
    parser = add_command(analyses, name, _compare, meaning, description, **defaults)
    add_run_options(parser)
    parser.add_argument('--last', type=int, default=10, help='epochs to average at the end (10)')
    add_picture(parser, f'; the table is put beside it as .md (OUT/{name}.png)')
    return parser


def _groups(options: argparse.Namespace, num_tasks: int, num_groups: int) -> Sequence[Variant]:
    return group_counts(num_tasks, options.groups)


def _ablation(options: argparse.Namespace, num_tasks: int, num_groups: int) -> Sequence[Variant]:
    return ablation(num_tasks, num_groups)


def _indicators(options: argparse.Namespace, num_tasks: int, num_groups: int) -> Sequence[Variant]:
    from go4align_plugins.libmtl.compat import import_libmtl

    offered = import_libmtl().weighting.__all__
    variants = indicators(offered, num_tasks, num_groups, options.indicators)
    if options.indicators is None:
        print_absent(INDICATORS, [variant.row for variant in variants])
    return variants


def _clusterings(options: argparse.Namespace, num_tasks: int, num_groups: int) -> Sequence[Variant]:
    variants = clusterings(num_tasks, num_groups, options.clusterings)
    absent = [name for name in GROUPINGS if name not in [variant.label for variant in variants]]
    if absent and options.clusterings is None:
        print(
            f'Left out, as their packages are not installed: {", ".join(absent)} '
            '(pip install "go4align-plugins[clustering]").'
        )
    return variants


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


def _compare(options: argparse.Namespace) -> int:
    """Train the missing cells, print and write the table, draw the picture.

    Returns:
        The exit status: 1 if a training failed, so that figures are missing.
    """
    planned = _planned(options)
    num_tasks = len(planned.task_names)
    # By default K is the paper's, if that leaves any tasks to group.
    num_groups = min(get_benchmark(planned.benchmark).num_groups, num_tasks - 1)
    given = getattr(options, 'num_groups', None)
    variants = options.variants(options, num_tasks, num_groups if given is None else given)
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
    if options.analysis == 'groups':
        draw_counts(comparison, variants, path)
    else:
        draw_dots(comparison, variants, path, **options.drawn)
    save_bytes(table, comparison.report.markdown().encode())
    print(f'The table: {table}\nThe picture: {path}')
    return 1 if comparison.missing or comparison.report.failures else 0
