"""Materials: procedural patterns from hashed lattices, and random draws of materials.

A material's ``seed`` decides its details: a surface looks the same from everywhere and at every
image size.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Array = np.ndarray
Rng = np.random.Generator
Range = tuple[float, float]
Colour = tuple[float, float, float]
Choice = TypeVar('Choice')


@dataclass(frozen=True)
class Material:
    """The look of a surface.

    Attributes:
        pattern: a name in ``PATTERNS``.
        colour: (3,) in [0, 1].
        accent: (3,) the pattern's second colour; None: a darker ``colour``.
        scale: metres that one unit of the pattern covers.
        seed: decides the pattern's details.
        gloss: 0 dull to 1 mirror-like; gloss defeats a depth sensor.
        glow: share of the colour that shines by itself.
    """

    pattern: str = 'plain'
    colour: Colour = (0.6, 0.6, 0.6)
    accent: Colour | None = None
    scale: float = 1.0
    seed: int = 0
    gloss: float = 0.0
    glow: float = 0.0

    def paint(self, places: Array, normals: Array) -> Array:
        """Colours (3, N) float32 in [0, 1] at places (3, N) in metres along a solid's own axes."""
        # A face's texture lies along the two axes that its normal is farthest from.
        facing = np.abs(normals).argmax(axis=0)
        u = np.where(facing == 0, places[1], places[0]) / np.float32(self.scale)
        v = np.where(facing == 2, places[1], places[2]) / np.float32(self.scale)
        blend, tone = PATTERNS[self.pattern](u, v, self.seed)
        first = np.array(self.colour, np.float32)[:, None]
        second = first * 0.6 if self.accent is None else np.array(self.accent, np.float32)[:, None]
        if self.pattern == 'spines':  # Each book has its own colour.
            i, j = np.floor(u), np.floor(v)
            second = second * [
                0.2 + 0.7 * lattice(i, j, self.seed + channel) for channel in (7, 8, 9)
            ]
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


def noise(u: Array, v: Array, seed: int) -> Array:
    """Smooth value noise in [0, 1] with bumps about one unit wide."""
    i, j = np.floor(u), np.floor(v)
    x, y = u - i, v - j
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    low = lattice(i, j, seed) * (1 - x) + lattice(i + 1, j, seed) * x
    high = lattice(i, j + 1, seed) * (1 - x) + lattice(i + 1, j + 1, seed) * x
    return low * (1 - y) + high * y


def _seam(x: Array, width: float) -> Array:
    """1 within ``width`` of the borders of every unit interval, else 0."""
    return (np.abs(x - np.floor(x) - 0.5) > 0.5 - width).astype(np.float32)


def _half(x: Array) -> Array:
    """1 in the first half of every unit interval, else 0."""
    return (x - np.floor(x) < 0.5).astype(np.float32)


def _cloud(u: Array, v: Array, seed: int) -> tuple[Array, Array]:
    coarse, fine = noise(u * 4, v * 4, seed), noise(u * 11, v * 11, seed + 1)
    return np.clip(2.4 * (0.65 * coarse + 0.35 * fine) - 0.7, 0, 1), 0.9 + 0.2 * fine


def _planks(u: Array, v: Array, seed: int) -> tuple[Array, Array]:
    row = np.floor(v)
    along = u / 6 + lattice(row, row, seed)
    tone = 0.75 + 0.4 * lattice(row, np.floor(along), seed + 1)
    seams = np.maximum(_seam(v, 0.04), _seam(along, 0.006))
    return 0.8 * seams, tone * (0.9 + 0.2 * noise(u, v * 8, seed + 2))


def _tiles(u: Array, v: Array, seed: int) -> tuple[Array, Array]:
    seams = np.maximum(_seam(u, 0.04), _seam(v, 0.04))
    return seams, 0.85 + 0.3 * lattice(np.floor(u), np.floor(v), seed)


def _bricks(u: Array, v: Array, seed: int) -> tuple[Array, Array]:
    row = np.floor(v)
    shifted = u / 2.5 + row * 0.5
    seams = np.maximum(_seam(shifted, 0.04), _seam(v, 0.1))
    return seams, 0.8 + 0.4 * lattice(np.floor(shifted), row, seed)


