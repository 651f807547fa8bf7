"""NYUv2 with its three tasks, and its rendered twin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmseg.registry import DATASETS

from go4align_plugins.data import get_benchmark
from go4align_plugins.mmseg.datasets.mtl_dataset import MTLDataset


@DATASETS.register_module()
class MTLNYUv2Dataset(MTLDataset):
    """Segmentation into 13 classes, depth and surface normals, in MTAN's layout.

    Args:
        data_root: the folder that holds ``train`` and ``val``.
        split: ``'train'`` (default) or ``'val'``.
        tasks: names of the tasks to read. None (default) reads all three.
        benchmark: ``'nyuv2'`` (default) or ``'rooms'``, the embedded data.
        **kwargs: see :class:`MTLDataset`.
    """

    METAINFO = {
        'classes': get_benchmark('nyuv2').class_names,
        'palette': [*map(list, get_benchmark('nyuv2').palette)],
    }

    def __init__(
        self,
        data_root: str | Path,
        split: str = 'train',
        tasks: Sequence[str] | None = None,
        benchmark: str = 'nyuv2',
        **kwargs: Any,
    ) -> None:
        super().__init__(data_root, benchmark, split, tasks, **kwargs)
