"""Molecules as complete graphs with PyTorch Geometric's features, and their split; needs numpy.

An atom has the 11 features of PyTorch Geometric's QM9: H, C, N, O or F (one of five), atomic
number, aromatic, sp, sp2, sp3, and the number of hydrogens bonded to it. A pair of atoms has 5:
single, double, triple or aromatic bond (one of four, all 0 without one), and the distance in
angstrom. A feature that a file does not tell is 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby

import numpy as np

ELEMENTS = (1, 6, 7, 8, 9)  # H, C, N, O and F
NUM_ATOM_FEATURES, NUM_EDGE_FEATURES = 11, 5
KINDS = {'u': 'whole numbers from 0', 'i': 'whole numbers', 'f': 'real numbers'}
ATOMIC_NUMBER, NUM_HYDROGENS = 5, 10  # among the atom's features
FARTHEST = 1e18  # angstrom; the square of a larger distance is infinite in float32
HELD_OUT = 10_000


@dataclass(frozen=True)
class Molecules:
    """N molecules with A atoms and E directed bonds, molecule after molecule.

    Molecule i has the atoms ``first_atom[i]:first_atom[i + 1]``, and so its bonds.
    """

    names: Sequence[str]  # (N,), which decide the split; equal ones are never torn apart
    atoms: np.ndarray  # (A, 11) uint8, the features
    positions: np.ndarray  # (A, 3) float32, in angstrom
    first_atom: np.ndarray  # (N + 1,) int64
    bonds: np.ndarray  # (2, E) int64, in both directions; a molecule's atoms count from 0
    bond_types: np.ndarray  # (E,) int64, 0 to 3: single, double, triple, aromatic
    first_bond: np.ndarray  # (N + 1,) int64
    targets: np.ndarray  # (N, T) float64, in the units of the table of benchmarks
    order: np.ndarray | None = None  # (N,) int64, decides the split in place of the names

    def __len__(self) -> int:
        return len(self.names)

    def graph(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The atoms (n, 11), all ordered pairs (2, n (n - 1)), and their features (_, 5)."""
        atoms = slice(*self.first_atom[index : index + 2])
        bonds = slice(*self.first_bond[index : index + 2])
        positions = self.positions[atoms]
        pairs, place = all_pairs(len(positions))
        features = np.zeros((pairs.shape[1], NUM_EDGE_FEATURES), np.float32)
        features[place[tuple(self.bonds[:, bonds])], self.bond_types[bonds]] = 1
        features[:, -1] = np.linalg.norm(positions[pairs[1]] - positions[pairs[0]], axis=1)
        return self.atoms[atoms].astype(np.float32), pairs, features

    @cached_property
    def splits(self) -> dict[str, np.ndarray]:
        """The sorted numbers of the molecules of ``train``, ``val`` and ``test``."""
        if self.order is None:
            return split(self.names)
        # LibMTL's: the first are for testing, the next for validation.
        size = _held_out(len(self.order))
        test, val, train = map(np.sort, np.split(self.order, [size, 2 * size]))
        return {'train': train, 'val': val, 'test': test}


@cache
def all_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ordered pairs of different atoms (2, n (n - 1)), and where each is among them (n, n)."""
    apart = ~np.eye(count, dtype=bool)
    place = np.full((count, count), -1)
    place[apart] = np.arange(count * (count - 1))
    return np.stack(np.nonzero(apart)), place


def atom_features(numbers: np.ndarray, bonds: np.ndarray | None = None) -> np.ndarray:
    """(A, 11) uint8 of atomic numbers and, where they are known, bonds (2, E) between all atoms."""
    features = np.zeros((len(numbers), NUM_ATOM_FEATURES), np.uint8)
    features[:, : len(ELEMENTS)] = np.asarray(numbers)[:, None] == ELEMENTS
    features[:, ATOMIC_NUMBER] = numbers
    if bonds is not None:
        np.add.at(features[:, NUM_HYDROGENS], bonds[1], features[bonds[0], 0])
    return features


def split(names: Sequence[str], seed: int = 0) -> dict[str, np.ndarray]:
    """A random split: 10,000 molecules each for validation and test, or a tenth if that is less.

    Molecules of one name stay together, so a held-out part may have a few more. The order is the
    one of the names' SHA-256: it is the same everywhere, and whatever else a file holds. The
    published runs drew their own seeds; all of ours share one.
    """
    digests = [hashlib.sha256(f'{seed} {name}'.encode()).digest() for name in names]
    order = sorted(range(len(names)), key=digests.__getitem__)
    size = _held_out(len(names))
    parts: dict[str, list[int]] = {'train': [], 'val': [], 'test': []}
    for _, group in groupby(order, key=digests.__getitem__):
        part = next((part for part in ('test', 'val') if len(parts[part]) < size), 'train')
        parts[part] += group
    if not parts['train']:
        raise ValueError(f'There should be molecules for three splits. Found {len(names)} in all.')
    return {part: np.sort(numbers) for part, numbers in parts.items()}


def _held_out(count: int) -> int:
    return min(HELD_OUT, -(-count // 10))


def find_problems(molecules: Molecules) -> Iterator[str]:
    """The rules that the arrays break, and the values found."""
    m, count = molecules, len(molecules)
    num_atoms, num_bonds = len(m.positions), len(m.bond_types)
    for name, kind, *shape in (
        ('atoms', 'u', num_atoms, NUM_ATOM_FEATURES),
        ('positions', 'f', num_atoms, 3),
        ('first_atom', 'i', count + 1),
        ('bonds', 'i', 2, num_bonds),
        ('bond_types', 'i', num_bonds),
        ('first_bond', 'i', count + 1),
        ('targets', 'f', count, *m.targets.shape[1:]),
    ):
        array = getattr(m, name)
        if array.shape != tuple(shape) or array.dtype.kind != kind:
            rule = f'{name} of shape {tuple(shape)}, {KINDS[kind]}'
            yield f'should have {rule}. Found {array.shape} of {array.dtype}.'
            return
    for name, first, least, end in (
        ('atoms', m.first_atom, 1, num_atoms),
        ('bonds', m.first_bond, 0, num_bonds),
    ):
        if first[0] != 0 or first[-1] != end or (np.diff(first) < least).any():
            found = f'Found {name} {first[0]} to {first[-1]}, and {end} {name}.'
            yield f'should have the {name} of every molecule, in their order. {found}'
            return
    index = np.arange(count)
    of_atom, of_bond = (np.repeat(index, np.diff(first)) for first in (m.first_atom, m.first_bond))
    numbers, sizes = m.atoms[:, ATOMIC_NUMBER], np.diff(m.first_atom)[of_bond]
    joins_two = (m.bonds >= 0).all(0) & (m.bonds < sizes).all(0) & (m.bonds[0] != m.bonds[1])
    near, far = (np.abs(m.positions) <= FARTHEST).all(1), f'of at most {FARTHEST:g} angstrom'
    finite = np.isfinite(m.targets).all(1)
    for rule, right, values, owner in (
        ('atomic numbers of H, C, N, O and F', np.isin(numbers, ELEMENTS), numbers, of_atom),
        (f'finite positions, {far}', near, m.positions, of_atom),
        ('finite targets', finite, m.targets, index),
        ('bonds of type 0 to 3', np.isin(m.bond_types, range(4)), m.bond_types, of_bond),
        ("bonds between two of a molecule's atoms", joins_two, m.bonds.T, of_bond),
    ):
        if not right.all():
            wrong = np.argmin(right)
            found = f'{values[wrong].tolist()} in {m.names[owner[wrong]]}'
            yield f'should have {rule}. Found {found}.'
