"""Prints the table of a set of runs and writes it as Markdown and CSV."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from go4align_plugins.leaderboard.cli.board import make_report, show
from go4align_plugins.utils.files import advise

EXAMPLE = """example:
  python tools/report.py runs/stl-* runs/ew runs/go4align --out demo

A run of one task alone is a single-task baseline; all others are rows of the table in the order
given. Runs of one method with different seeds are averaged. `tools/leaderboard.py report` writes
more forms, an HTML page among them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN', help='a run folder')
    parser.add_argument(
        '--last', type=int, default=10, help='epochs to average at the end (default: 10)'
    )
    parser.add_argument('--out', metavar='DIR', help='where to write report.md and report.csv')
    options = parser.parse_args(arguments)
    try:
        report = make_report(options.runs, options.last)
        paths = report.write(options.out) if options.out else []
    except (ValueError, OSError) as error:
        parser.exit(2, f'error: {error}{advise(error, "then repeat the command")}\n')
    show(report, paths)


if __name__ == '__main__':
    main()
