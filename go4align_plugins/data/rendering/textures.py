"""Procedural materials: the colour of every point of a surface, from hashed lattices.

Nothing here draws from a random generator: a material's ``seed`` decides its looks, so a surface
looks the same from everywhere and at every image size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# A pattern maps metres along a face (u, v) and a seed to (blend, tone), each (N,): the share of the
# second colour in [0, 1], and a factor near 1 for the brightness.
Pattern = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Material:
    """The look of a surface.

    Attributes:
        pattern: a name in ``PATTERNS``.
        colour: (3,) in [0, 1].
        accent: (3,) the pattern's second colour; None: a darker ``colour``.
        scale: metres that one unit of the pattern covers.
        seed: decides the pattern's details.
        gloss: 0 dull to 1 mirror-like; what is glossy defeats a depth sensor.
        glow: share of the colour that shines by itself.
    """

    pattern: str = 'plain'
    colour: tuple[float, float, float] = (0.6, 0.6, 0.6)
    accent: tuple[float, float, float] | None = None
    scale: float = 1.0
    seed: int = 0
    gloss: float = 0.0
    glow: float = 0.0

    def paint(self, places: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Colours of a surface.

        Args:
            places: (3, N) along the solid's own axes, in metres.
            normals: (3, N) along the solid's own axes.

        Returns:
            (3, N) float32 in [0, 1].
        """
        # A face's texture lies along the two axes that its normal is farthest from.
        facing = np.abs(normals).argmax(axis=0)
        u = np.where(facing == 0, places[1], places[0]) / np.float32(self.scale)
        v = np.where(facing == 2, places[1], places[2]) / np.float32(self.scale)
        blend, tone = PATTERNS[self.pattern](u, v, self.seed)
        first = np.array(self.colour, np.float32)[:, None]
        second = first * 0.6 if self.accent is None else np.array(self.accent, np.float32)[:, None]
        if self.pattern in COLOURFUL:
            second = second * hues(np.floor(u), np.floor(v), self.seed)
        return np.clip((first + (second - first) * blend) * tone, 0, 1).astype(np.float32)


