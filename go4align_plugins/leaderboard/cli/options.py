"""Options that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path

PICTURES = ('.png', '.pdf', '.svg')


def picture(text: str) -> Path:
    """The path of a picture, refused at once if it could not be written after hours of training.

    Raises:
        argparse.ArgumentTypeError: if no kind of picture has such a name.
    """
    path = Path(text)
    if path.suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(
            f'should end in {PICTURES[0]}, {PICTURES[1]} or {PICTURES[2]}. Found `{text}`.'
        )
    return path


def add_picture(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add ``--picture``.

    Args:
        parser: of a command.
        meaning: where the picture is without it, in the help.
    """
    parser.add_argument('--picture', type=picture, metavar='FILE', help=meaning)


def tell_absent(known: Sequence[str], present: Collection[str]) -> None:
    """Say which of the paper's methods are left out, as the installed LibMTL does not have them."""
    absent = [name for name in known if name not in present]
    if absent:
        print(f'Left out, as the installed LibMTL does not have them: {", ".join(absent)}.')
