"""Data of a benchmark as LibMTL's loaders want it, in an order that depends on seed and epoch.

Nothing here draws from a global generator: an epoch's order and augmentation are the same whether
the training got there in one go or was resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from go4align_plugins.data import Benchmark
from go4align_plugins.data.augment import augment
from go4align_plugins.data.mtan_layout import FrameFolder
from go4align_plugins.tasks import to_tensors


class DenseFrames(Dataset):
    """Frames as ``(image, {task: target})``, the form that LibMTL's Trainer takes.

    Args:
        folder: the frames on disk.
        augmented: whether to augment them (see :mod:`go4align_plugins.data.augment`).
        seed: of the augmentation.
        inverse_depth: whether the frames' depth is inverse.
    """

    def __init__(
        self,
        folder: FrameFolder,
        augmented: bool = False,
        seed: int = 0,
        inverse_depth: bool = False,
    ) -> None:
        self.folder = folder
        self.augmented = augmented
        self.seed = seed
        self.inverse_depth = inverse_depth
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        frame = to_tensors(self.folder.read(index))
        if self.augmented:
            generator = _generator(self.seed, self.epoch, index)
            frame = augment(frame, generator, inverse_depth=self.inverse_depth)
        return frame.pop('image'), frame


class EpochSampler(Sampler[int]):
    """All samples in a random order that depends on the seed and the epoch alone."""

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        generator = _generator(self.seed, self.epoch)
        return iter(torch.randperm(self.length, generator=generator).tolist())


@dataclass(frozen=True)
class Loaders:
    """The splits of a benchmark's data.

    Attributes:
        train: in a random order, whole batches only.
        test: which results are of.
        val: which the learning rate may follow; None where the benchmark has none.
        image_size: height and width; None without images.
        scales: a task's standard deviation in its published unit, where it is learned standardised.
    """

    train: DataLoader
    test: DataLoader
    val: DataLoader | None = None
    image_size: tuple[int, int] | None = None
    scales: Mapping[str, float] = field(default_factory=dict)

    @property
    def lengths(self) -> dict[str, int]:
        """The number of samples of each split, named as in the table of benchmarks."""
        if self.val is None:
            splits = {'train': self.train, 'val': self.test}
        else:
            splits = {'train': self.train, 'val': self.val, 'test': self.test}
        return {name: len(loader.dataset) for name, loader in splits.items()}  # type: ignore[arg-type]


def build_loader(
    dataset: Dataset,
    batch_size: int,
    seed: int | None = None,
    workers: int = 0,
    loader: type[DataLoader] = DataLoader,
) -> DataLoader:
    """A loader of one split.

    Args:
        dataset: of the split.
        batch_size: samples in a batch.
        seed: of the order of a training split; None: in the order of the data.
        workers: processes that read samples; 0 reads in the training process.
        loader: its class.

    Raises:
        ValueError: if a training split has less than a batch.
    """
    length = len(dataset)  # type: ignore[arg-type]
    options: dict[str, Any] = {'num_workers': workers, 'pin_memory': torch.cuda.is_available()}
    if seed is None:
        return loader(dataset, batch_size, **options)
    if length < batch_size:
        raise ValueError(
            f'Parameter `batch_size` should be at most {length}, the number of samples in the '
            f'training split. Found `batch_size = {batch_size}`.'
        )
    sampler = EpochSampler(length, seed)
    return loader(dataset, batch_size, sampler=sampler, drop_last=True, **options)


def build_loaders(
    benchmark: Benchmark,
    root: str | Path,
    tasks: Sequence[str] | None = None,
    batch_size: int = 8,
    augmented: bool = False,
    seed: int = 0,
    workers: int = 0,
) -> Loaders:
    """The loaders of frames: the train and the test split (``val`` on disk).

    Args:
        benchmark: which one the data is.
        root: the folder that holds ``train`` and ``val``.
        tasks: names of the tasks; None for all.
        batch_size: frames in a batch.
        augmented: whether to augment the train split.
        seed: of order and augmentation.
        workers: processes that read frames; 0 reads in the training process.

    Raises:
        ValueError: if the data is incomplete or broken, or the train split has less than a batch.
    """
    folders = [FrameFolder(root, benchmark, split, tasks) for split in ('train', 'val')]
    train = DenseFrames(folders[0], augmented, seed, benchmark.inverse_depth)
    test = DenseFrames(folders[1])
    if folders[0].image_size != folders[1].image_size:
        raise ValueError(
            f'{root}: train and val should have one image size. '
            f'Found {folders[0].image_size} and {folders[1].image_size}.'
        )
    return Loaders(
        build_loader(train, batch_size, seed, workers),
        build_loader(test, batch_size, workers=workers),
        image_size=folders[0].image_size,
    )


def set_epoch(loader: DataLoader, epoch: int) -> None:
    """Tell a train loader which epoch's order and augmentation come next."""
    loader.dataset.epoch = loader.sampler.epoch = epoch  # type: ignore[attr-defined]


def _generator(*numbers: int) -> torch.Generator:
    """A generator of its own for each tuple, mixed since torch looks at 32 bits of a seed."""
    mixed = np.random.SeedSequence(numbers).generate_state(1)
    return torch.Generator().manual_seed(int(mixed[0]))
