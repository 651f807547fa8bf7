"""Reads QM9 from the files that there are of it; none of them can run code.

A folder holds one of these, itself or in ``raw`` or ``processed``, the first that is found:

- ``data_v3.pt``: PyTorch Geometric's processed data set; ``qm9_v3.pt``: what it downloads;
- ``gdb9.sdf`` and ``gdb9.sdf.csv``: the raw data; molecules that ``uncharacterized.txt`` lists are
  left out, as everywhere;
- ``molecules.npz``: ``Z`` and ``pos`` of all atoms, ``ptr`` (where each molecule begins), ``y`` and
  ``target_names`` as in the .csv; ``smiles`` or ``ids``. It has no bonds.

The official files name molecules by their number (``gdb_1``), which the split goes by, at random as
the papers'; a ``molecules.npz`` with SMILES is split by these. Where LibMTL's ``random_split.t``
lies beside them, the split is LibMTL's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from go4align_plugins.data.molecules import Molecules, atom_features, find_problems
from go4align_plugins.data.qm9_lists import read_excluded, read_order
from go4align_plugins.data.qm9_targets import COLUMNS, from_geometric, select
from go4align_plugins.data.sdf import parse, records
from go4align_plugins.utils.files import describe_damage, load_tensors, locate
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.texts import read_table

FOLDERS = ('', 'processed', 'raw')
ORDER = 'random_split.t'
NOT_TENSORS = (TypeError, KeyError, ValueError, IndexError, AttributeError, RuntimeError)
"""The errors of reading something else as the tensors of a molecule."""


def read_qm9(root: str | Path) -> Molecules:
    """Reads and checks the molecules in a folder.

    Raises:
        FileNotFoundError: if there is none of the files.
        ValueError: if a file cannot be read or breaks a rule; the message names the file, the rule
            and what was found.
    """
    path, molecules = _read(root)
    for problem in _problems(path, molecules):
        raise ValueError(problem)
    return molecules


def check(root: str | Path) -> tuple[list[str], dict[str, int]]:
    """Checks the molecules in a folder.

    Returns:
        One line for each problem; and the number of molecules of each split, if there is none.
    """
    try:
        path, molecules = _read(root)
        problems = _problems(path, molecules)
        splits = {} if problems else molecules.splits
    except (ValueError, OSError) as error:
        return [str(error)], {}
    return problems, {name: len(part) for name, part in splits.items()}


def _problems(path: Path, molecules: Molecules) -> list[str]:
    """The rules that the arrays break, and whether they can be split."""
    try:
        problems = [f'{path}: {problem}' for problem in find_problems(molecules)]
        _ = problems or molecules.splits
    except (ValueError, IndexError, TypeError) as error:  # arrays that do not fit each other
        problems = [f'{path}: {error}']
    return problems


def _read(root: str | Path) -> tuple[Path, Molecules]:
    root = Path(root).expanduser()
    for name, reader in READERS.items():
        path = _find(root, name)
        if path is not None:
            molecules = reader(path)
            order = _find(root, ORDER)
            if order is not None:
                molecules = replace(molecules, order=read_order(order, len(molecules)))
            return path, molecules
    raise FileNotFoundError(
        f'{root}: should hold {", ".join(READERS)}, or a folder `raw` or `processed` with one of '
        'them. '
        + (
            locate(root, [Path(folder, name) for name in READERS for folder in FOLDERS])
            or '`python tools/prepare_data.py download qm9` says where to get them.'
        )
    )


def _find(root: Path, name: str) -> Path | None:
    return next((path for folder in FOLDERS if (path := root / folder / name).is_file()), None)


def _read_processed(path: Path) -> Molecules:
    """PyTorch Geometric's own file: all molecules in one dict of tensors, and where each begins."""
    content = _load_tensors(path)
    try:
        data, slices = content[:2]
        return Molecules(
            data['name'],
            data['x'].numpy().astype(np.uint8),
            data['pos'].numpy(),
            slices['x'].numpy(),
            data['edge_index'].numpy(),
            data['edge_attr'].argmax(1).numpy(),
            slices['edge_index'].numpy(),
            from_geometric(data['y']),
        )
    except NOT_TENSORS as error:
        raise _not_geometric(path, error) from error


def _read_downloaded(path: Path) -> Molecules:
    """Read PyTorch Geometric's download: a list with a dict of tensors for each molecule."""
    torch = import_optional('torch')
    content = _load_tensors(path)
    try:
        bonds = [molecule['edge_index'] for molecule in content]
        return Molecules(
            [molecule['name'] for molecule in content],
            torch.cat([molecule['x'] for molecule in content]).numpy().astype(np.uint8),
            torch.cat([molecule['pos'] for molecule in content]).numpy(),
            _starts([len(molecule['x']) for molecule in content]),
            torch.cat(bonds, 1).numpy(),
            torch.cat([molecule['edge_attr'] for molecule in content]).argmax(1).numpy(),
            _starts([bond.shape[1] for bond in bonds]),
            from_geometric(torch.cat([molecule['y'] for molecule in content])),
        )
    except NOT_TENSORS as error:
        raise _not_geometric(path, error) from error


