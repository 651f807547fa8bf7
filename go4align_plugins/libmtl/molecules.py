"""QM9's molecules as LibMTL's loaders want them: graphs, and a standardised number a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from go4align_plugins.data import Benchmark
from go4align_plugins.data.molecules import Molecules
from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.libmtl.data import Loaders, build_loader
from go4align_plugins.utils.optional import import_optional


class MoleculeGraphs(Dataset):
    """Molecules as ``(graph, {task: target})``; a target is a standardised number (1,).

    Args:
        molecules: all of them.
        numbers: of those that are meant.
        targets: (N, T) of all of them, standardised.
        tasks: the names of the targets.
    """

    def __init__(
        self, molecules: Molecules, numbers: np.ndarray, targets: np.ndarray, tasks: Sequence[str]
    ) -> None:
        self.molecules = molecules
        self.numbers = numbers
        self.targets = torch.from_numpy(targets).float()
        self.tasks = tasks
        self.epoch = 0
        self._data: Any = import_optional('torch_geometric.data', 'qm9', 'Networks for molecules')

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Any, dict[str, Tensor]]:
        number = self.numbers[index]
        atoms, pairs, features = map(torch.from_numpy, self.molecules.graph(number))
        graph = self._data.Data(x=atoms, edge_index=pairs, edge_attr=features)
        return graph, dict(zip(self.tasks, self.targets[number, :, None]))


def build_molecule_loaders(
    benchmark: Benchmark,
    root: str | Path,
    tasks: Sequence[str] | None = None,
    batch_size: int = 120,
    seed: int = 0,
    workers: int = 0,
) -> Loaders:
    """The loaders of the molecules' three splits; targets have mean 0 and deviation 1 in training.

    NashMTL's code says the same; LibMTL's example standardises by all molecules, tested ones too.

    Args:
        benchmark: ``qm9``.
        root: a folder as :mod:`go4align_plugins.data.qm9` reads it.
        tasks: names of the tasks; None for all.
        batch_size: molecules in a batch.
        seed: of the order; the split is always the same.
        workers: processes that make graphs; 0 makes them in the training process.

    Raises:
        FileNotFoundError: if the folder holds none of the files.
        ValueError: if the data is broken, or the train split has less than a batch.
    """
    loader = import_optional('torch_geometric.loader', 'qm9', 'Networks for molecules').DataLoader
    molecules = read_qm9(root)
    names = [task.name for task in benchmark.select(tasks)]
    targets = molecules.targets[:, [benchmark.task_names.index(name) for name in names]]
    train = targets[molecules.splits['train']]
    differ = np.ptp(train, axis=0) > 0
    if not differ.all():
        raise ValueError(
            f'{root}: every target should differ among the molecules for training. '
            f'{names[int(np.argmin(differ))]} does not.'
        )
    scales = train.std(axis=0, ddof=1)
    standardised = (targets - train.mean(axis=0)) / scales
    splits = {
        split: MoleculeGraphs(molecules, numbers, standardised, names)
        for split, numbers in molecules.splits.items()
    }
    return Loaders(
        build_loader(splits['train'], batch_size, seed, workers, loader),
        build_loader(splits['test'], batch_size, workers=workers, loader=loader),
        build_loader(splits['val'], batch_size, workers=workers, loader=loader),
        scales=dict(zip(names, scales.tolist())),
    )
