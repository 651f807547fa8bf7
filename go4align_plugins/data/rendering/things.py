"""Materials of a home, and the small things that lie about in one, drawn from a generator."""

from __future__ import annotations

import colorsys

import numpy as np

from go4align_plugins.data.rendering.solids import Solid, box
from go4align_plugins.data.rendering.textures import Material
from go4align_plugins.data.table import NYUV2_CLASSES

LABEL = {name: number for number, name in enumerate(NYUV2_CLASSES)}
Colour = tuple[float, float, float]


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for a material."""
    return int(rng.integers(1 << 30))


def pick(rng: np.random.Generator, *choices: str) -> str:
    """One of the choices."""
    return choices[rng.integers(len(choices))]


def tint(
    rng: np.random.Generator,
    hue: tuple[float, float] | None = None,
    saturation: tuple[float, float] = (0.1, 0.6),
    value: tuple[float, float] = (0.25, 0.85),
) -> Colour:
    """A random colour from ranges of hue (None: a homely one), saturation and value."""
    homely = ((-0.03, 0.13), (-0.03, 0.13), (0.54, 0.66), (0.0, 1.0))
    hue = homely[rng.integers(len(homely))] if hue is None else hue
    h, s, v = (rng.uniform(*limits) for limits in (hue, saturation, value))
    return colorsys.hsv_to_rgb(h % 1, s, v)


def wood(rng: np.random.Generator) -> Material:
    """Wood from dark to light, or white paint."""
    if rng.random() < 0.2:
        return Material('plain', tint(rng, (0, 0.17), (0, 0.06), (0.75, 0.95)), seed=draw_seed(rng))
    colour = tint(rng, (0.04, 0.11), (0.4, 0.75), (0.25, 0.8))
    return Material('wood', colour, scale=rng.uniform(0.5, 1.0), seed=draw_seed(rng), gloss=0.05)


def cloth(rng: np.random.Generator) -> Material:
    """Plain, striped, checked or flowered fabric."""
    pattern = pick(rng, 'speckle', 'speckle', 'cloud', 'stripes', 'checks')
    scale = {'stripes': 0.2, 'checks': 0.25, 'cloud': 0.8}.get(pattern, 0.5)
    accent = tint(rng, value=(0.5, 0.95)) if pattern in ('cloud', 'stripes') else None
    colour = tint(rng)
    return Material(pattern, colour, accent, scale * rng.uniform(0.6, 1.4), draw_seed(rng))


def plain(rng: np.random.Generator, gloss: float = 0.0) -> Material:
    """One lively colour."""
    return Material('plain', tint(rng), seed=draw_seed(rng), gloss=gloss)


def thing(rng: np.random.Generator, x: float, y: float, z: float, largest: float) -> list[Solid]:
    """A small object that stands at (x, y, z): a cup, vase, ball, carton, plant or laptop."""
    label, material = LABEL['objects'], plain(rng, rng.choice([0.0, 0.0, 0.6]))
    w, h = largest * rng.uniform(0.35, 0.8, 2)
    kind = pick(rng, 'cup', 'vase', 'ball', 'carton', 'plant', 'laptop')
    if kind == 'cup':
        return [box((x, y, z + h / 2), (w * 0.6, w * 0.6, h), label, material, shape='cylinder')]
    if kind == 'ball':
        return [box((x, y, z + w / 2), (w, w, w), label, material, shape='ellipsoid')]
    if kind == 'carton':
        yaw = rng.uniform(-0.6, 0.6)
        return [box((x, y, z + h / 2), (w, w * 0.7, h), label, material, yaw)]
    if kind == 'laptop':
        dark = Material('plain', (0.12, 0.12, 0.14), gloss=0.3)
        screen = Material('cloud', (0.3, 0.5, 0.8), (0.8, 0.85, 0.9), 0.4, draw_seed(rng), glow=0.6)
        return [
            box((x, y, z + 0.01), (0.32, 0.22, 0.02), label, dark),
            box((x, y + 0.11, z + 0.12), (0.32, 0.02, 0.22), label, dark),
            box((x, y + 0.098, z + 0.12), (0.29, 0.006, 0.19), label, screen, casts_shadow=False),
        ]
    body = box((x, y, z + h * 0.4), (w * 0.7, w * 0.7, h * 0.8), label, material, shape='ellipsoid')
    neck = box((x, y, z + h * 0.7), (w * 0.25, w * 0.25, h * 0.6), label, material, 0, 'cylinder')
    if kind == 'vase':
        return [body, neck]
    green = Material(
        'leaves', tint(rng, (0.22, 0.4), (0.5, 0.8), (0.3, 0.6)), scale=0.2, seed=draw_seed(rng)
    )
    pot = box((x, y, z + h * 0.3), (w * 0.6, w * 0.6, h * 0.6), label, material, 0, 'cylinder')
    crown = box((x, y, z + h * 1.0), (w * 1.2, w * 1.2, h * 1.1), label, green, 0, 'ellipsoid')
    return [pot, crown]


def pile(rng: np.random.Generator, x: float, y: float, z: float) -> list[Solid]:
    """A pile of books."""
    solids = []
    for _ in range(rng.integers(2, 6)):
        size = (rng.uniform(0.2, 0.3), rng.uniform(0.15, 0.22), rng.uniform(0.025, 0.05))
        yaw = rng.uniform(-0.4, 0.4)
        solids.append(box((x, y, z + size[2] / 2), size, LABEL['books'], plain(rng), yaw))
        z += size[2]
    return solids


def lamp(rng: np.random.Generator, x: float, y: float, z: float, height: float) -> list[Solid]:
    """A lamp whose shade glows."""
    label, foot = LABEL['objects'], plain(rng, 0.5)
    shade = Material('plain', (1.0, 0.93, 0.75), glow=rng.uniform(0.5, 1.0))
    w = 0.2 + 0.1 * height
    return [
        box((x, y, z + 0.02), (w * 0.7, w * 0.7, 0.04), label, foot, 0, 'cylinder'),
        box((x, y, z + height * 0.4), (0.035, 0.035, height * 0.8), label, foot, 0, 'cylinder'),
        box(
            (x, y, z + height * 0.5 + w * 0.8),
            (w * 1.3, w * 1.3, w),
            label,
            shade,
            taper=(0.35, 0.35),
            casts_shadow=False,
        )
        if height < 1
        else box((x, y, z + height), (w, w, w), label, shade, 0, 'cylinder', casts_shadow=False),
    ]


def clutter(
    rng: np.random.Generator, width: float, depth: float, height: float, number: int
) -> list[Solid]:
    """Up to ``number`` things side by side on a surface at ``height``."""
    solids: list[Solid] = []
    for x in (np.arange(number) + 0.5) / number * width - width / 2:
        y = rng.uniform(-0.3, 0.3) * depth
        kind = rng.random()
        if kind < 0.3:
            solids += pile(rng, x, y, height)
        elif kind < 0.42:
            solids += lamp(rng, x, y, height, rng.uniform(0.4, 0.6))
        elif kind < 0.9:
            solids += thing(rng, x, y, height, min(0.4, depth, width / number))
    return solids
