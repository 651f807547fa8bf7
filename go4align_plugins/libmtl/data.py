"""Frames of a benchmark as LibMTL's loaders want them, in an order that depends on seed and epoch.

Nothing here draws from a global generator: an epoch's order and augmentation are the same whether
the training got there in one go or was resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from go4align_plugins.benchmarks import Benchmark
from go4align_plugins.benchmarks.augment import augment
from go4align_plugins.benchmarks.layouts import FrameFolder


class DenseFrames(Dataset):
    """Frames as ``(image, {task: target})``, the form that LibMTL's Trainer takes.

    Args:
        folder: the frames on disk.
        augmented: whether to augment them (see :mod:`go4align_plugins.benchmarks.augment`).
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
        arrays = self.folder.read(index)
        frame = {part: torch.from_numpy(array) for part, array in arrays.items()}
        for part in frame.keys() & {'image', 'depth', 'normal'}:
            frame[part] = frame[part].movedim(-1, 0).contiguous()
        if self.augmented:
            generator = _generator(self.seed, self.epoch, index)
            frame = augment(frame, generator, inverse_depth=self.inverse_depth)
        return frame.pop('image'), frame


class EpochSampler(Sampler[int]):
    """All frames in a random order that depends on the seed and the epoch alone."""

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        generator = _generator(self.seed, self.epoch)
        return iter(torch.randperm(self.length, generator=generator).tolist())


def build_loaders(
    benchmark: Benchmark,
    root: str | Path,
    tasks: Sequence[str] | None = None,
    batch_size: int = 8,
    augmented: bool = False,
    seed: int = 0,
    workers: int = 0,
) -> tuple[DataLoader, DataLoader]:
    """The loaders of the train and the test split (``val`` on disk).

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
    if len(train) < batch_size:
        raise ValueError(
            f'Parameter `batch_size` should be at most {len(train)}, the number of frames in '
            f'{Path(root) / "train"}. Found `batch_size = {batch_size}`.'
        )
    if folders[0].image_size != folders[1].image_size:
        raise ValueError(
            f'{root}: train and val should have one image size. '
            f'Found {folders[0].image_size} and {folders[1].image_size}.'
        )
    pinned = torch.cuda.is_available()
    sampler = EpochSampler(len(train), seed)
    return (
        DataLoader(
            train, batch_size, sampler=sampler, num_workers=workers, pin_memory=pinned,
            drop_last=True,
        ),
        DataLoader(test, batch_size, num_workers=workers, pin_memory=pinned),
    )  # fmt: skip


def set_epoch(loader: DataLoader, epoch: int) -> None:
    """Tell a train loader which epoch's order and augmentation come next."""
    loader.dataset.epoch = loader.sampler.epoch = epoch  # type: ignore[attr-defined]


def _generator(*numbers: int) -> torch.Generator:
    """A generator of its own for each tuple, mixed since torch looks at 32 bits of a seed."""
    mixed = np.random.SeedSequence(numbers).generate_state(1)
    return torch.Generator().manual_seed(int(mixed[0]))
