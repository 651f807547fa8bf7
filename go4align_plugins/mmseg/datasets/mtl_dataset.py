"""Frames with several targets as a data set of MMSegmentation, whatever their layout on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from mmseg.datasets import BaseSegDataset

from go4align_plugins.data import BENCHMARKS, get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder
from go4align_plugins.tasks import IMAGE_FOLDER

OPTIONS = ('indices', 'serialize_data', 'test_mode', 'lazy_init', 'max_refetch')
"""Those of mmengine's ``BaseDataset`` that have a meaning here."""


class Frames(Protocol):
    """The frames of a split."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> dict[str, np.ndarray]:
        """A frame's parts, as :meth:`FrameFolder.read` returns them."""


class MTLDataset(BaseSegDataset):
    """Frames in MTAN's layout; :class:`LoadMTLFrame` should be the first step of the pipeline.

    Its ``metainfo`` tells, beside mmseg's ``classes`` and ``palette``, the name of the
    ``benchmark`` and the ``tasks``.

    Args:
        data_root: the folder that holds ``train`` and ``val``.
        benchmark: whose tasks and classes the frames have: a name in the table of benchmarks.
        split: ``'train'`` (default) or ``'val'``.
        tasks: names of the tasks to read. None (default) reads all of the benchmark's.
        metainfo: ``classes`` and ``palette`` in place of the benchmark's; classes left out become
            unlabelled.
        pipeline: transforms, built or as configs.
        **kwargs: of mmengine's ``BaseDataset``: ``indices``, ``serialize_data``, ``test_mode``,
            ``lazy_init``, ``max_refetch``.

    Raises:
        FileNotFoundError: if a folder is missing.
        ValueError: if a parameter is wrong, or the folders do not fit each other.
    """

    def __init__(
        self,
        data_root: str | Path,
        benchmark: str,
        split: str = 'train',
        tasks: Sequence[str] | None = None,
        metainfo: dict[str, Any] | None = None,
        pipeline: Sequence[Any] = (),
        **kwargs: Any,
    ) -> None:
        _refuse_unknown(kwargs)
        self.benchmark = get_benchmark(benchmark)
        self.split = split
        self.tasks = tuple(task.name for task in self.benchmark.select(tasks))
        known = [name for name in BENCHMARKS if self._has_classes_of(name)]
        if benchmark not in known:
            raise ValueError(
                f'Parameter `benchmark` of {type(self).__name__} should be one of '
                f'{", ".join(known)}. Found `{benchmark}`.'
            )
        super().__init__(
            data_root=str(data_root),
            data_prefix={},
            metainfo=metainfo,
            pipeline=list(pipeline),
            **kwargs,
        )
        self._metainfo.update(benchmark=benchmark, tasks=self.tasks)

    def load_data_list(self) -> list[dict[str, Any]]:
        """One entry for each frame: where its image is, and mmseg's usual keys."""
        self.frames, images = self.open_frames()
        return [
            {
                'img_path': str(image),
                'frame': index,
                'label_map': self.label_map,
                'reduce_zero_label': False,
                'inverse_depth': self.benchmark.inverse_depth,
                'seg_fields': [],
            }
            for index, image in enumerate(images)
        ]

    def open_frames(self) -> tuple[Frames, list[Path]]:
        """The split's frames, and the file of each one's image."""
        frames = FrameFolder(self.data_root, self.benchmark, self.split, self.tasks)
        return frames, self.numpy_images(len(frames))

    def numpy_images(self, count: int) -> list[Path]:
        """The files of the images in MTAN's layout."""
        folder = Path(self.data_root).expanduser() / self.split / IMAGE_FOLDER
        return [folder / f'{index}.npy' for index in range(count)]

    def get_data_info(self, index: int) -> dict[str, Any]:
        """An entry of :meth:`load_data_list` and, for ``LoadMTLFrame``, the reader of frames."""
        return {**super().get_data_info(index), 'frames': self.frames}

    def _has_classes_of(self, benchmark: str) -> bool:
        return BENCHMARKS[benchmark].class_names == self.METAINFO['classes']


def _refuse_unknown(options: dict[str, Any]) -> None:
    """Refuse options of ``BaseSegDataset`` that would be ignored, such as ``seg_map_suffix``."""
    for name in options:
        if name not in OPTIONS:
            raise ValueError(
                f'Parameter `{name}` should be one of {", ".join(OPTIONS)}: where the files are '
                'and what they hold is fixed by the layout.'
            )
