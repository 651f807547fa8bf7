"""The benchmarks of frames as data sets of MMSegmentation, whatever their layout on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.datasets import BaseSegDataset, CityscapesDataset
from mmseg.registry import DATASETS

from go4align_plugins.data import BENCHMARKS, get_benchmark
from go4align_plugins.data.conversion import cityscapes
from go4align_plugins.data.mtan_layout import SPLITS, FrameFolder
from go4align_plugins.data.pictures import open_picture
from go4align_plugins.tasks import MAPS
from go4align_plugins.utils.options import check_choice, require

OPTIONS = ('indices', 'serialize_data', 'test_mode', 'lazy_init', 'max_refetch')
"""Those of mmengine's ``BaseDataset`` that have a meaning here."""
NUM_CLASSES = {'mtan': 7, 'official': 19}  # of CityScapes' layouts

Frames = tuple[Callable[[int], dict[str, np.ndarray]], list[Path]]
"""A reader of frames by number, see :meth:`FrameFolder.read`, and the file of each one's image."""


def describe(name: str) -> dict[str, Any]:
    """The facts of a benchmark that mmseg asks for."""
    benchmark = get_benchmark(name)
    classes, palette = benchmark.class_names, [*map(list, benchmark.palette)]
    return {'classes': classes, 'palette': palette, 'benchmark': name}


@DATASETS.register_module()
class MTLDataset(BaseSegDataset):
    """Frames in MTAN's layout; :class:`LoadMTLFrame` should be the first step of the pipeline.

    Its ``metainfo`` has mmseg's ``classes`` and ``palette``, the ``benchmark`` and the ``tasks``.

    Args:
        data_root: the folder that holds ``train`` and ``val``.
        split: ``'train'`` (default) or ``'val'``.
        tasks: names of the tasks to read. None (default) reads all of the benchmark's.
        benchmark: whose tasks and classes the frames have. None (default): the subclass's own.
        metainfo: ``classes`` in place of the benchmark's; those left out become unlabelled.
        pipeline: transforms, built or as configs.
        **kwargs: of mmengine's ``BaseDataset``: those of :data:`OPTIONS`.

    Raises:
        FileNotFoundError: if a folder is missing.
        ValueError: if a parameter is wrong, or the folders do not fit each other.
    """

    num_classes: int | None = None  # of the segmentation; None: the benchmark's

    def __init__(
        self,
        data_root: str | Path,
        split: str = 'train',
        tasks: Sequence[str] | None = None,
        benchmark: str | None = None,
        metainfo: dict[str, Any] | None = None,
        pipeline: Sequence[Any] = (),
        **kwargs: Any,
    ) -> None:
        for name in kwargs:
            # `BaseSegDataset` has more, like `seg_map_suffix`, which would be ignored.
            check_choice('kwargs', name, OPTIONS, ': the layout says where the files are')
        own, benchmark = self.METAINFO, benchmark or self.METAINFO.get('benchmark')
        fit = (
            (own['classes'],) if own else {each.class_names for each in BENCHMARKS.values()} - {()}
        )
        known = [name for name, each in BENCHMARKS.items() if each.class_names in fit]
        self.benchmark = get_benchmark(check_choice('benchmark', benchmark, known))
        if not own:
            rule = 'hold no `classes` with `MTLDataset`, only with a subclass'
            require('classes' not in (metainfo or {}), 'metainfo', rule, metainfo)
            metainfo = {**describe(self.benchmark.name), **(metainfo or {})}
        self.split = split
        self.tasks = tuple(task.name for task in self.benchmark.select(tasks))
        kwargs.update(data_root=str(data_root), data_prefix={})
        super().__init__(metainfo=metainfo, pipeline=list(pipeline), **kwargs)
        self._metainfo.update(benchmark=benchmark, tasks=self.tasks)

    def load_data_list(self) -> list[dict[str, Any]]:
        """One entry for each frame: where its image is, and mmseg's usual keys."""
        self.read_frame, images = self.open_frames()
        facts = {'label_map': self.label_map, 'inverse_depth': self.benchmark.inverse_depth}
        return [
            {'img_path': str(image), 'frame': index, 'seg_fields': [], **facts}
            for index, image in enumerate(images)
        ]

    def open_frames(self) -> Frames:
        """Open the split."""
        options = (self.benchmark, self.split, self.tasks, self.num_classes)
        frames = FrameFolder(self.data_root, *options)
        folder = frames.parts['image'].folder
        return frames.read, [folder / f'{index}.npy' for index in range(len(frames))]

    def get_data_info(self, index: int) -> dict[str, Any]:
        """An entry of :meth:`load_data_list` and, for ``LoadMTLFrame``, the reader of frames."""
        return {**super().get_data_info(index), 'read_frame': self.read_frame}


@DATASETS.register_module()
class MTLNYUv2Dataset(MTLDataset):
    """NYUv2, or its embedded twin (``benchmark='rooms'``), as an :class:`MTLDataset`."""

    METAINFO = describe('nyuv2')


@DATASETS.register_module()
class MTLCityscapesDataset(MTLDataset):
    """CityScapes, or its embedded twin (``benchmark='streets'``), as an :class:`MTLDataset`.

    Depth is inverse: the official disparity over 65535. The official layout holds ``leftImg8bit``,
    and ``gtFine`` and ``disparity`` as the tasks need them; other images are brought to the size of
    the first.

    Args:
        *args: of :class:`MTLDataset`.
        layout: ``'mtan'`` (default), or ``'official'``: the official tree as it is, at full size.
        num_classes: 7, the categories, or 19, the classes of the official evaluation. None
            (default): 7 in MTAN's layout, 19 in the official one.
        **kwargs: of :class:`MTLDataset`.
    """

    METAINFO = describe('cityscapes')

    def __init__(
        self, *args: Any, layout: str = 'mtan', num_classes: int | None = None, **kwargs: Any
    ) -> None:
        self.layout = check_choice('layout', layout, NUM_CLASSES)
        self.num_classes = NUM_CLASSES[layout] if num_classes is None else num_classes
        require(self.num_classes in NUM_CLASSES.values(), 'num_classes', 'be 7 or 19', num_classes)
        if self.num_classes == NUM_CLASSES['official']:
            kwargs['metainfo'] = {**CityscapesDataset.METAINFO, **(kwargs.get('metainfo') or {})}
        super().__init__(*args, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> dict[int, int] | None:
        """None for the 19 official classes, which are no choice among the 7; else as inherited."""
        if new_classes == CityscapesDataset.METAINFO['classes']:
            return None
        return super().get_label_map(new_classes)

    def open_frames(self) -> Frames:
        """Open the split."""
        if self.layout != 'official':
            return super().open_frames()
        split = check_choice('split', self.split, SPLITS)
        files = cityscapes.find_frames(Path(self.data_root).expanduser(), split, self.tasks)
        if any(MAPS[task].has_classes for task in self.tasks):
            cityscapes.require_label_ids(files)
        images = [each['image'] for each in files]
        with open_picture(images[0], cityscapes.FORMATS) as first:
            size = (first.height, first.width)
        facts = ({split: files}, size, self.num_classes or 0, split)
        return partial(cityscapes.convert_frame, *facts), images
