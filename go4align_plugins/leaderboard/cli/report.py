"""Run ``leaderboard.py report``: the table of a leaderboard, on the console and in files."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from go4align_plugins.data import BENCHMARKS, get_benchmark
from go4align_plugins.leaderboard.cli.options import add_command
from go4align_plugins.leaderboard.report.build import build_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import FORMATS, Report
from go4align_plugins.leaderboard.report.sources import load_results

DESCRIPTION = """\
Compares the methods of a leaderboard: every metric with its standard deviation over the seeds, mean
rank, delta_m and LibMTL's improvement against the single-task runs, the difference to EW with its
bootstrap interval, and relative time. Runs of several protocols are refused. A table.csv in the
form of report.csv (method, seeds, task/metric) is a set of results that was entered by hand."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``report``."""
    meaning = 'print and write the table'
    parser = add_command(subparsers, 'report', meaning, DESCRIPTION, command=_report)
    add = parser.add_argument
    add(
        'sources', nargs='+', type=Path, metavar='SOURCE',
        help='leaderboards, results.jsonl, run folders (of one benchmark); or one table.csv',
    )  # fmt: skip
    add('--out', type=Path, metavar='DIR', help='where to write it (only printed)')
    add('--formats', nargs='+', choices=FORMATS, default=list(FORMATS), help='to write (all)')
    add('--last', type=int, default=10, help='epochs to average at the end (10)')
    add('--best', action='store_true', help="add a table of each run's best epoch on the test set")
    add(
        '--published',
        action='store_true',
        help="add the GO4Align paper's rows, marked as published",
    )
    add('--benchmark', choices=BENCHMARKS, help='that table.csv is of (by its columns)')


def make_report(
    sources: Sequence[str | Path], last: int = 10, best: bool = False, published: bool = False
) -> Report:
    """Report leaderboards, stores and run folders; ValueError if nothing is finished."""
    runs, failures = load_results(sources)
    single, multi = ([run for run in runs if run.single_task is one] for one in (True, False))
    if not multi:
        listed = ''.join(f'\n  {failure}' for failure in failures)
        raise ValueError(
            f'{", ".join(map(str, sources))} should hold a finished run of several tasks. '
            f'Found {len(single)} of one task, {len(failures)} failed.{listed}'
        )
    benchmark = get_benchmark(multi[0].config['benchmark'])
    return build_report(
        multi, single, benchmark, last, best=best, published=published, failures=failures
    )


def show(report: Report, paths: Sequence[Path]) -> None:
    """Print a report, and where it was written."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='replace')  # arrows on a console that has none
    print(report.console(), end='')
    for path in paths:
        print(f'wrote {path}')


def _report(options: argparse.Namespace) -> int:
    if not any(source.suffix == '.csv' for source in options.sources):
        report = make_report(options.sources, options.last, options.best, options.published)
    elif len(options.sources) > 1 or options.best or options.published:
        raise ValueError(
            'A table that was entered by hand should be reported alone, without --best and '
            f'--published. Found {", ".join(map(str, options.sources))}.'
        )
    else:
        benchmark = None if options.benchmark is None else get_benchmark(options.benchmark)
        report = report_of_table(options.sources[0], benchmark)
    show(report, report.write(options.out, options.formats) if options.out else [])
    return 0
