"""Writes the embedded data sets to disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from go4align_plugins.data.mtan_layout import read_description
from go4align_plugins.data.prepare import write_dataset
from go4align_plugins.data.table import get_benchmark


def render_dataset(
    name: str,
    root: str | Path,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    num_frames: Mapping[str, int] | None = None,
    workers: int | None = None,
) -> int:
    """Renders the frames of an embedded benchmark that are not there yet.

    Args:
        name: ``rooms`` or ``streets``.
        root: the folder of the data, made if need be.
        seed: of the scenes.
        size: height and width in pixels. None (default): the benchmark's.
        num_frames: of each split. None (default): the benchmark's.
        workers: number of processes. None (default): one a core.

    Returns:
        The number of frames rendered.

    Raises:
        ValueError: if there is no such embedded benchmark, or the folder holds other data; see
            :func:`~go4align_plugins.data.prepare.write_dataset`.
    """
    benchmark = get_benchmark(name)
    size = size or benchmark.image_size
    if not benchmark.embedded or size is None:
        raise ValueError(f'Parameter `name` should be rooms or streets. Found `name = {name}`.')
    return write_dataset(
        root,
        benchmark,
        {'seed': seed, 'image_size': size},
        num_frames or benchmark.num_frames,
        partial(_render_frame, name, seed, size),
        workers,
    )


def render_if_missing(name: str, root: str | Path) -> None:
    """Renders an embedded benchmark as it is by default, if there is no other data in the folder.

    Args:
        name: ``rooms`` or ``streets``.
        root: the folder of the data. Frames that are there and were made otherwise stay.
    """
    root, benchmark = Path(root), get_benchmark(name)
    usual = {
        'benchmark': name,
        'seed': 0,
        'image_size': [*(benchmark.image_size or ())],
        'num_frames': dict(benchmark.num_frames),
    }
    if not root.exists() or read_description(root) == usual:
        render_dataset(name, root)


def _render_frame(
    benchmark: str, seed: int, size: tuple[int, int], split: str, index: int
) -> dict[str, np.ndarray]:
    # The renderer is imported by the processes that render.
    from go4align_plugins.data.scenes import render

    frame = render(benchmark, seed, index, size, split=split)
    arrays = {'image': frame.image, 'segmentation': frame.label, 'depth': frame.depth}
    return arrays if frame.normal is None else {**arrays, 'normal': frame.normal}
