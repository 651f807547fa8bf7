"""Materials: procedural patterns from hashed lattices, and a generator that draws materials."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

Array = np.ndarray
Look = tuple[Union[Array, float], Union[Array, float]]
Range = tuple[float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """The look of a surface."""

    pattern: str = 'plain'  # a name in PATTERNS
    colour: Colour = (0.6, 0.6, 0.6)
    accent: Colour | None = None  # the pattern's second colour; None: a darker `colour`
    scale: float = 1.0  # metres that one unit of the pattern covers
    seed: int = 0  # decides the details, which are the same from everywhere and at every size
    gloss: float = 0.0  # 0 dull to 1 mirror-like; gloss defeats a depth sensor
    glow: float = 0.0  # share of the colour that shines by itself

    def paint(self, places: Array, normals: Array) -> Array:
        """Colours (3, N) float32 at places (3, N) in metres along a solid's own axes."""
        # A face's texture lies along the two axes that its normal is farthest from.
        facing = np.abs(normals).argmax(axis=0)
        u, v = (np.where(facing == axis, places[1], places[axis]) for axis in (0, 2))
        u, v = u / np.float32(self.scale), v / np.float32(self.scale)
        blend, tone = PATTERNS[self.pattern](u, v, self.seed)
        first = np.array(self.colour, np.float32)[:, None]
        second = first * 0.6 if self.accent is None else np.array(self.accent, np.float32)[:, None]
        if self.pattern == 'spines':  # Each book has its own colour.
            seeds = (self.seed + channel for channel in (7, 8, 9))
            second = second * [0.2 + 0.7 * lattice(np.floor(u), np.floor(v), s) for s in seeds]
        return np.clip((first + (second - first) * blend) * tone, 0, 1).astype(np.float32)


