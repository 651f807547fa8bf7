"""QM9: 11 properties of molecules, read from the files that there are of it; none can run code.

A folder holds one of these, itself or in ``raw`` or ``processed``, the first that is found:

- ``data_v3.pt``: PyTorch Geometric's processed data set; ``qm9_v3.pt``: its download;
- ``gdb9.sdf`` and ``gdb9.sdf.csv``: the raw data; molecules that ``uncharacterized.txt`` lists are
  left out, as everywhere;
- ``molecules.npz``: ``Z`` and ``pos`` of all atoms, ``ptr`` (where each molecule begins), ``y`` and
  ``target_names`` as in the .csv; ``smiles`` or ``ids``. It has no bonds.

The official files name molecules by their number (``gdb_1``), which the split goes by, at random as
the papers'; a ``molecules.npz`` with SMILES is split by these. Where LibMTL's ``random_split.t``
lies beside them, the split is LibMTL's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from go4align_plugins.data.benchmark import MOLECULES, Benchmark
from go4align_plugins.data.molecules import Molecules, atom_features, find_problems
from go4align_plugins.data.sdf import parse, read_excluded, records
from go4align_plugins.tasks import regression
from go4align_plugins.utils.files import describe_damage, load_tensors, locate
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.texts import read_table

FOLDERS = ('', 'processed', 'raw')
ORDER = 'random_split.t'
NOT_TENSORS = (TypeError, KeyError, ValueError, IndexError, AttributeError, RuntimeError)
"""The errors of reading something else as the tensors of a molecule."""
HARTREE, KCAL = 27211.386246, 43.36414  # in meV


class Target(NamedTuple):
    """A property: its name and published unit, and where it is in the files."""

    name: str
    unit: str
    column: str  # of the .csv
    factor: float  # from there to the published unit
    place: int  # of PyTorch Geometric's column, which has eV where the papers have meV
    error: float  # published, of the task alone


# The targets that LibMTL and NashMTL have: u0 to g298 are the energies of atomisation. The errors
# are those of NashMTL's code (github.com/AvivNavon/nash-mtl, experiments/quantum_chemistry), which
# FAMO's and GO4Align's tables are measured by.
TARGETS = (
    Target('mu', 'D', 'mu', 1.0, 0, 0.0671),
    Target('alpha', 'bohr³', 'alpha', 1.0, 1, 0.1814),
    Target('homo', 'meV', 'homo', HARTREE, 2, 60.576),
    Target('lumo', 'meV', 'lumo', HARTREE, 3, 53.915),
    Target('r2', 'bohr²', 'r2', 1.0, 5, 0.5027),
    Target('zpve', 'meV', 'zpve', HARTREE, 6, 4.539),
    Target('u0', 'meV', 'u0_atom', KCAL, 12, 58.838),
    Target('u298', 'meV', 'u298_atom', KCAL, 13, 64.244),
    Target('h298', 'meV', 'h298_atom', KCAL, 14, 63.852),
    Target('g298', 'meV', 'g298_atom', KCAL, 15, 66.223),
    Target('cv', 'cal/(mol K)', 'cv', 1.0, 11, 0.07212),
)
QM9 = Benchmark(
    'qm9',
    'QM9',
    tuple(regression(target.name, target.unit) for target in TARGETS),
    {'train': 110831, 'val': 10000, 'test': 10000},
    single_task={target.name: {'MAE': target.error} for target in TARGETS},
    inputs=MOLECULES,
    num_groups=5,
    download="""QM9, as PyTorch Geometric downloads and prepares it:
  python -c "from torch_geometric.datasets import QM9; QM9('FOLDER')"
  Then: python tools/prepare_data.py check qm9 FOLDER

QM9, raw (gdb9.sdf, gdb9.sdf.csv and uncharacterized.txt into one folder):
  https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/molnet_publish/qm9.zip
  https://ndownloader.figshare.com/files/3195404 (save it as uncharacterized.txt)

