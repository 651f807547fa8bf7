"""QM9's raw structures, V2000: columns of fixed width; and the list of those to leave out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from go4align_plugins.utils.files import find_stand_in
from go4align_plugins.utils.texts import read_text

SYMBOLS = {'H': 1, 'C': 6, 'N': 7, 'O': 8, 'F': 9}
NUM_MOLECULES, NUM_EXCLUDED = 133_885, 3_054
"""Of the official structures, and of the official list of those to leave out."""


def records(path: Path) -> Iterator[list[str]]:
    """The lines of each molecule in a file; the last one may lack its ``$$$$``."""
    stand_in = find_stand_in(path)
    if stand_in:
        raise ValueError(f'{path}: should hold molecules in V2000 form. Found: {stand_in}.')
    record: list[str] = []
    with path.open(encoding='utf-8-sig', errors='replace') as file:
        for line in file:
            if line.startswith('$$$$'):
                yield record
                record = []
            else:
                record.append(line.rstrip('\n'))
    if any(line.strip() for line in record):
        yield record


def parse(
    path: Path, record: Sequence[str]
) -> tuple[list[tuple[float, ...]], list[tuple[int, int, int]]]:
    """A molecule's atoms (atomic number, x, y, z), and its bonds (atom, atom, type) both ways.

    Atoms count from 0; types are 0 to 3 for single, double, triple and aromatic.
    """
    try:
        num_atoms, num_bonds = int(record[3][:3]), int(record[3][3:6])
        if num_atoms < 1 or num_bonds < 0:
            raise ValueError(f'{num_atoms} atoms and {num_bonds} bonds')
        lines = record[4 : 4 + num_atoms + num_bonds]
        if len(lines) < num_atoms + num_bonds:
            raise ValueError(f'{len(lines)} lines for {num_atoms} atoms and {num_bonds} bonds')
        atoms = [
            (SYMBOLS[line[31:34].strip()], *(float(line[i : i + 10]) for i in (0, 10, 20)))
            for line in lines[:num_atoms]
        ]
        pairs = []
        for line in lines[num_atoms:]:
            one, other, order = (int(line[i : i + 3]) - 1 for i in (0, 3, 6))
            if not 0 <= order <= 3:
                raise ValueError(f'a bond of type {order + 1}')
            pairs += [(one, other, order), (other, one, order)]
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f'{path}: should hold molecules of H, C, N, O and F in V2000 form. '
            f'Found in {record[0].strip()}: {error}.'
        ) from error
    return atoms, pairs


def read_excluded(path: Path, num_molecules: int) -> set[int]:
    """The numbers, from 1, in ``uncharacterized.txt``: under a heading, with a line at the end."""
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
        end = f'no end behind `{" ".join(last):.40}`'
        raise ValueError(f'{rule} {len(numbers)} and {end}. Download it again.')
    return numbers
