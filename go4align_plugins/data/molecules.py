"""Molecules as complete graphs with PyTorch Geometric's features, and their split; needs numpy.

An atom has the 11 features of PyTorch Geometric's QM9: H, C, N, O or F (one of five), atomic
number, aromatic, sp, sp2, sp3, and the number of hydrogens bonded to it. A pair of atoms has 5:
single, double, triple or aromatic bond (one of four, all 0 without one), and the distance in
angstrom. A feature that a file does not tell is 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby

import numpy as np

ELEMENTS = (1, 6, 7, 8, 9)
"""The atomic numbers of H, C, N, O and F."""
NUM_ATOM_FEATURES, NUM_EDGE_FEATURES = 11, 5
NUM_BOND_TYPES = NUM_EDGE_FEATURES - 1
KINDS = {'u': 'whole numbers from 0', 'i': 'whole numbers', 'f': 'real numbers'}
ATOMIC_NUMBER, NUM_HYDROGENS = 5, 10  # among the atom's features

FARTHEST = 1e18
"""In angstrom: the square of a larger distance is infinite in float32."""

SPLIT_SEED = 0
HELD_OUT = 10_000


@dataclass(frozen=True)
class Molecules:
    """N molecules with A atoms and E directed bonds, molecule after molecule.

    Attributes:
        names: (N,) that decide the split; equal ones are never torn apart.
        atoms: (A, 11) uint8, the features.
        positions: (A, 3) float32, in angstrom.
        first_atom: (N + 1,) int64; molecule i has the atoms ``first_atom[i]:first_atom[i + 1]``.
        bonds: (2, E) int64, each bond in both directions; a molecule's atoms count from 0.
        bond_types: (E,) int64, 0 to 3: single, double, triple, aromatic.
        first_bond: (N + 1,) int64, as ``first_atom``.
        targets: (N, T) float64, in the units of the table of benchmarks.
        order: (N,) int64, a published order that decides the split in place of the names.
    """

    names: Sequence[str]
    atoms: np.ndarray
    positions: np.ndarray
    first_atom: np.ndarray
    bonds: np.ndarray
    bond_types: np.ndarray
    first_bond: np.ndarray
    targets: np.ndarray
    order: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def graph(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One molecule of n atoms.

        Returns:
            The atoms (n, 11) float32; all ordered pairs of atoms (2, n (n - 1)) int64, sorted; and
            the features (n (n - 1), 5) float32 of each pair.
        """
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
        return split(self.names) if self.order is None else cut(self.order)


@cache
def all_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ordered pairs of that many atoms, without those of an atom with itself.

    Returns:
        The pairs (2, n (n - 1)) int64, sorted; and where each is among them, (n, n) int64.
    """
    apart = ~np.eye(count, dtype=bool)
    place = np.full((count, count), -1)
    place[apart] = np.arange(count * (count - 1))
    return np.stack(np.nonzero(apart)), place


def atom_features(numbers: np.ndarray, bonds: np.ndarray | None = None) -> np.ndarray:
    """PyTorch Geometric's features: element, atomic number and, of bonds, number of hydrogens.

    Args:
        numbers: (A,) atomic numbers.
        bonds: (2, E) atoms of each directed bond, counted over all A atoms; None: not known.

    Returns:
        (A, 11) uint8; ``aromatic``, ``sp``, ``sp2`` and ``sp3`` stay 0.
    """
    features = np.zeros((len(numbers), NUM_ATOM_FEATURES), np.uint8)
    features[:, : len(ELEMENTS)] = np.asarray(numbers)[:, None] == ELEMENTS
    features[:, ATOMIC_NUMBER] = numbers
    if bonds is not None:
        np.add.at(features[:, NUM_HYDROGENS], bonds[1], features[bonds[0], 0])
    return features


def split(names: Sequence[str], seed: int = SPLIT_SEED) -> dict[str, np.ndarray]:
    """A random split: 10,000 molecules each for validation and test, or a tenth if that is less.

    Molecules of one name stay together, so a held-out part may have a few more. The order is the
    one of the names' SHA-256: it is the same everywhere, and whatever else a file holds.

    Args:
        names: (N,) of the molecules.
        seed: of the order. The published runs drew their own; all of ours share one.

    Raises:
        ValueError: if there are too few molecules.
    """
    digests = [hashlib.sha256(f'{seed} {name}'.encode()).digest() for name in names]
    order = sorted(range(len(names)), key=digests.__getitem__)
    size = _held_out(len(names))
    parts: dict[str, list[int]] = {'test': [], 'val': [], 'train': []}
    for _, group in groupby(order, key=digests.__getitem__):
        part = next((part for part in ('test', 'val') if len(parts[part]) < size), 'train')
        parts[part] += group
    if not parts['train']:
        raise ValueError(f'There should be molecules for three splits. Found {len(names)} in all.')
    return {part: np.array(sorted(parts[part])) for part in ('train', 'val', 'test')}


def cut(order: np.ndarray) -> dict[str, np.ndarray]:
    """LibMTL's split: the first of an order are for testing, the next for validation."""
    size = _held_out(len(order))
    test, val, train = np.split(order, [size, 2 * size])
    return {'train': np.sort(train), 'val': np.sort(val), 'test': np.sort(test)}