def lattice(i: np.ndarray, j: np.ndarray, seed: int) -> np.ndarray:
    """A fixed random number in [0, 1) for every pair of whole numbers, float32."""
    state = i.astype(np.int32).view(np.uint32) * np.uint32(0x9E3779B1)
    state ^= j.astype(np.int32).view(np.uint32) * np.uint32(0x85EBCA77)
    state ^= np.uint32(seed * 0xC2B2AE3D & 0xFFFFFFFF)
    state ^= state >> np.uint32(15)
    state *= np.uint32(0x2C1B3C6D)
    state ^= state >> np.uint32(13)
    return (state >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def noise(u: np.ndarray, v: np.ndarray, seed: int) -> np.ndarray:
    """Smooth value noise in [0, 1] with bumps about one unit wide."""
    i, j = np.floor(u), np.floor(v)
    x, y = u - i, v - j
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    low = lattice(i, j, seed) * (1 - x) + lattice(i + 1, j, seed) * x
    high = lattice(i, j + 1, seed) * (1 - x) + lattice(i + 1, j + 1, seed) * x
    return low * (1 - y) + high * y


def hues(i: np.ndarray, j: np.ndarray, seed: int) -> np.ndarray:
    """Factors (3, N) that give every lattice cell a colour of its own."""
    return np.stack([0.2 + 0.7 * lattice(i, j, seed + channel) for channel in (7, 8, 9)])


def _step(x: np.ndarray, width: float) -> np.ndarray:
    """1 within ``width`` of the borders of the unit interval, else 0; repeats."""
    return (np.abs(x - np.floor(x) - 0.5) > 0.5 - width).astype(np.float32)


def _plain(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros_like(u), 0.96 + 0.08 * noise(u * 3, v * 3, seed)


def _speckle(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Carpet, fabric."""
    fine = noise(u * 40, v * 40, seed)
    return 0.6 * noise(u * 4, v * 4, seed + 1), 0.8 + 0.4 * fine


def _asphalt(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches and a fine grain."""
    return 0.8 * noise(u, v / 3, seed), 0.92 + 0.16 * noise(u * 30, v * 30, seed + 1)


def _cloud(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Blotches, from flowered fabric to a painting."""
    coarse, fine = noise(u * 4, v * 4, seed), noise(u * 11, v * 11, seed + 1)
    return np.clip(2.4 * (0.65 * coarse + 0.35 * fine) - 0.7, 0, 1), 0.9 + 0.2 * fine


def _leaves(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    fine = noise(u * 7, v * 7, seed)
    return noise(u * 2, v * 2, seed + 1), 0.45 + 0.95 * fine


def _stripes(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return (u - np.floor(u) < 0.5).astype(np.float32), 0.96 + 0.08 * noise(u * 3, v * 3, seed)


def _folds(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A curtain's folds."""
    bend = u + 0.15 * noise(v, u, seed)
    return 0.5 + 0.5 * np.sin(2 * np.pi * bend), np.ones_like(u)


def _checks(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    blend = ((u - np.floor(u) < 0.5).astype(np.float32) + (v - np.floor(v) < 0.5)) / 2
    return blend, np.ones_like(u)


def _wood(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    grain = noise(u * 2, v * 30, seed)
    return 0.7 * noise(u * 1.5, v * 9, seed + 1), 0.85 + 0.3 * grain


def _planks(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    row = np.floor(v)
    along = u / 6 + lattice(row, row, seed)
    tone = 0.75 + 0.4 * lattice(row, np.floor(along), seed + 1)
    tone *= 0.9 + 0.2 * noise(u, v * 8, seed + 2)
    return 0.8 * np.maximum(_step(v, 0.04), _step(along, 0.006)), tone


def _tiles(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(_step(u, 0.04), _step(v, 0.04)), 0.85 + 0.3 * lattice(
        np.floor(u), np.floor(v), seed
    )


def _bricks(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    row = np.floor(v)
    shifted = u / 2.5 + row * 0.5
    tone = 0.8 + 0.4 * lattice(np.floor(shifted), row, seed)
    return np.maximum(_step(shifted, 0.04), _step(v, 0.1)), tone


def _spines(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A row of books; the hues come from the lattice."""
    return np.ones_like(u), 1 - 0.75 * _step(u, 0.08)


def _facade(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A wall with one window in each cell, some of them lit or blinded."""
    i, j = np.floor(u), np.floor(v)
    x, y = np.abs(u - i - 0.5), np.abs(v - j - 0.52)
    glass = (x < 0.24) & (y < 0.3)
    bars = glass & ((x < 0.02) | (np.abs(v - j - 0.62) < 0.02))
    ledge = (np.abs(v - j - 0.18) < 0.03) & (x < 0.3)
    tone = np.where(glass & ~bars, 0.5 + 1.3 * lattice(i, j, seed) ** 2, 1.0)
    tone = np.where(bars | ledge, 1.15, tone) * (0.92 + 0.16 * noise(u * 2, v * 2, seed + 1))
    return (glass & ~bars).astype(np.float32), tone


def _view(u: np.ndarray, v: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The world outside a window: bright above, blurred greenery below."""
    edge = v + 0.5 * noise(u * 3, v * 3, seed) - 0.2
    return np.clip(0.5 - 4 * edge, 0, 1), 0.85 + 0.3 * noise(u * 6, v * 6, seed + 1)


PATTERNS: dict[str, Pattern] = {
    'plain': _plain,
    'speckle': _speckle,
    'asphalt': _asphalt,
    'cloud': _cloud,
    'leaves': _leaves,
    'stripes': _stripes,
    'folds': _folds,
    'checks': _checks,
    'wood': _wood,
    'planks': _planks,
    'tiles': _tiles,
    'bricks': _bricks,
    'spines': _spines,
    'facade': _facade,
    'view': _view,
}
COLOURFUL = frozenset({'spines'})
