"""Units of depth: the right ones, and those that are often found in their place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MEND = 'Mend it: '  # begins the advice about a file that is whole, but in another unit or order
DISPARITY = 0.209 * 2262 / 256
"""CityScapes: 20.9 cm of baseline times 2262 pixels of focal length give the disparity in pixels at
one metre; MTAN's download has it divided by 256, which keeps it below 0.5."""
PICTURE = 'divide a picture by its largest value, and multiply by the distance it stands for'
METRIC = f'divide {DISPARITY:.3f} by the metres'


class Other(NamedTuple):
    """Another unit, set or order that values may be in, and how to bring them to the right one."""

    name: str
    mend: str
    largest: float = np.inf  # of its values


def describe(*others: Other, largest: float = 0) -> str:
    """The end of a sentence about a problem: the first that fits the values, and how to mend it."""
    for other in others:
        if largest <= other.largest:
            return f': {other.name}. {MEND}{other.mend}.'
    return '.'


@dataclass(frozen=True)
class DepthUnit:
    """A unit of depth, and the signs of another one."""

    name: str  # in tables of results
    rule: str  # about its values, in words
    limit: float  # of a measurement
    beyond: float  # share of a frame's measurements that may lie beyond the limit
    others: Sequence[Other]  # that are found in its place, those with smaller values first
    # Largest distance and smallest one: no data set lies wholly within the first and has something
    # nearer than the second. None where nothing is known.
    scene: tuple[float, float] | None = None

    def find_problem(self, depth: np.ndarray) -> str | None:
        """The problem of depth in a larger unit, not negative, 0 where nothing was measured."""
        largest = depth.max()
        if not largest > self.limit:
            return None
        measured = depth[depth > 0]
        if np.count_nonzero(measured > self.limit) <= self.beyond * measured.size:
            return None
        found = f'a median of {np.median(measured):.6g} and a largest of {largest:.6g}'
        return f'{self.rule} Found {found}{describe(*self.others, largest=largest)}'

    def find_shrunk(self, frames: Iterable[np.ndarray]) -> str | None:
        """The problem of depth that was scaled to [0, 1], by frames from all over a data set."""
        measured = [part for depth in frames if (part := depth[depth > 0]).size]
        largest = max((float(part.max()) for part in measured), default=0)
        smallest = min((float(part.min()) for part in measured), default=np.inf)
        if self.scene is None or largest > self.scene[0] or smallest >= self.scene[1]:
            return None
        other = Other('scaled to [0, 1]', 'multiply by the distance that 1 stands for')
        return f'{self.rule} Found none above {largest:.6g} in any frame{describe(other)}'


METRES = DepthUnit(
    name='m',
    rule='depth should be in metres: an indoor median is below 15.',
    limit=15,
    beyond=0.5,
    # A Kinect measures from 0.5 to 10 metres.
    others=(
        Other('centimetres, or a picture from 0 to 255', f'divide by 100, or {PICTURE}', 255),
        Other('centimetres', 'divide by 100', 999),
        Other('millimetres', 'divide by 1000', 15000),
        Other('a picture from 0 to 65535', PICTURE, 65535),
    ),
    scene=(1.0, 0.4),
)
INVERSE_DEPTH = DepthUnit(
    name='inverse depth',
    rule='depth should be inverse depth, at most 1 (the disparity in pixels over 256).',
    # Disparity resized by cubic interpolation overshoots a little.
    limit=1.001,
    beyond=0,
    others=(
        Other('disparity in pixels, or metric depth in metres', f'divide by 256, or {METRIC}', 256),
        Other('metric depth in metres', METRIC, 1000),
        Other('raw 16-bit values of disparity pictures', 'divide by 65535', 65535),
    ),
)
