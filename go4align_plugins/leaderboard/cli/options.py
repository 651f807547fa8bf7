"""Add options of several commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

PICTURES = ('.png', '.pdf', '.svg')


def add_command(
    subparsers: argparse._SubParsersAction,
    name: str,
    command: Callable[[argparse.Namespace], int],
    meaning: str,
    description: str,
    **defaults: Any,
) -> argparse.ArgumentParser:
    """Add a command, which gets its options; ``defaults`` are added to them."""
    parser = subparsers.add_parser(
        name,
        help=meaning,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=command, **defaults)
    return parser


def add_picture(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--picture``; the help names the picture that is written without it."""
    parser.add_argument(
        '--picture', type=_picture, metavar='FILE', help=f'.png, .pdf or .svg{default}'
    )


def print_absent(known: Sequence[str], present: Collection[str]) -> None:
    """Print the paper's methods that the installed LibMTL does not have."""
    absent = [name for name in known if name not in present]
    if absent:
        print(f'Left out, as the installed LibMTL does not have them: {", ".join(absent)}.')


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in PICTURES:  # refused before hours of training, and not after
        raise argparse.ArgumentTypeError(f'should end in .png, .pdf or .svg. Found `{text}`.')
    return path
