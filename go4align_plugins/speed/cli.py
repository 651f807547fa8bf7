"""The command line of ``tools/speed.py``: one module a sub-command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from go4align_plugins.speed import data, evaluation, iteration, step

EPILOG = """\
examples:
  python tools/speed.py step --quick            # a minute: is all in order?
  python tools/speed.py step --json speed/step.json
  python tools/speed.py step --tasks 3 40 --groups 2 5 --methods exact published equal
  python tools/speed.py iteration --methods GO4Align UW CAGrad --rounds 100
  python tools/speed.py data --libmtl ../LibMTL
  python tools/speed.py metrics --libmtl ../LibMTL
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='speed.py',
        description='Times the package against what it takes the place of, side by side in one '
        'process: a table of medians and ratios, a picture, and all figures as JSON.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    subparsers = parser.add_subparsers(required=True, metavar='COMMAND')
    for module in (step, iteration, data, evaluation):
        module.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    options = build_parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print('speed.py: stopped; nothing is written.', file=sys.stderr)
        return 130
    except (ValueError, ImportError, OSError) as error:
        print(f'speed.py: error: {error}', file=sys.stderr)
        return 2
