"""The embedded data: `rooms`, NYUv2's twin, and `streets`, CityScapes' twin, rendered by number.

A frame depends on its numbers alone, so frames can be rendered in any order and process.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from go4align_plugins.data.benchmark import Benchmark
from go4align_plugins.data.cityscapes import CITYSCAPES
from go4align_plugins.data.mtan_layout import SPLITS, read_description
from go4align_plugins.data.nyuv2 import NYUV2
from go4align_plugins.data.prepare import write_dataset
from go4align_plugins.data.rendering.raycast import DepthSensor, Frame, record
from go4align_plugins.data.rendering.rooms import build_room
from go4align_plugins.data.rendering.streets import build_street
from go4align_plugins.data.units import DISPARITY
from go4align_plugins.utils.options import check_choice, check_whole, require

LARGEST_SIDE = 4096

ROOMS, STREETS = (
    Benchmark(
        name,
        f'{name} (rendered)',
        twin.tasks,
        {'train': 240, 'val': 60},
        (96, 128),
        twin.class_names,
        twin.palette,
        embedded=True,
    )
    for name, twin in (('rooms', NYUV2), ('streets', CITYSCAPES))
)
EMBEDDED = {benchmark.name: benchmark for benchmark in (ROOMS, STREETS)}
# Kinect, and CityScapes' pair of cameras.
SENSORS = {
    'rooms': DepthSensor(0.075, 0.5, 10.0, grazing=0.07),
    'streets': DepthSensor(0.209, DISPARITY / 0.5, 150.0, grazing=0.0),
}
BUILDERS = {'rooms': build_room, 'streets': build_street}


def render(
    benchmark: str,
    seed: int,
    index: int,
    image_size: tuple[int, int] = (96, 128),
    split: str = 'train',
) -> Frame:
    """Renders a frame of ``rooms`` or ``streets`` by its number within a split.

    The frame depends on the arguments alone, the scene in it on all but ``image_size``: height and
    width in pixels, between 8 and 4096. The same number shows another scene in each split.
    """
    check_choice('benchmark', benchmark, BUILDERS)
    check_choice('split', split, SPLITS)
    for name, number in (('seed', seed), ('index', index)):
        check_whole(name, number, 0, np.inf)
    require(len(image_size) == 2, 'image_size', 'be a height and a width', image_size)
    for side in image_size:
        check_whole('image_size', side, 8, LARGEST_SIDE)
    entropy = [seed, SPLITS.index(split), index, list(BUILDERS).index(benchmark)]
    layout, sensor = np.random.SeedSequence(entropy).spawn(2)
    scene = BUILDERS[benchmark](np.random.default_rng(layout))
    frame = record(scene, SENSORS[benchmark], image_size, np.random.default_rng(sensor))
    if benchmark == 'rooms':
        return frame
    np.divide(np.float32(DISPARITY), frame.depth, out=frame.depth, where=frame.depth > 0)
    return frame._replace(normal=None)


def render_dataset(
    name: str,
    root: str | Path,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    num_frames: Mapping[str, int] | None = None,
    workers: int | None = None,
) -> int:
    """Renders the frames of ``rooms`` or ``streets`` that are not there yet; returns how many.

    Size and numbers of frames are the benchmark's, if not given; workers are one a core.
    """
    benchmark = EMBEDDED[check_choice('name', name, EMBEDDED)]
    size = size or benchmark.require_image_size()
    options = {'seed': seed, 'image_size': size}
    make_frame = partial(_render_frame, name, seed, size)
    counts = num_frames or benchmark.num_frames
    return write_dataset(root, benchmark, options, counts, make_frame, workers)


def render_if_missing(name: str, root: str | Path) -> None:
    """Renders an embedded benchmark as it is by default, unless the folder holds other data."""
    root, benchmark = Path(root), EMBEDDED[name]
    size, num_frames = [*benchmark.require_image_size()], dict(benchmark.num_frames)
    usual = {'benchmark': name, 'seed': 0, 'image_size': size, 'num_frames': num_frames}
    if not root.exists() or read_description(root) == usual:
        render_dataset(name, root)


def _render_frame(
    name: str, seed: int, size: tuple[int, int], split: str, index: int
) -> dict[str, np.ndarray]:
    """The arrays of a frame, by the names of the tasks."""
    frame: Any = render(name, seed, index, size, split)
    return dict(zip(('image', *EMBEDDED[name].task_names), frame))
