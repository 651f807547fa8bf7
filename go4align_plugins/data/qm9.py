"""QM9: 11 properties of molecules, read from the files that there are of it; none can run code.

A folder holds one of these, itself or in ``raw`` or ``processed``, the first that is found:

- ``data_v3.pt``: PyTorch Geometric's processed data set; ``qm9_v3.pt``: its download;
- ``gdb9.sdf`` and ``gdb9.sdf.csv``: the raw data, but for those in ``uncharacterized.txt``;
- ``molecules.npz``: ``Z`` and ``pos`` of all atoms, ``ptr`` (where each molecule begins), ``y`` and
  ``target_names`` as in the .csv; ``smiles`` or ``ids``. It has no bonds.

The split goes by the molecules' names, at random; or is LibMTL's, by its ``random_split.t``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from go4align_plugins.data.benchmark import MOLECULES, Benchmark
from go4align_plugins.data.molecules import Molecules, atom_features, find_problems
from go4align_plugins.data.sdf import parse, read_excluded, read_records
from go4align_plugins.tasks import regression
from go4align_plugins.utils.files import load_tensors, reading
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.texts import read_table

FOLDERS = ('', 'processed', 'raw')
ORDER = 'random_split.t'
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
COLUMNS = [target.column for target in TARGETS]
FACTORS = np.array([target.factor for target in TARGETS])
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
    """Reads and checks the molecules in a folder; an error names the file and each broken rule."""
    root = Path(root).expanduser()
    path = QM9.find_file(root, tuple(READERS), FOLDERS)
    molecules = READERS[path.name](path)
    for order in (root / folder / ORDER for folder in FOLDERS):
        if order.is_file():
            molecules = replace(molecules, order=read_order(order, len(molecules)))
    try:
        problems = [*find_problems(molecules)]
        _ = problems or molecules.splits
    except (ValueError, IndexError, TypeError) as error:  # arrays that do not fit each other
        problems = [str(error)]
    if problems:
        raise ValueError('\n'.join(f'{path}: {problem}' for problem in problems))
    return molecules


def check(root: str | Path) -> tuple[list[str], dict[str, int]]:
    """Checks the molecules in a folder: a line for each problem, or the size of each split."""
    try:
        return [], {name: len(part) for name, part in read_qm9(root).splits.items()}
    except (ValueError, OSError) as error:
        return str(error).splitlines(), {}


def _read_geometric(path: Path) -> Molecules:
    """The processed tensors of all molecules; of the download they are made in the same way."""
    # It declares its `Data` as harmless: the processed file names that class.
    geometric: Any = import_optional('torch_geometric.data', 'qm9', "PyTorch Geometric's files")
    torch = import_optional('torch')
    old = path.name == 'data_v3.pt' and not hasattr(torch.serialization, 'add_safe_globals')
    remedy = f'torch {torch.__version__} cannot read this file safely; 2.4 can.' if old else ''
    rule = "be PyTorch Geometric's QM9, tensors that need no code to be read"
    with reading(path, rule, remedy):
        content: Any = load_tensors(path)
        if isinstance(content, list):
            graphs = [geometric.Data(**molecule) for molecule in content]
            content = geometric.InMemoryDataset.collate(graphs)
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


def _read_npz(path: Path) -> Molecules:
    """Atomic numbers and positions alone; pickled objects are refused."""
    rule = 'hold the arrays Z, pos, ptr, y, target_names, and smiles or ids'
    with reading(path, rule), np.load(path, allow_pickle=False) as file:
        names = [str(name) for name in file['smiles' if 'smiles' in file else 'ids'].tolist()]
        first_atom = file['ptr'].astype(np.int64)
        place = {str(name): index for index, name in enumerate(file['target_names'])}
        targets = file['y'].astype(np.float64)[:, [place[column] for column in COLUMNS]]
        # Without clipping, 262 would turn into a carbon atom's 6.
        atoms = atom_features(np.clip(file['Z'], 0, 255).astype(np.uint8))
        positions = file['pos'].astype(np.float32)
    none, first_bond = np.zeros((2, 0), np.int64), np.zeros_like(first_atom)
    return Molecules(
        names, atoms, positions, first_atom, none, none[0], first_bond, targets * FACTORS
    )


def _read_sdf(path: Path) -> Molecules:
    """The raw structures and, beside them, the table of targets."""
    table = path.with_name('gdb9.sdf.csv')
    rows = _read_targets(table)
    excluded = read_excluded(path.with_name('uncharacterized.txt'), len(rows))
    kept: Any = ([], [], [], [])
    names, targets, atoms, bonds = kept
    for count, (record, row) in enumerate(zip_longest(read_records(path), rows), start=1):
        name = None if record is None else record.partition('\n')[0].strip()
        expected, values = row or (None, None)
        if name != expected:
            raise ValueError(
                f'{path}: should hold the {len(rows)} molecules of {table.name}, in their order. '
                f'Found {name} as number {count} in place of {expected}.'
            )
        if count not in excluded:
            found = (name, values, *map(np.array, parse(path, record)))
            for each, part in zip(kept, found):
                each.append(part)
    first_atom, first_bond = (np.cumsum([0, *map(len, parts)]) for parts in (atoms, bonds))
    all_atoms = np.concatenate(atoms)
    *pairs, types = np.concatenate([part.reshape(-1, 3) for part in bonds]).astype(np.int64).T
    ends = pairs + np.repeat(first_atom[:-1], np.diff(first_bond))
    return Molecules(
        names,
        atom_features(all_atoms[:, 0].astype(np.uint8), ends),
        all_atoms[:, 1:].astype(np.float32),
        first_atom,
        np.stack(pairs),
        types,
        first_bond,
        np.array(targets) * FACTORS,
    )


def _read_targets(path: Path) -> list[tuple[str, list[float]]]:
    """The molecules' names and targets from ``gdb9.sdf.csv``."""
    with reading(path, 'be the table of targets'):
        header, *rows = read_table(path) or [[]]
    needed = ('mol_id', *COLUMNS)
    missing = [name for name in needed if name not in header]
    if missing:
        raise ValueError(f'{path}: should have columns {", ".join(needed)}. Missing: {missing[0]}.')
    first, *places = map(header.index, needed)
    targets = []
    for row in rows:
        with reading(path, 'have a number for every target', where=f' in {row[0]}'):
            targets.append((row[first], [float(row[place]) for place in places]))
    return targets


def read_order(path: Path, count: int) -> np.ndarray:
    """LibMTL's ``random_split.t``: the order of all molecules, by which it splits them."""
    with reading(path, f"be LibMTL's order of the {count} molecules"):
        order = load_tensors(path).numpy()
        if not np.array_equal(np.sort(order, axis=None), np.arange(count)):
            raise ValueError(f'an array of shape {order.shape} that is none')
    return order.ravel().astype(np.int64)


READERS: dict[str, Callable[[Path], Molecules]] = {
    'data_v3.pt': _read_geometric,
    'qm9_v3.pt': _read_geometric,
    'gdb9.sdf': _read_sdf,
    'molecules.npz': _read_npz,
}
