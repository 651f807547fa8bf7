"""``leaderboard.py analyse``: the paper's analyses, each one command, a table and a picture."""

from __future__ import annotations

import argparse

from go4align_plugins.leaderboard.cli import analyse_presets, analyse_runs, analyse_runtime

DESCRIPTION = """\
The analyses of the GO4Align paper. `weights` and `convergence` read a leaderboard that is there;
`groups`, `ablation`, `indicators` and `clusterings` train what is missing in one, with STL and EW
besides, and take the options of `run`; `runtime` times training steps on random data."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``analyse`` with its analyses."""
    parser = subparsers.add_parser(
        'analyse',
        help="make one of the paper's analyses",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    analyses = parser.add_subparsers(required=True, metavar='ANALYSIS')
    for module in (analyse_runs, analyse_presets, analyse_runtime):
        module.add_parsers(analyses)