def _facade(u: Array, v: Array, seed: int) -> tuple[Array, Array]:
    """A wall with one window in each cell, some of them lit or blinded."""
    i, j = np.floor(u), np.floor(v)
    x, y = np.abs(u - i - 0.5), np.abs(v - j - 0.52)
    window = (x < 0.24) & (y < 0.3)
    bars = window & ((x < 0.02) | (np.abs(v - j - 0.62) < 0.02))
    ledge = (np.abs(v - j - 0.18) < 0.03) & (x < 0.3)
    tone = np.where(window & ~bars, 0.5 + 1.3 * lattice(i, j, seed) ** 2, 1.0)
    tone = np.where(bars | ledge, 1.15, tone) * (0.92 + 0.16 * noise(u * 2, v * 2, seed + 1))
    return (window & ~bars).astype(np.float32), tone


# A pattern maps metres along a face (u, v) and a seed to (blend, tone), each (N,): the share of the
# second colour in [0, 1], and a factor near 1 for the brightness.
PATTERNS: dict[str, Callable[[Array, Array, int], tuple[Array, Array]]] = {
    'plain': lambda u, v, seed: (np.zeros_like(u), 0.96 + 0.08 * noise(u * 3, v * 3, seed)),
    'stripes': lambda u, v, seed: (_half(u), 0.96 + 0.08 * noise(u * 3, v * 3, seed)),
    'checks': lambda u, v, seed: ((_half(u) + _half(v)) / 2, np.ones_like(u)),
    'folds': lambda u, v, seed: (
        0.5 + 0.5 * np.sin(2 * np.pi * (u + 0.15 * noise(v, u, seed))),
        np.ones_like(u),
    ),
    'speckle': lambda u, v, seed: (  # carpet, fabric
        0.6 * noise(u * 4, v * 4, seed + 1),
        0.8 + 0.4 * noise(u * 40, v * 40, seed),
    ),
    'asphalt': lambda u, v, seed: (
        0.8 * noise(u, v / 3, seed),
        0.92 + 0.16 * noise(u * 30, v * 30, seed + 1),
    ),
    'leaves': lambda u, v, seed: (
        noise(u * 2, v * 2, seed + 1),
        0.45 + 0.95 * noise(u * 7, v * 7, seed),
    ),
    'wood': lambda u, v, seed: (
        0.7 * noise(u * 1.5, v * 9, seed + 1),
        0.85 + 0.3 * noise(u * 2, v * 30, seed),
    ),
    'view': lambda u, v, seed: (  # out of a window: bright above, blurred greenery below
        np.clip(0.5 - 4 * (v + 0.5 * noise(u * 3, v * 3, seed) - 0.2), 0, 1),
        0.85 + 0.3 * noise(u * 6, v * 6, seed + 1),
    ),
    'spines': lambda u, v, seed: (np.ones_like(u), 1 - 0.75 * _seam(u, 0.08)),  # a row of books
    'cloud': _cloud,  # blotches, from flowered fabric to a painting
    'planks': _planks,
    'tiles': _tiles,
    'bricks': _bricks,
    'facade': _facade,
}


def draw_seed(rng: Rng) -> int:
    """Draw a seed for a material."""
    return int(rng.integers(1 << 30))


def pick(rng: Rng, *choices: Choice) -> Choice:
    """Draw one of the choices."""
    return choices[rng.integers(len(choices))]


def draw_colour(
    rng: Rng,
    hue: Range | None = None,
    saturation: Range = (0.1, 0.6),
    value: Range = (0.25, 0.85),
) -> Colour:
    """Draw a colour from ranges of hue (None: a homely one), saturation and value."""
    hue = pick(rng, (-0.03, 0.13), (-0.03, 0.13), (0.54, 0.66), (0.0, 1.0)) if hue is None else hue
    h, s, v = (rng.uniform(*limits) for limits in (hue, saturation, value))
    return colorsys.hsv_to_rgb(h % 1, s, v)


def draw_material(
    rng: Rng,
    pattern: str,
    hue: Range | None = None,
    saturation: Range = (0.1, 0.6),
    value: Range = (0.25, 0.85),
    scale: Range | float = 1.0,
    gloss: float = 0.0,
) -> Material:
    """Draw a colour, a scale (from a range, or given) and a seed for a pattern."""
    colour = draw_colour(rng, hue, saturation, value)
    scale = rng.uniform(*scale) if isinstance(scale, tuple) else scale
    return Material(pattern, colour, None, scale, draw_seed(rng), gloss)
