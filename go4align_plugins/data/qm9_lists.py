"""Reads the lists beside QM9's molecules: those to leave out, and LibMTL's split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from go4align_plugins.utils.files import load_tensors
from go4align_plugins.utils.texts import read_text

NUM_MOLECULES, NUM_EXCLUDED = 133_885, 3_054
"""Of the official structures, and of the official list of those to leave out."""


def read_excluded(path: Path, num_molecules: int) -> set[int]:
    """Read ``uncharacterized.txt``: a heading, a line for each molecule, and a line at the end.

    Args:
        path: the list.
        num_molecules: number of structures.

    Returns:
        The numbers of the molecules, from 1; none if there is no file.

    Raises:
        ValueError: if it is another file, or cut.
    """
    if not path.exists():
        return set()
    rule = f'{path}: should list the molecules to leave out, to its end. Found'
    try:
        # Its numbers are ASCII, whatever its comments are written in.
        text = read_text(path, errors='replace')
        lines = [words for line in text.splitlines() if (words := line.split())]
        numbers = {int(words[0]) for words in lines if len(words) > 2 and words[0].isdecimal()}
    except (OSError, ValueError) as error:
        raise ValueError(f'{rule}: {error}') from error
    official = num_molecules == NUM_MOLECULES
    if len(numbers) < (NUM_EXCLUDED if official else 1):
        of = f' of {NUM_EXCLUDED}' if official else ''
        raise ValueError(f'{rule} {len(numbers)}{of}. Download it again.')
    headed, last = not lines[0][0].isdecimal(), lines[-1]
    ended = not last[0].isdecimal() or (len(last) == 2 and last[0] == str(len(numbers)))
    if headed and not ended and len(numbers) != NUM_EXCLUDED:
        raise ValueError(
            f'{rule} {len(numbers)} and no end behind `{" ".join(last):.40}`. Download it again.'
        )
    return numbers


def read_order(path: Path, count: int) -> np.ndarray:
    """Read LibMTL's ``random_split.t``: the order of all molecules, by which it splits them.

    Args:
        path: the file.
        count: number of molecules.

    Raises:
        ValueError: if it is another file, or cut.
    """
    rule = f"{path}: should be LibMTL's order of the {count} molecules. Found"
    try:
        order = load_tensors(path).numpy()
    except (ValueError, AttributeError, TypeError, RuntimeError) as error:
        raise ValueError(f'{rule}: {" ".join(str(error).split())}') from error
    if not np.array_equal(np.sort(order, axis=None), np.arange(count)):
        raise ValueError(f'{rule} an array of shape {order.shape} that is none.')
    return order.ravel().astype(np.int64)
