"""Data of a benchmark as LibMTL's loaders want it, in an order that depends on seed and epoch.

Nothing here draws from a global generator: an epoch's order and augmentation are the same whether
the training got there in one go or was resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler

from go4align_plugins.data import FACES, FRAMES, MOLECULES, Benchmark
from go4align_plugins.data.augment import augment
from go4align_plugins.data.celeba import FaceFolder
from go4align_plugins.data.molecules import Molecules
from go4align_plugins.data.mtan_layout import FrameFolder
from go4align_plugins.data.qm9 import read_qm9
from go4align_plugins.tasks import to_tensors
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import require

Sample = tuple[Any, dict[str, Tensor]]
"""Inputs and ``{task: target}``, the form that LibMTL's Trainer takes."""
Source = tuple[dict[str, 'Samples'], dict[str, Any]]
"""The samples of each split on disk, and further facts for :class:`Loaders`."""


@dataclass(eq=False)
class Samples(Dataset):
    """The samples of a split, by their numbers in the data; augmented in another way each epoch."""

    read: Callable[..., Sample]
    numbers: Sequence[int] | np.ndarray
    augmented: bool = False
    seed: int = 0
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Sample:
        if not self.augmented:
            return self.read(self.numbers[index])
        generator = seeded(torch.Generator(), self.seed, self.epoch, index)
        return self.read(self.numbers[index], generator)


def seeded(generator: torch.Generator, *numbers: int) -> torch.Generator:
    """Seed a generator by a tuple of numbers, mixed since torch looks at 32 bits of a seed."""
    return generator.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


def open_frames(root: str | Path, benchmark: Benchmark, tasks: Sequence[str]) -> Source:
    """Open dense prediction's frames in MTAN's layout."""
    folders = {name: FrameFolder(root, benchmark, name, tasks) for name in ('train', 'val')}
    size, other = (folder.image_size for folder in folders.values())
    if size != other:
        rule = 'train and val should have one image size'
        raise ValueError(f'{root}: {rule}. Found {size} and {other}.')
    splits = {
        name: Samples(partial(_read_frame, folder, benchmark.inverse_depth), range(len(folder)))
        for name, folder in folders.items()
    }
    return splits, {'image_size': size}


def _read_frame(
    folder: FrameFolder, inverse_depth: bool, number: int, generator: torch.Generator | None = None
) -> Sample:
    frame = to_tensors(folder.read(number))
    if generator is not None:
        frame = augment(frame, generator, inverse_depth=inverse_depth)
    return frame.pop('image'), frame


def open_faces(root: str | Path, benchmark: Benchmark, tasks: Sequence[str]) -> Source:
    """Open CelebA's faces, (3, H, W) in [0, 1]; a label is 1 or 0, (1,) float32."""
    folder, size = FaceFolder(root, benchmark, tasks), benchmark.require_image_size()
    read = partial(_read_face, folder, size, tasks)
    splits = {name: Samples(read, numbers) for name, numbers in folder.splits.items()}
    return splits, {'image_size': size}


def _read_face(
    folder: FaceFolder, size: tuple[int, int], tasks: Sequence[str], number: int
) -> Sample:
    image = torch.tensor(folder.read(number, size)).movedim(-1, 0).contiguous() / 255
    return image, dict(zip(tasks, torch.from_numpy(folder.labels[number]).float()[:, None]))


def open_molecules(root: str | Path, benchmark: Benchmark, tasks: Sequence[str]) -> Source:
    """Open QM9's molecules as graphs; a target (1,) has mean 0 and deviation 1 in training."""
    loader, graph = (
        import_optional(f'torch_geometric.{module}', 'qm9', 'Networks for molecules')
        for module in ('loader', 'data')
    )
    molecules = read_qm9(root)
    targets = molecules.targets[:, [benchmark.task_names.index(name) for name in tasks]]
    train = targets[molecules.splits['train']]
    differ = np.ptp(train, axis=0) > 0
    if not differ.all():
        rule = 'every target should differ among the molecules for training'
        raise ValueError(f'{root}: {rule}. {tasks[int(np.argmin(differ))]} does not.')
    # As in NashMTL's code; LibMTL's example standardises by all molecules, tested ones too.
    scales = train.std(axis=0, ddof=1)
    standardised = torch.from_numpy((targets - train.mean(axis=0)) / scales).float()
    read = partial(_read_molecule, graph.Data, molecules, standardised, tasks)
    splits = {name: Samples(read, numbers) for name, numbers in molecules.splits.items()}
    return splits, {'scales': dict(zip(tasks, scales.tolist())), 'loader': loader.DataLoader}


def _read_molecule(
    graph: Any, molecules: Molecules, targets: Tensor, tasks: Sequence[str], number: int
) -> Sample:
    atoms, pairs, features = map(torch.from_numpy, molecules.graph(number))
    molecule = graph(x=atoms, edge_index=pairs, edge_attr=features)
    return molecule, dict(zip(tasks, targets[number, :, None]))


SOURCES = {FRAMES: open_frames, FACES: open_faces, MOLECULES: open_molecules}


@dataclass(frozen=True)
class Loaders:
    """The splits of a benchmark's data."""

    train: DataLoader  # in a random order, whole batches only
    test: DataLoader  # which results are of; of frames, the split that MTAN calls `val`
    val: DataLoader | None  # which the learning rate may follow, if the benchmark has one
    lengths: Mapping[str, int]  # the number of samples of each split on disk
    image_size: tuple[int, int] | None = None  # height and width; None without images
    scales: Mapping[str, float] = field(default_factory=dict)
    """Of each task that is learned standardised: its standard deviation in the published unit."""


def build_loaders(
    benchmark: Benchmark,
    root: str | Path,
    tasks: Sequence[str] | None = None,
    batch_size: int = 8,
    augmented: bool = False,
    seed: int = 0,
    workers: int = 0,
) -> Loaders:
    """Build the loaders of a benchmark's splits in a folder; an error names a broken file."""
    names = [task.name for task in benchmark.select(tasks)]
    splits, facts = SOURCES[benchmark.inputs](root, benchmark, names)
    splits['train'].seed, splits['train'].augmented = seed, augmented
    lengths = {name: len(samples) for name, samples in splits.items()}
    rule = f'be at most {lengths["train"]}, the number of samples in the training split'
    require(lengths['train'] >= batch_size, 'batch_size', rule, batch_size)
    options = {'num_workers': workers, 'pin_memory': torch.cuda.is_available()}
    build = partial(facts.pop('loader', DataLoader), batch_size=batch_size, **options)
    order = RandomSampler(splits['train'], generator=seeded(torch.Generator(), seed, 0))
    train = build(splits['train'], sampler=order, drop_last=True)
    held_out = {name: build(samples) for name, samples in splits.items() if name != 'train'}
    val = held_out['val'] if 'test' in held_out else None
    return Loaders(train, held_out.get('test', held_out['val']), val, lengths, **facts)


def set_epoch(loader: Any, epoch: int) -> None:
    """Tell a train loader which epoch's order and augmentation come next."""
    loader.dataset.epoch = epoch
    seeded(loader.sampler.generator, loader.dataset.seed, epoch)
