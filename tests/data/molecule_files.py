"""Methane and ethyne in every form that QM9 comes in."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

HEADER = (
    'mol_id,A,B,C,mu,alpha,homo,lumo,gap,r2,zpve,u0,u298,h298,g298,cv,'
    'u0_atom,u298_atom,h298_atom,g298_atom'
)
# Target number t of molecule m is t + m / 10.
ROWS = [[target + molecule / 10 for target in range(19)] for molecule in (1, 2)]
HYDROGENS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (-3.0, -4.0, 0.0))
METHANE = [('C', 0.0, 0.0, 0.0), *(('H', *place) for place in HYDROGENS)]
ETHYNE = [('H', 0.0, 0.0, -1.5), ('C', 0.0, 0.0, -0.5), ('C', 0.0, 0.0, 0.5), ('H', 0.0, 0.0, 1.5)]
BONDS = [[(1, 2, 1), (1, 3, 1), (1, 4, 1), (1, 5, 1)], [(1, 2, 1), (2, 3, 3), (3, 4, 1)]]
NUMBERS = {'C': 6, 'H': 1}
REPEATS = 6


def molecules() -> list[tuple[str, list, list, list]]:
    """Twelve molecules, so that there are some for every split."""
    forms = list(zip((METHANE, ETHYNE), BONDS, ROWS))
    return [(f'gdb_{index + 1}', *forms[index % 2]) for index in range(2 * REPEATS)]


def write_sdf(folder: Path, excluded: tuple[int, ...] = ()) -> Path:
    """``gdb9.sdf``, ``gdb9.sdf.csv`` and, if any are excluded, ``uncharacterized.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    records, lines = [], [HEADER]
    for name, atoms, bonds, targets in molecules():
        records += [name, '  made by hand', '']
        records += [f'{len(atoms):3d}{len(bonds):3d}  0  0  0  0999 V2000']
        records += [f'{x:10.4f}{y:10.4f}{z:10.4f} {symbol:3s} 0  0' for symbol, x, y, z in atoms]
        records += [f'{one:3d}{other:3d}{order:3d}  0' for one, other, order in bonds]
        records += ['M  END', '$$$$']
        lines.append(','.join([name, *map(str, targets)]))
    (folder / 'gdb9.sdf').write_text('\n'.join(records) + '\n')
    (folder / 'gdb9.sdf.csv').write_text('\n'.join(lines) + '\n')
    if excluded:
        (folder / 'uncharacterized.txt').write_text(list_excluded(excluded))
    return folder


def list_excluded(numbers: Iterable[int]) -> str:
    """A list as the official one: under a heading, with a line at its end."""
    line = 40 * '='
    rows = [f'{number:8d}  CC  C=C  CC  0.1' for number in numbers]
    head = ['', '', 'List of molecules', '', line, '#   Index   GDB17 SMILES   D_IJ', line]
    return '\n'.join([*head, *rows, line]) + '\n'


def write_npz(folder: Path, **changes: np.ndarray) -> Path:
    """``molecules.npz``; an array may be replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    atoms = [atom for _, part, *_ in molecules() for atom in part]
    arrays = {
        'ids': np.arange(1, 2 * REPEATS + 1),
        'Z': np.array([NUMBERS[atom[0]] for atom in atoms], np.uint8),
        'pos': np.array([atom[1:] for atom in atoms], np.float32),
        'ptr': np.cumsum([0, *(len(part) for _, part, *_ in molecules())]),
        'y': np.array([targets for *_, targets in molecules()]),
        'target_names': np.array(HEADER.split(',')[1:]),
    }
    np.savez(folder / 'molecules.npz', **{**arrays, **changes})
    return folder


def write_geometric(folder: Path, name: str) -> Path:
    """PyTorch Geometric's ``raw/qm9_v3.pt`` or ``processed/data_v3.pt``, by its own means."""
    import torch
    from torch_geometric.data import Data, InMemoryDataset

    hartree, kcal = 27.211386246, 0.04336414
    factors = [1, 1, *[hartree] * 3, 1, *[hartree] * 5, 1, *[kcal] * 4, 1, 1, 1]
    kinds = []
    for index, (title, atoms, bonds, targets) in enumerate(molecules()):
        both = [pair for i, j, order in bonds for pair in ((i, j, order), (j, i, order))]
        pairs = torch.tensor(sorted(both)) - 1
        edges = pairs[:, :2].T.contiguous()
        numbers = torch.tensor([NUMBERS[atom[0]] for atom in atoms])
        features = torch.zeros(len(atoms), 11)
        features[range(len(atoms)), (numbers == 6).long()] = 1
        features[:, 5] = numbers
        features[:, 10].index_add_(0, edges[1], (numbers[edges[0]] == 1).float())
        values = torch.tensor([[*targets[3:], *targets[:3]]], dtype=torch.float64)
        places = torch.tensor([atom[1:] for atom in atoms])
        kind = {'x': features, 'z': numbers, 'pos': places, 'name': title, 'idx': index}
        kind |= {'edge_index': edges, 'edge_attr': torch.eye(4)[pairs[:, 2]]}
        kinds.append({**kind, 'y': (values * torch.tensor(factors)).float()})
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name == 'qm9_v3.pt':
        torch.save(kinds, path)
    else:
        InMemoryDataset.save([Data(**kind) for kind in kinds], str(path))
    return folder
