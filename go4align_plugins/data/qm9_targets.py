"""QM9's targets in the published units, from the columns of its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from go4align_plugins.data.table import get_benchmark

MEV_PER_HARTREE = 27211.386246
MEV_PER_KCAL = 43.36414
# Task: its column in the .csv and the factor from there to the published unit; and PyTorch
# Geometric's column, which has eV where the papers have meV.
COLUMNS = {
    'mu': ('mu', 1.0, 0),
    'alpha': ('alpha', 1.0, 1),
    'homo': ('homo', MEV_PER_HARTREE, 2),
    'lumo': ('lumo', MEV_PER_HARTREE, 3),
    'r2': ('r2', 1.0, 5),
    'zpve': ('zpve', MEV_PER_HARTREE, 6),
    'u0': ('u0_atom', MEV_PER_KCAL, 12),
    'u298': ('u298_atom', MEV_PER_KCAL, 13),
    'h298': ('h298_atom', MEV_PER_KCAL, 14),
    'g298': ('g298_atom', MEV_PER_KCAL, 15),
    'cv': ('cv', 1.0, 11),
}


def select(column: Callable[[str], Any]) -> np.ndarray:
    """The tasks' columns of a table, in the published units; tasks last."""
    return np.stack([column(name) * factor for name, factor, _ in COLUMNS.values()], -1)


def from_geometric(targets: Any) -> np.ndarray:
    """The tasks' columns of PyTorch Geometric's tensor ``y``, in the published units."""
    units = {task.name: task.metrics[0].unit for task in get_benchmark('qm9').tasks}
    factors = [1000.0 if units[task] == 'meV' else 1.0 for task in COLUMNS]
    columns = [column for _, _, column in COLUMNS.values()]
    return targets.numpy().astype(np.float64)[:, columns] * factors
