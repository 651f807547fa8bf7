"""Molecules of H, C, N, O and F from an .sdf file, V2000: text in columns of fixed width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from go4align_plugins.utils.files import find_stand_in

SYMBOLS = {'H': 1, 'C': 6, 'N': 7, 'O': 8, 'F': 9}


def records(path: Path) -> Iterator[list[str]]:
    """The lines of each molecule in a file; the last one may lack its ``$$$$``.

    Raises:
        ValueError: if a web page or a pointer of Git LFS lies in place of the file.
    """
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
    """Reads one molecule.

    Args:
        path: of the file, for the message.
        record: the molecule's lines.

    Returns:
        The atoms as (atomic number, x, y, z), and the bonds as (atom, atom, type): in both
        directions, atoms from 0, types 0 to 3 for single, double, triple and aromatic.

    Raises:
        ValueError: if a line is missing or is none of that; the message names the molecule.
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