def lattice(i: Array, j: Array, seed: int) -> Array:
    """A fixed random number in [0, 1) for every pair of whole numbers, float32."""
    state = i.astype(np.int32).view(np.uint32) * np.uint32(0x9E3779B1)
    state ^= j.astype(np.int32).view(np.uint32) * np.uint32(0x85EBCA77)
    state ^= np.uint32(seed * 0xC2B2AE3D & 0xFFFFFFFF)
    state ^= state >> np.uint32(15)
    state *= np.uint32(0x2C1B3C6D)
    state ^= state >> np.uint32(13)
    return (state >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def noise(u: Array, v: Array, seed: int, across: float = 1, up: float | None = None) -> Array:
    """Smooth value noise in [0, 1], with ``across`` x ``up`` (None: as across) bumps a unit."""
    u, v = u * across, v * (across if up is None else up)
    i, j = np.floor(u), np.floor(v)
    x, y = u - i, v - j
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    low = lattice(i, j, seed) * (1 - x) + lattice(i + 1, j, seed) * x
    high = lattice(i, j + 1, seed) * (1 - x) + lattice(i + 1, j + 1, seed) * x
    return low * (1 - y) + high * y


def _half(x: Array) -> Array:
    """1 in the first half of every unit interval, else 0."""
    return (x - np.floor(x) < 0.5).astype(np.float32)


def _seam(x: Array, width: float) -> Array:
    """1 within ``width`` of the borders of every unit interval, else 0."""
    return (np.abs(x - np.floor(x) - 0.5) > 0.5 - width).astype(np.float32)


def _cells(u: Array, v: Array, seed: int, width: float, tone: float, contrast: float) -> Look:
    """Cells of different tones between seams."""
    cell = lattice(np.floor(u), np.floor(v), seed)
    return np.maximum(_seam(u, 0.04), _seam(v, width)), tone + contrast * cell


def _planks(u: Array, v: Array, seed: int) -> Look:
    row = np.floor(v)
    along = u / 6 + lattice(row, row, seed)
    tone = 0.75 + 0.4 * lattice(row, np.floor(along), seed + 1)
    seams = np.maximum(_seam(v, 0.04), _seam(along, 0.006))
    return 0.8 * seams, tone * (0.9 + 0.2 * noise(u, v, seed + 2, 1, 8))


def _cloud(u: Array, v: Array, seed: int) -> Look:
    """Blotches, from flowered fabric to a painting."""
    coarse, fine = noise(u, v, seed, 4), noise(u, v, seed + 1, 11)
    return np.clip(2.4 * (0.65 * coarse + 0.35 * fine) - 0.7, 0, 1), 0.9 + 0.2 * fine


def _view(u: Array, v: Array, seed: int) -> Look:
    """The world outside a window: bright above, blurred greenery below."""
    edge = v + 0.5 * noise(u, v, seed, 3) - 0.2
    return np.clip(0.5 - 4 * edge, 0, 1), 0.85 + 0.3 * noise(u, v, seed + 1, 6)


def _facade(u: Array, v: Array, seed: int) -> Look:
    """A wall with one window in each cell, some of them lit or blinded."""
    i, j = np.floor(u), np.floor(v)
    x, y = np.abs(u - i - 0.5), v - j
    window = (x < 0.24) & (np.abs(y - 0.52) < 0.3)
    bars = window & ((x < 0.02) | (np.abs(y - 0.62) < 0.02))
    ledge = (np.abs(y - 0.18) < 0.03) & (x < 0.3)
    tone = np.where(window & ~bars, 0.5 + 1.3 * lattice(i, j, seed) ** 2, 1.0)
    tone = np.where(bars | ledge, 1.15, tone) * (0.92 + 0.16 * noise(u, v, seed + 1, 2))
    return (window & ~bars).astype(np.float32), tone


# A pattern maps units along a face (u, v), each (N,), and a seed to (blend, tone), each (N,) or a
# number: the share of the second colour in [0, 1], and a factor near 1 for the brightness.
PATTERNS: dict[str, Callable[[Array, Array, int], Look]] = {
    'plain': lambda u, v, s: (0.0, 0.96 + 0.08 * noise(u, v, s, 3)),
    'stripes': lambda u, v, s: (_half(u), 0.96 + 0.08 * noise(u, v, s, 3)),
    'checks': lambda u, v, s: ((_half(u) + _half(v)) / 2, 1.0),
    'speckle': lambda u, v, s: (0.6 * noise(u, v, s + 1, 4), 0.8 + 0.4 * noise(u, v, s, 40)),
    'asphalt': lambda u, v, s: (0.8 * noise(u, v / 3, s), 0.92 + 0.16 * noise(u, v, s + 1, 30)),
    'leaves': lambda u, v, s: (noise(u, v, s + 1, 2), 0.45 + 0.95 * noise(u, v, s, 7)),
    'wood': lambda u, v, s: (0.7 * noise(u, v, s + 1, 1.5, 9), 0.85 + 0.3 * noise(u, v, s, 2, 30)),
    'folds': lambda u, v, s: (0.5 + 0.5 * np.sin(2 * np.pi * (u + 0.15 * noise(v, u, s))), 1.0),
    'spines': lambda u, v, s: (1.0, 1 - 0.75 * _seam(u, 0.08)),  # books in a row
    'tiles': lambda u, v, s: _cells(u, v, s, 0.04, 0.85, 0.3),
    'bricks': lambda u, v, s: _cells(u / 2.5 + np.floor(v) * 0.5, v, s, 0.1, 0.8, 0.4),
    'planks': _planks,
    'cloud': _cloud,
    'view': _view,
    'facade': _facade,
}


class Draw(np.random.Generator):
    """A random generator that draws colours and materials too."""

    def seed(self) -> int:
        """Draw a seed for a material."""
        return int(self.integers(1 << 30))

    def uniforms(self, *ranges: Range | float) -> list[float]:
        """Draw a number from each range; a number stays as it is."""
        return [self.uniform(*each) if isinstance(each, tuple) else each for each in ranges]

    def pick(self, *choices: Any) -> Any:
        """Draw one of the choices."""
        return choices[self.integers(len(choices))]

    def colour(
        self, hue: Range | None = None, saturation: Range = (0.1, 0.6), value: Range = (0.25, 0.85)
    ) -> Colour:
        """Draw a colour from ranges of hue (None: a homely one), saturation and value."""
        hue = hue or self.pick((-0.03, 0.13), (-0.03, 0.13), (0.54, 0.66), (0.0, 1.0))
        h, s, v = self.uniforms(hue, saturation, value)
        return colorsys.hsv_to_rgb(h % 1, s, v)

    def material(
        self, pattern: str, *ranges: Range | None, scale: Range | float = 1.0, gloss: float = 0.0
    ) -> Material:
        """Draw a colour, from ranges as :meth:`colour`, a scale and a seed for a pattern."""
        colour, (scale,) = self.colour(*ranges), self.uniforms(scale)  # type: ignore[arg-type]
        return Material(pattern, colour, None, scale, self.seed(), gloss)
