"""The embedded data: frames of `rooms` (NYUv2's twin) and `streets` (CityScapes' twin), by number.

A frame depends on its numbers alone, so frames can be rendered in any order and process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from go4align_plugins.data.rendering.raycast import Scene
from go4align_plugins.data.rendering.rooms import build_room
from go4align_plugins.data.rendering.sensors import DepthSensor, record
from go4align_plugins.data.rendering.streets import build_street
from go4align_plugins.data.table import get_benchmark
from go4align_plugins.data.units import DISPARITY

SPLITS = ('train', 'val')
LARGEST_SIDE = 4096

# Kinect, and CityScapes' pair of cameras.
SENSORS = {
    'rooms': DepthSensor(0.075, 0.5, 10.0, grazing=0.07),
    'streets': DepthSensor(0.209, DISPARITY / 0.5, 150.0, grazing=0.0),
}
BUILDERS: dict[str, Callable[[np.random.Generator], Scene]] = {
    'rooms': build_room,
    'streets': build_street,
}
COLOURS = {
    'rooms': (
        (214, 93, 107), (139, 90, 60), (226, 226, 214), (240, 160, 75), (176, 141, 110),
        (110, 135, 190), (150, 200, 90), (235, 205, 90), (155, 95, 175), (220, 120, 180),
        (45, 52, 66), (188, 205, 216), (95, 195, 205),
    ),
    'streets': (
        (128, 100, 140), (112, 116, 128), (235, 200, 80), (100, 160, 85), (135, 190, 230),
        (225, 75, 85), (60, 90, 175),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One frame, as on disk in MTAN's layout.

    Attributes:
        image: (H, W, 3) float32 in [0, 1].
        label: (H, W) float32, class number, or -1 where there is none.
        depth: (H, W, 1) float32; metres (rooms) or inverse depth (streets: CityScapes' disparity in
            pixels over 256, below 0.5); 0 where there is no measurement.
        normal: (H, W, 3) float32 unit vectors towards the camera (x right, y down, z forward: a
            wall that faces the camera has (0, 0, -1)); 0 where there is no measurement. None for
            streets.
    """

    image: np.ndarray
    label: np.ndarray
    depth: np.ndarray
    normal: np.ndarray | None


def class_colours(benchmark: str) -> np.ndarray:
    """Colours (C, 3) uint8 for pictures of the labels of a benchmark with C classes.

    The real benchmarks have the colours of their twins.

    Raises:
        ValueError: if there is no such benchmark, or it has no classes.
    """
    names = get_benchmark(benchmark).class_names
    for twin in BUILDERS:
        if get_benchmark(twin).class_names == names:
            return np.array(COLOURS[twin], np.uint8)
    raise ValueError(f'Parameter `benchmark` should be one that has classes. Found `{benchmark}`.')


def render(
    benchmark: str,
    seed: int,
    index: int,
    image_size: tuple[int, int] = (96, 128),
    split: str = 'train',
) -> Frame:
    """Renders one frame of the embedded data.

    The frame depends on the arguments alone, the scene in it on all but ``image_size``.

    Args:
        benchmark: ``rooms`` or ``streets``.
        seed: of the whole data set, not negative.
        index: number of the frame within its split, not negative.
        image_size: height and width in pixels, each between 8 and 4096.
        split: ``train`` or ``val``; the same index shows another scene in each.

    Raises:
        ValueError: if a parameter is none of these.
    """
    if benchmark not in BUILDERS:
        raise ValueError(
            f'Parameter `benchmark` should be one of {", ".join(BUILDERS)}. Found `{benchmark}`.'
        )
    if split not in SPLITS:
        raise ValueError(
            f'Parameter `split` should be one of {", ".join(SPLITS)}. Found `{split}`.'
        )
    for name, number in (('seed', seed), ('index', index)):
        if not isinstance(number, (int, np.integer)) or number < 0:
            raise ValueError(
                f'Parameter `{name}` should be a whole number from 0. Found `{name} = {number!r}`.'
            )
    if len(image_size) != 2 or not all(
        isinstance(side, (int, np.integer)) and 8 <= side <= LARGEST_SIDE for side in image_size
    ):
        raise ValueError(
            'Parameter `image_size` should be a height and a width, whole numbers between 8 and '
            f'{LARGEST_SIDE}. Found `image_size = {image_size!r}`.'
        )
    entropy = [seed, SPLITS.index(split), index, list(BUILDERS).index(benchmark)]
    layout, sensor = np.random.SeedSequence(entropy).spawn(2)
    scene = BUILDERS[benchmark](np.random.default_rng(layout))
    taken = record(scene, SENSORS[benchmark], image_size, np.random.default_rng(sensor))
    depth = np.where(taken.measured, taken.depth, np.float32(1))
    if benchmark == 'streets':
        depth = np.float32(DISPARITY) / depth
    depth = np.where(taken.measured, depth, np.float32(0))[..., None]
    normal = np.where(taken.measured[..., None], taken.normal, np.float32(0))
    return Frame(taken.image, taken.label, depth, normal if benchmark == 'rooms' else None)
