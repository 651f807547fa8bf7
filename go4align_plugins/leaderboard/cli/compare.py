"""Run the analyses that train: comparisons of the paper, each an ordinary leaderboard."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.analyse import variants as paper
from go4align_plugins.leaderboard.analyse.comparison import compare, draw_counts, draw_dots
from go4align_plugins.leaderboard.analyse.variants import BASELINES, INDICATORS, Variant
from go4align_plugins.leaderboard.cli import options as shared
from go4align_plugins.leaderboard.cli.run import add_run_options, plan_of, train
from go4align_plugins.leaderboard.report.scores import DELTA_M, TIME
from go4align_plugins.leaderboard.run.store import RESULTS, Store
from go4align_plugins.plots.canvas import new_figure
from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.options import check_whole, require
from go4align_plugins.weighting.groupings import GROUPINGS

COMPARISONS = {
    'groups': 'the effect of the number of groups K',
    'ablation': 'GO4Align without some of Eq. 4, 5, 6 (Table 3)',
    'indicators': 'other methods alone and with AGRM (Table 4)',
    'clusterings': 'other ways of grouping (Table 5)',
}
DRAWN: dict[str, dict[str, Any]] = {
    'ablation': {'note': 'Eq. 4: grouping; Eq. 5: scale balance; Eq. 6: smooth alignment.'},
    'clusterings': {'figures': (DELTA_M, TIME)},
}


def add_parsers(analyses: argparse._SubParsersAction) -> None:
    """Add ``groups``, ``ablation``, ``indicators`` and ``clusterings``."""
    adds = {}
    for name, meaning in COMPARISONS.items():
        description = (
            f'Compares: {meaning}. Trains the missing cells as `run` does, with STL and EW;\n'
            'options that are not listed here go to the training tool.'
        )
        parser = shared.add_command(
            analyses, name, meaning, description, command=_compare, analysis=name
        )
        add_run_options(parser)
        shared.add_picture(parser, f'; the table is put beside it as .md (OUT/{name}.png)')
        adds[name] = add = parser.add_argument
        add('--last', type=int, default=10, help='epochs to average at the end (10)')
        if name != 'groups':
            meaning = "where tasks are grouped (the paper's, below M)"
            add('--num-groups', type=int, metavar='K', help=meaning)
    adds['groups']('--groups', nargs='+', type=int, metavar='K', help='(1 to all tasks)')
    meaning = f'(those of {", ".join(INDICATORS)} that LibMTL has)'
    adds['indicators']('--indicators', nargs='+', metavar='METHOD', help=meaning)
    meaning = '(all installed ones)'
    adds['clusterings']('--clusterings', nargs='+', choices=GROUPINGS, help=meaning)


def _variants(options: argparse.Namespace, num_tasks: int, default: int) -> Sequence[Variant]:
    """List the methods of an analysis, and print which are left out."""
    if options.analysis == 'groups':
        return paper.group_counts(num_tasks, options.groups)
    num_groups = default if options.num_groups is None else options.num_groups
    if options.analysis == 'ablation':
        return paper.ablation(num_tasks, num_groups)
    if options.analysis == 'indicators':
        from go4align_plugins.libmtl.compat import import_libmtl

        known, asked = list(INDICATORS), options.indicators
        offered = import_libmtl().weighting.__all__
        variants = paper.indicators(offered, num_tasks, num_groups, asked)
    else:
        known, asked = list(GROUPINGS), options.clusterings
        variants = paper.clusterings(num_tasks, num_groups, asked)
    if asked is None:
        shared.print_absent(known, [variant.row for variant in variants])
    return variants


def _compare(options: argparse.Namespace) -> int:
    """Train, print and write the table, draw the picture; return 1 if a training failed."""
    plan = plan_of(options, methods=BASELINES)
    num_tasks, benchmark = len(plan.task_names), get_benchmark(plan.benchmark)
    require(num_tasks > 1, 'tasks', 'leave two tasks or more to be weighted', plan.task_names)
    check_whole('last', options.last, 1, math.inf)
    # By default K is the paper's, if that leaves any tasks to group.
    variants = _variants(options, num_tasks, min(benchmark.num_groups, num_tasks - 1))
    new_figure(1, 1)  # where matplotlib is absent, say so before the training and not after it
    methods = [*BASELINES, *(variant.spec for variant in variants)]
    folder, _ = train(options, plan_of(options, methods=methods), only_asked=True)
    entries = Store(folder / RESULTS).entries().values()
    comparison = compare(entries, variants, benchmark, options.last)
    print(comparison.report.console())
    path = options.picture or folder / f'{options.analysis}.png'
    if options.analysis == 'groups':
        draw_counts(comparison, variants, path)
    else:
        draw_dots(comparison, variants, path, **DRAWN.get(options.analysis, {}))
    table = path.with_suffix('.md')
    save_bytes(table, comparison.report.markdown().encode())
    print(f'The table: {table}\nThe picture: {path}')
    return 1 if comparison.missing or comparison.report.failures else 0