With LibMTL's examples/qm9/random_split.t beside either, the split is LibMTL's.""",
)


def read_qm9(root: str | Path) -> Molecules:
    """Reads and checks the molecules in a folder; an error names the file and the rule."""
    molecules, problems = _read(root)
    if problems:
        raise ValueError(problems[0])
    return molecules


def check(root: str | Path) -> tuple[list[str], dict[str, int]]:
    """Checks the molecules in a folder: a line for each problem, or the size of each split."""
    try:
        molecules, problems = _read(root)
    except (ValueError, OSError) as error:
        return [str(error)], {}
    splits = {} if problems else molecules.splits
    return problems, {name: len(part) for name, part in splits.items()}


def _read(root: str | Path) -> tuple[Molecules, list[str]]:
    """The molecules, and the rules that their arrays break."""
    root = Path(root).expanduser()
    path = next((path for name in READERS if (path := _find(root, name))), None)
    if path is None:
        places = [Path(folder, name) for name in READERS for folder in FOLDERS]
        how = '`python tools/prepare_data.py download qm9` says where to get them.'
        raise FileNotFoundError(
            f'{root}: should hold {", ".join(READERS)}, or a folder `raw` or `processed` with one '
            f'of them. {locate(root, places) or how}'
        )
    molecules = READERS[path.name](path)
    if order := _find(root, ORDER):
        molecules = replace(molecules, order=read_order(order, len(molecules)))
    try:
        problems = [f'{path}: {problem}' for problem in find_problems(molecules)]
        _ = problems or molecules.splits
    except (ValueError, IndexError, TypeError) as error:  # arrays that do not fit each other
        problems = [f'{path}: {error}']
    return molecules, problems


def _find(root: Path, name: str) -> Path | None:
    return next((path for folder in FOLDERS if (path := root / folder / name).is_file()), None)


def _read_geometric(path: Path) -> Molecules:
    """The tensors of all molecules and where each begins, or a list of each one's tensors."""
    # It declares its `Data` as harmless: the processed file names that class.
    import_optional('torch_geometric.data', 'qm9', "PyTorch Geometric's files")
    torch = import_optional('torch')
    try:
        content: Any = load_tensors(path)
        if isinstance(content, list):
            keys = ('x', 'pos', 'edge_index', 'edge_attr', 'y')
            data = {
                key: torch.cat([m[key] for m in content], int(key == 'edge_index')) for key in keys
            }
            data['name'] = [molecule['name'] for molecule in content]
            counts = {'x': 0, 'edge_index': 1}
            slices = {k: _starts([m[k].shape[dim] for m in content]) for k, dim in counts.items()}
        else:
            data, slices = content[:2]
        factors = [1000.0 if target.unit == 'meV' else 1.0 for target in TARGETS]
        targets = data['y'].numpy().astype(np.float64)[:, [target.place for target in TARGETS]]
        return Molecules(
            data['name'],
            data['x'].numpy().astype(np.uint8),
            data['pos'].numpy(),
            np.asarray(slices['x']),
            data['edge_index'].numpy(),
            data['edge_attr'].argmax(1).numpy(),
            np.asarray(slices['edge_index']),
            targets * factors,
        )
    except NOT_TENSORS as error:
        found = ' '.join(str(error).split())
        if 'torch_geometric' in found and not hasattr(torch.serialization, 'add_safe_globals'):
            # torch's own words advise to read it unsafely.
            found = f'torch {torch.__version__}, which cannot read this file safely; 2.4 can.'
        raise ValueError(
            f"{path}: should be PyTorch Geometric's QM9, tensors that need no code to be read. "
            f'Found: {found}'
        ) from error


