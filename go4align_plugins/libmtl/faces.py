"""CelebA's faces as LibMTL's loaders want them: images, and a label an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from go4align_plugins.data import Benchmark
from go4align_plugins.data.celeba import FaceFolder
from go4align_plugins.libmtl.data import Loaders, build_loader


class Faces(Dataset):
    """Faces as ``(image, {task: label})``: (3, H, W) in [0, 1], and 1 or 0 (1,) float32.

    Args:
        folder: the faces on disk.
        numbers: of those that are meant.
        image_size: height and width.
        tasks: the names of the folder's attributes.
    """

    def __init__(
        self,
        folder: FaceFolder,
        numbers: np.ndarray,
        image_size: tuple[int, int],
        tasks: Sequence[str],
    ) -> None:
        self.folder = folder
        self.numbers = numbers
        self.image_size = image_size
        self.tasks = tasks
        self.labels = torch.from_numpy(folder.labels)
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        number = self.numbers[index]
        image = torch.tensor(self.folder.read(number, self.image_size)).movedim(-1, 0)
        labels = self.labels[number].float()[:, None]
        return image.contiguous() / 255, dict(zip(self.tasks, labels))


def build_face_loaders(
    benchmark: Benchmark,
    root: str | Path,
    tasks: Sequence[str] | None = None,
    batch_size: int = 256,
    seed: int = 0,
    workers: int = 0,
) -> Loaders:
    """The loaders of the faces' three official splits.

    Args:
        benchmark: ``celeba``.
        root: a folder as :mod:`go4align_plugins.data.celeba` reads it.
        tasks: names of the attributes; None for all.
        batch_size: faces in a batch.
        seed: of the order.
        workers: processes that read images; 0 reads in the training process.

    Raises:
        FileNotFoundError: if a file or the folder of images is missing.
        ValueError: if the data is incomplete or broken, or the train split has less than a batch.
    """
    folder = FaceFolder(root, benchmark, tasks)
    names = [task.name for task in benchmark.select(tasks)]
    size = benchmark.require_image_size()
    splits = {
        split: Faces(folder, numbers, size, names) for split, numbers in folder.splits.items()
    }
    return Loaders(
        build_loader(splits['train'], batch_size, seed, workers),
        build_loader(splits['test'], batch_size, workers=workers),
        build_loader(splits['val'], batch_size, workers=workers),
        image_size=size,
    )
