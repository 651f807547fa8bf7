"""Run the command ``report``: the table of a leaderboard, on the console and in files."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from go4align_plugins.data import get_benchmark
from go4align_plugins.leaderboard.report.build import build_report
from go4align_plugins.leaderboard.report.csv_results import report_of_table
from go4align_plugins.leaderboard.report.formats import Report
from go4align_plugins.leaderboard.report.sources import load_results


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


def report(options: Namespace) -> int:
    """Print the table of runs, or of a table that was entered by hand; write it."""
    sources = options.sources
    if not any(source.suffix == '.csv' for source in sources):
        made = make_report(sources, options.last, options.best, options.published)
    elif len(sources) > 1 or options.best or options.published:
        raise ValueError(
            'A table that was entered by hand should be reported alone, without --best and '
            f'--published. Found {", ".join(map(str, sources))}.'
        )
    else:
        made = report_of_table(sources[0], options.benchmark and get_benchmark(options.benchmark))
    show(made, made.write(options.out, options.formats) if options.out else [])
    return 0