def _read_npz(path: Path) -> Molecules:
    """Atomic numbers and positions alone; pickled objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = [str(name) for name in file['smiles' if 'smiles' in file else 'ids'].tolist()]
            first_atom = file['ptr'].astype(np.int64)
            column = {str(name): index for index, name in enumerate(file['target_names'])}
            values = file['y'].astype(np.float64)
            targets = _select(lambda name: values[:, column[name]])
            # Without clipping, 262 would turn into a carbon atom's 6.
            atoms = atom_features(np.clip(file['Z'], 0, 255).astype(np.uint8))
            positions = file['pos'].astype(np.float32)
    except Exception as error:  # numpy raises a different one for every kind of damage
        raise ValueError(
            f'{path}: should hold the arrays Z, pos, ptr, y, target_names, and smiles or ids. '
            f'Found: {describe_damage(path, error)}'
        ) from error
    none, first_bond = np.zeros((2, 0), np.int64), np.zeros_like(first_atom)
    return Molecules(names, atoms, positions, first_atom, none, none[0], first_bond, targets)


def _read_sdf(path: Path) -> Molecules:
    """The raw structures and, beside them, the table of targets."""
    table = path.with_name('gdb9.sdf.csv')
    rows = _read_targets(table)
    excluded = read_excluded(path.with_name('uncharacterized.txt'), len(rows))
    names, numbers, positions, bonds, targets = [], [], [], [], []
    for count, (record, row) in enumerate(zip_longest(records(path), rows), start=1):
        name = ''.join(record[:1]).strip() if record is not None else None
        expected, values = row or (None, None)
        if name != expected:
            raise ValueError(
                f'{path}: should hold the {len(rows)} molecules of {table.name}, in their order. '
                f'Found {name} as number {count} in place of {expected}.'
            )
        if count not in excluded:
            atoms, pairs = parse(path, record)
            names.append(str(name))
            numbers.append(np.array([atom[0] for atom in atoms], np.uint8))
            positions.append(np.array([atom[1:] for atom in atoms], np.float32))
            bonds.append(np.array(pairs, np.int64).reshape(-1, 3))
            targets.append(values)
    if not names:
        raise ValueError(f'{path}: should hold molecules. Found none.')
    first_atom = _starts([len(part) for part in numbers])
    lengths = [len(part) for part in bonds]
    joined = np.concatenate(bonds).T
    ends = joined[:2] + np.repeat(first_atom[:-1], lengths)
    return Molecules(
        names,
        atom_features(np.concatenate(numbers), ends),
        np.concatenate(positions),
        first_atom,
        joined[:2],
        joined[2],
        _starts(lengths),
        np.array(targets),
    )


def _read_targets(path: Path) -> list[tuple[str, np.ndarray]]:
    """The molecules' names and targets from ``gdb9.sdf.csv``."""
    try:
        header, *rows = read_table(path) or [[]]
    except (OSError, ValueError) as error:
        raise ValueError(f'{path}: should be the table of targets. Found: {error}') from error
    needed = ('mol_id', *(target.column for target in TARGETS))
    missing = [name for name in needed if name not in header]
    if missing:
        raise ValueError(f'{path}: should have columns {", ".join(needed)}. Missing: {missing[0]}.')
    targets = []
    for cells in rows:
        row = dict(zip(header, cells))
        try:
            numbers = {target.column: float(row[target.column]) for target in TARGETS}
        except (KeyError, ValueError) as error:
            raise ValueError(
                f'{path}: should have a number for every target. '
                f'Found in {row.get("mol_id")}: {error}.'
            ) from error
        targets.append((row['mol_id'], _select(numbers.__getitem__)))
    return targets


def _select(column: Callable[[str], Any]) -> np.ndarray:
    """The tasks' columns of the .csv, in the published units; tasks last."""
    return np.stack([column(target.column) * target.factor for target in TARGETS], -1)


def _starts(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def read_order(path: Path, count: int) -> np.ndarray:
    """LibMTL's ``random_split.t``: the order of all molecules, by which it splits them."""
    rule = f"{path}: should be LibMTL's order of the {count} molecules. Found"
    try:
        order = load_tensors(path).numpy()
    except (ValueError, AttributeError, TypeError, RuntimeError) as error:
        raise ValueError(f'{rule}: {" ".join(str(error).split())}') from error
    if not np.array_equal(np.sort(order, axis=None), np.arange(count)):
        raise ValueError(f'{rule} an array of shape {order.shape} that is none.')
    return order.ravel().astype(np.int64)


READERS: dict[str, Callable[[Path], Molecules]] = {
    'data_v3.pt': _read_geometric,
    'qm9_v3.pt': _read_geometric,
    'gdb9.sdf': _read_sdf,
    'molecules.npz': _read_npz,
}
