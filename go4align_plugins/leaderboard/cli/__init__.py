"""Hold the command line of ``tools/leaderboard.py``: one module a command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from go4align_plugins.leaderboard.cli import analyse, exchange, report, run
from go4align_plugins.utils.files import advise

EPILOG = """\
examples:
  python tools/leaderboard.py run --framework libmtl --benchmark rooms \\
      --methods STL EW UW DWA CAGrad GO4Align GO4Align:num_groups=3 --seeds 0 1 2 --workers 2
  python tools/leaderboard.py run --out leaderboards/libmtl-rooms              # go on with it
  python tools/leaderboard.py run --out leaderboards/libmtl-rooms --methods IMTL    # one more
  python tools/leaderboard.py report leaderboards/libmtl-rooms --out report
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the command line, with a sub-command for each module."""
    parser = argparse.ArgumentParser(
        prog='leaderboard.py',
        description='Compares weighting methods: trains every method with every seed, each in a '
        'process of its own, and reports the table of the papers. Interrupt it at any time; the '
        'same command goes on.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    subparsers = parser.add_subparsers(required=True, metavar='COMMAND')
    for module in (run, report, analyse, exchange):
        module.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    options.rest = rest
    if options.rest and not getattr(options, 'takes_rest', False):
        parser.error(f'unrecognized arguments: {" ".join(options.rest)}')
    try:
        status = options.command(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print('leaderboard.py: stopped: the same command goes on.', file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has seen enough, as in `report ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, ImportError, OSError) as error:
        advice = advise(error, 'the same command then goes on')
        print(f'leaderboard.py: error: {error}{advice}', file=sys.stderr)
        return 2