def _load_tensors(path: Path) -> Any:
    # It declares its `Data` as harmless: the processed file names that class.
    import_optional('torch_geometric.data', 'qm9', "PyTorch Geometric's files")
    try:
        return load_tensors(path)
    except ValueError as error:
        raise _not_geometric(path, error) from error


def _not_geometric(path: Path, error: Exception) -> ValueError:
    found = ' '.join(str(error).split())
    torch = import_optional('torch')
    if 'torch_geometric' in found and not hasattr(torch.serialization, 'add_safe_globals'):
        # torch's own words advise to read it unsafely.
        found = f'torch {torch.__version__}, which cannot read this file safely; 2.4 can.'
    return ValueError(
        f"{path}: should be PyTorch Geometric's QM9, tensors that need no code to be read. "
        f'Found: {found}'
    )


def _read_npz(path: Path) -> Molecules:
    """Atomic numbers and positions alone; pickled objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = file['smiles'] if 'smiles' in file else file['ids']
            first_atom = file['ptr'].astype(np.int64)
            column = {str(name): index for index, name in enumerate(file['target_names'])}
            values = file['y'].astype(np.float64)
            targets = select(lambda name: values[:, column[name]])
            # Without clipping, 262 would turn into a carbon atom's 6.
            numbers = np.clip(file['Z'], 0, 255).astype(np.uint8)
            positions = file['pos'].astype(np.float32)
            lengths = (names.size, first_atom.size - 1, len(targets))
            flat = (names.ndim, first_atom.ndim, numbers.ndim, targets.ndim) == (1, 1, 1, 2)
    except Exception as error:  # numpy raises a different one for every kind of damage
        raise ValueError(
            f'{path}: should hold the arrays Z, pos, ptr, y, target_names, and smiles or ids. '
            f'Found: {describe_damage(path, error)}'
        ) from error
    if len(set(lengths)) > 1 or not flat or positions.shape != (*numbers.shape, 3):
        raise ValueError(
            f'{path}: should have one name, part and row of targets for each molecule and one '
            f'position for each atom. Found {lengths}, and positions of shape {positions.shape} '
            f'for atoms of shape {numbers.shape}.'
        )
    none = np.zeros((2, 0), np.int64)
    no_bonds = np.zeros(len(first_atom), np.int64)
    names = [str(name) for name in names]
    atoms = atom_features(numbers)
    return Molecules(names, atoms, positions, first_atom, none, none[0], no_bonds, targets)


def _read_sdf(path: Path) -> Molecules:
    """The raw structures and, beside them, the table of targets."""
    table = path.with_name('gdb9.sdf.csv')
    rows = _read_table(table)
    excluded = read_excluded(path.with_name('uncharacterized.txt'), len(rows))
    names, numbers, positions, bonds, targets = [], [], [], [], []
    index = -1
    for index, record in enumerate(records(path)):
        name = ''.join(record[:1]).strip()
        found = rows[index].get('mol_id') if index < len(rows) else None
        if found != name:
            raise ValueError(
                f'{table}: should have the molecules of {path.name}. '
                f'Found {found} as number {index + 1} in place of {name}.'
            )
        if index + 1 in excluded:
            continue
        atoms, pairs = parse(path, record)
        names.append(name)
        numbers.append(np.array([atom[0] for atom in atoms], np.uint8))
        positions.append(np.array([atom[1:] for atom in atoms], np.float32))
        bonds.append(np.array(pairs, np.int64).reshape(-1, 3))
        targets.append(_targets(table, rows[index]))
    if index + 1 < len(rows) or not names:
        raise ValueError(
            f'{path}: should hold the {len(rows)} molecules of {table.name}. Found {index + 1}.'
        )
    first_atom = _starts([len(part) for part in numbers])
    lengths = [len(part) for part in bonds]
    joined = np.concatenate(bonds).T
    offsets = np.repeat(first_atom[:-1], lengths)
    return Molecules(
        names,
        atom_features(np.concatenate(numbers), joined[:2] + offsets),
        np.concatenate(positions),
        first_atom,
        joined[:2],
        joined[2],
        _starts(lengths),
        np.array(targets),
    )


def _read_table(path: Path) -> list[dict[str, str]]:
    try:
        header, *rows = read_table(path) or [[]]
    except (OSError, ValueError) as error:
        raise ValueError(f'{path}: should be the table of targets. Found: {error}') from error
    needed = ('mol_id', *(name for name, _, _ in COLUMNS.values()))
    missing = [name for name in needed if name not in header]
    if missing:
        raise ValueError(f'{path}: should have columns {", ".join(needed)}. Missing: {missing[0]}.')
    return [dict(zip(header, row)) for row in rows]


def _targets(path: Path, row: Mapping[str, str]) -> list[float]:
    try:
        return select(lambda name: float(row[name])).tolist()
    except (KeyError, ValueError) as error:
        raise ValueError(
            f'{path}: should have a number for every target. Found in {row.get("mol_id")}: {error}.'
        ) from error


def _starts(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


READERS: dict[str, Callable[[Path], Molecules]] = {
    'data_v3.pt': _read_processed,
    'qm9_v3.pt': _read_downloaded,
    'gdb9.sdf': _read_sdf,
    'molecules.npz': _read_npz,
}
