"""CityScapes with its two tasks, from either layout, and its rendered twin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmseg.datasets import CityscapesDataset
from mmseg.registry import DATASETS

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder
from go4align_plugins.mmseg.datasets.mtl_dataset import Frames, MTLDataset
from go4align_plugins.mmseg.datasets.official_cityscapes import OfficialCityscapes

NUM_CLASSES = {'mtan': 7, 'official': 19}


@DATASETS.register_module()
class MTLCityscapesDataset(MTLDataset):
    """Segmentation, and depth as inverse depth: the official disparity over 65535.

    Args:
        data_root: the folder that holds ``train`` and ``val``; for the official layout the one that
            holds ``leftImg8bit``, and ``gtFine`` and ``disparity`` as the tasks need them.
        split: ``'train'`` (default) or ``'val'``.
        tasks: names of the tasks to read. None (default) reads both.
        benchmark: ``'cityscapes'`` (default) or ``'streets'``, the embedded data.
        layout: ``'mtan'`` (default), or ``'official'``: the official tree as it is, at full size.
        num_classes: 7, the categories, or 19, the classes of the official evaluation. None
            (default): 7 in MTAN's layout, 19 in the official one.
        metainfo: see :class:`MTLDataset`.
        **kwargs: see :class:`MTLDataset`.
    """

    METAINFO = {
        'classes': get_benchmark('cityscapes').class_names,
        'palette': [*map(list, get_benchmark('cityscapes').palette)],
    }

    def __init__(
        self,
        data_root: str | Path,
        split: str = 'train',
        tasks: Sequence[str] | None = None,
        benchmark: str = 'cityscapes',
        layout: str = 'mtan',
        num_classes: int | None = None,
        metainfo: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if layout not in NUM_CLASSES:
            raise ValueError(
                f'Parameter `layout` should be one of {", ".join(NUM_CLASSES)}. Found `{layout}`.'
            )
        self.layout = layout
        self.num_classes = NUM_CLASSES[layout] if num_classes is None else num_classes
        if self.num_classes not in NUM_CLASSES.values():
            raise ValueError(
                f'Parameter `num_classes` should be 7 or 19. Found `num_classes = {num_classes}`.'
            )
        if self.num_classes == NUM_CLASSES['official']:
            metainfo = {**CityscapesDataset.METAINFO, **(metainfo or {})}
        super().__init__(data_root, benchmark, split, tasks, metainfo, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> dict[int, int] | None:
        """None for the 19 official classes, which are no choice among the 7; else as inherited."""
        if new_classes == CityscapesDataset.METAINFO['classes']:
            return None
        return super().get_label_map(new_classes)

    def open_frames(self) -> tuple[Frames, list[Path]]:
        """The split's frames, and the file of each one's image."""
        if self.layout == 'official':
            official = OfficialCityscapes(self.data_root, self.split, self.tasks, self.num_classes)
            return official, official.images
        frames = FrameFolder(
            self.data_root, self.benchmark, self.split, self.tasks, self.num_classes
        )
        return frames, self.numpy_images(len(frames))