def _held_out(count: int) -> int:
    return min(HELD_OUT, -(-count // 10))


def find_problems(molecules: Molecules) -> Iterator[str]:
    """The rules that the arrays break, and the values found."""
    m, num_molecules = molecules, len(molecules)
    num_atoms, num_bonds = len(m.positions), len(m.bond_types)
    forms = {
        'atoms': ((num_atoms, NUM_ATOM_FEATURES), 'u'),
        'positions': ((num_atoms, 3), 'f'),
        'first_atom': ((num_molecules + 1,), 'i'),
        'bonds': ((2, num_bonds), 'i'),
        'bond_types': ((num_bonds,), 'i'),
        'first_bond': ((num_molecules + 1,), 'i'),
        'targets': ((num_molecules, *m.targets.shape[1:]), 'f'),
    }
    for name, (shape, kind) in forms.items():
        array = getattr(m, name)
        if array.shape != shape or array.dtype.kind != kind:
            found = f'Found {array.shape} of {array.dtype}.'
            yield f'should have {name} of shape {shape}, {KINDS[kind]}. {found}'
            return
    for name, first, least, count in (
        ('atoms', m.first_atom, 1, num_atoms),
        ('bonds', m.first_bond, 0, num_bonds),
    ):
        if first[0] != 0 or first[-1] != count or (np.diff(first) < least).any():
            found = f'Found {name} {first[0]} to {first[-1]}, and {count} {name}.'
            yield f'should have the {name} of every molecule, in their order. {found}'
            return
    sizes = np.diff(m.first_atom)
    owner = np.repeat(np.arange(num_molecules), sizes)
    of_bond = np.repeat(sizes, np.diff(m.first_bond))
    numbers, (one, other) = m.atoms[:, ATOMIC_NUMBER], m.bonds
    apart = (m.bonds >= 0).all(0) & (m.bonds < of_bond).all(0) & (one != other)
    # Which are right, the rule, and a wrong one in words.
    rules: tuple[tuple[np.ndarray, str, Callable[[int], str]], ...] = (
        (
            np.isin(numbers, ELEMENTS),
            'atoms of H, C, N, O and F',
            lambda atom: f'atomic number {numbers[atom]} in {m.names[owner[atom]]}',
        ),
        (
            (np.abs(m.positions) <= FARTHEST).all(1),
            f'finite positions, of at most {FARTHEST:g} angstrom',
            lambda atom: f'{m.positions[atom].tolist()} in {m.names[owner[atom]]}',
        ),
        (
            np.isfinite(m.targets).all(1),
            'finite targets',
            lambda row: f'{m.targets[row].tolist()} for {m.names[row]}',
        ),
        (
            np.isin(m.bond_types, range(NUM_BOND_TYPES)),
            f'bonds of type 0 to {NUM_BOND_TYPES - 1}',
            lambda bond: str(m.bond_types[bond]),
        ),
        (
            apart,
            "bonds between two of a molecule's atoms",
            lambda bond: f'one of {one[bond]} and {other[bond]} among {of_bond[bond]} atoms',
        ),
    )
    for right, rule, describe in rules:
        if not right.all():
            yield f'should have {rule}. Found {describe(int(np.argmin(right)))}.'
