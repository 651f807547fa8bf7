"""QM9's raw structures, V2000: columns of fixed width; and the list of those to leave out."""

from __future__ import annotations

import re
from pathlib import Path

from go4align_plugins.utils.files import DataError, reading
from go4align_plugins.utils.texts import read_text

SYMBOLS = {'H': 1, 'C': 6, 'N': 7, 'O': 8, 'F': 9}
NUM_MOLECULES, NUM_EXCLUDED = 133_885, 3_054  # official structures, and those to leave out


def read_records(path: Path) -> list[str]:
    """The text of each molecule in a file; the last one may lack its ``$$$$``."""
    with reading(path, 'hold molecules in V2000 form'):
        records = re.split(r'^\$\$\$\$.*\n?', read_text(path, errors='replace'), flags=re.M)
    return records if records[-1].strip() else records[:-1]


def parse(path: Path, record: str) -> tuple[list[tuple[float, ...]], list[tuple[int, int, int]]]:
    """A molecule's atoms (atomic number, x, y, z), and its bonds (atom, atom, type) both ways.

    Atoms count from 0; types are 0 to 3 for single, double, triple and aromatic.
    """
    name, *lines = record.split('\n')
    rule = 'hold molecules of H, C, N, O and F in V2000 form'
    with reading(path, rule, where=f' in {name.strip()}'):
        num_atoms, num_bonds = int(lines[2][:3]), int(lines[2][3:6])
        if num_atoms < 1 or num_bonds < 0:
            raise ValueError(f'{num_atoms} atoms and {num_bonds} bonds')
        lines = lines[3 : 3 + num_atoms + num_bonds]
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
    return atoms, pairs


def read_excluded(path: Path, num_molecules: int) -> set[int]:
    """The numbers, from 1, in ``uncharacterized.txt``: under a heading, with a line at the end."""
    if not path.exists():
        return set()
    rule = 'list the molecules to leave out, to its end'
    with reading(path, rule):
        # Its numbers are ASCII, whatever its comments are written in.
        rows = [*filter(None, map(str.split, read_text(path, errors='replace').splitlines()))]
        numbers = {int(row[0]) for row in rows if len(row) > 2 and row[0].isdecimal()}
    whole, of = len(numbers) >= NUM_EXCLUDED, f' of {NUM_EXCLUDED}'
    if num_molecules != NUM_MOLECULES:
        # A list written by hand has no heading, and no line at the end.
        whole, of = bool(numbers), ''
        if numbers and not rows[0][0].isdecimal() and rows[-1][0].isdecimal():
            whole = len(rows[-1]) == 2 and rows[-1][0] == str(len(numbers))
    if not whole:
        raise DataError(f'{path}: should {rule}. Found {len(numbers)}{of}. Download it again.')
    return numbers
