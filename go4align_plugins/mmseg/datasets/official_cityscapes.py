"""Reads CityScapes' official tree as it is, without converting it first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from go4align_plugins.data.conversion.cityscapes import (
    FORMATS,
    convert_frame,
    find_frames,
    require_label_ids,
)
from go4align_plugins.data.mtan_layout import SPLITS
from go4align_plugins.data.pictures import open_picture


class OfficialCityscapes:
    """The frames of one split, with the interface of :class:`FrameFolder`.

    Args:
        root: the folder that holds ``leftImg8bit`` and the tasks' ``gtFine`` and ``disparity``, or
            the folders that their zip files are named after.
        split: ``'train'`` or ``'val'``.
        tasks: names of the tasks to return.
        num_classes: 7 or 19.

    Attributes:
        images: the file of each frame's image.
        image_size: height and width of the first image, to which all others are brought.

    Raises:
        FileNotFoundError: if a folder, or the partner of an image, is missing.
        ValueError: if there is no such split, its first image cannot be opened, or its labels are
            no label ids.
    """

    def __init__(
        self, root: str | Path, split: str, tasks: Sequence[str], num_classes: int
    ) -> None:
        if split not in SPLITS:
            raise ValueError(
                f'Parameter `split` should be one of {", ".join(SPLITS)}. Found `{split}`.'
            )
        self._files = find_frames(Path(root).expanduser(), split, tasks)
        if 'segmentation' in tasks:
            require_label_ids(self._files)
        self._num_classes = num_classes
        self.images = [files['image'] for files in self._files]
        with open_picture(self.images[0], FORMATS) as image:
            self.image_size = (image.height, image.width)

    def __len__(self) -> int:
        return len(self._files)

    def read(self, index: int) -> dict[str, np.ndarray]:
        """Reads and checks one frame.

        Returns:
            ``'image'`` (H, W, 3) float32 in [0, 1], ``'segmentation'`` (H, W) int64 and ``'depth'``
            (H, W, 1) float32: those asked for.

        Raises:
            ValueError: if a file cannot be read, or is of another kind than the official ones.
        """
        # The split's name is only a key to the files.
        return convert_frame({'': self._files}, self.image_size, self._num_classes, '', index)
