"""Add commands, and options that several of them share."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from go4align_plugins.weighting.groupings import GROUPINGS


def add_command(
    subparsers: argparse._SubParsersAction, name: str, meaning: str, description: str = '',
    **defaults: Any,
) -> argparse.ArgumentParser:  # fmt: skip
    """Add a command; ``defaults`` are added to its options: ``command`` is called with them."""
    parser = subparsers.add_parser(
        name,
        help=meaning,
        description=description or f'{meaning[0].upper()}{meaning[1:]}.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(**defaults)
    return parser


def add_picture(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--picture``; the help names the picture that is written without it."""
    meaning = f'.png, .pdf or .svg{default}'
    parser.add_argument('--picture', type=_picture, metavar='FILE', help=meaning)


def print_absent(known: Sequence[str], present: Collection[str]) -> None:
    """Print the paper's methods or groupings that are not installed."""
    absent = [name for name in known if name not in present]
    remedy = ' (pip install "go4align-plugins[clustering]")' if {*absent} & {*GROUPINGS} else ''
    if absent:
        print(f'Left out, as the installed packages lack them: {", ".join(absent)}{remedy}.')


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in ('.png', '.pdf', '.svg'):  # refused before hours of training
        raise argparse.ArgumentTypeError(f'should end in .png, .pdf or .svg. Found `{text}`.')
    return path
