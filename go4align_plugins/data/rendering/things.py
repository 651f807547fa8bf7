"""Materials of a home, and the small things that lie about in one."""

from __future__ import annotations

import numpy as np

from go4align_plugins.data.nyuv2 import NYUV2
from go4align_plugins.data.rendering.solids import Solid, ball, box, cylinder, shadeless
from go4align_plugins.data.rendering.textures import Draw, Material

LABEL = {name: number for number, name in enumerate(NYUV2.class_names)}
OBJECTS = LABEL['objects']


def wood(rng: Draw) -> Material:
    """Draw wood from dark to light, or white paint."""
    if rng.random() < 0.2:
        return rng.material('plain', (0, 0.17), (0, 0.06), (0.75, 0.95))
    return rng.material('wood', (0.04, 0.11), (0.4, 0.75), (0.25, 0.8), scale=(0.5, 1), gloss=0.05)


def cloth(rng: Draw) -> Material:
    """Draw plain, striped, checked or flowered fabric."""
    pattern = rng.pick('speckle', 'speckle', 'cloud', 'stripes', 'checks')
    scale = {'stripes': 0.2, 'checks': 0.25, 'cloud': 0.8}.get(pattern, 0.5)
    accent = rng.colour(value=(0.5, 0.95)) if pattern in ('cloud', 'stripes') else None
    return Material(pattern, rng.colour(), accent, scale * rng.uniform(0.6, 1.4), rng.seed())


def thing(rng: Draw, x: float, y: float, z: float, largest: float) -> list[Solid]:
    """Draw a cup, vase, ball, carton, plant or laptop that stands at (x, y, z)."""
    material = rng.material('plain', gloss=rng.choice([0.0, 0.0, 0.6]))
    w, h = largest * rng.uniform(0.35, 0.8, 2)
    kind = rng.pick('cup', 'vase', 'ball', 'carton', 'plant', 'laptop')
    if kind == 'cup':
        return [cylinder((x, y, z + h / 2), (w * 0.6, w * 0.6, h), OBJECTS, material)]
    if kind == 'ball':
        return [ball((x, y, z + w / 2), (w, w, w), OBJECTS, material)]
    if kind == 'carton':
        yaw = rng.uniform(-0.6, 0.6)
        return [box((x, y, z + h / 2), (w, w * 0.7, h), OBJECTS, material, yaw)]
    if kind == 'laptop':
        dark = Material('plain', (0.12, 0.12, 0.14), gloss=0.3)
        screen = Material('cloud', (0.3, 0.5, 0.8), (0.8, 0.85, 0.9), 0.4, rng.seed(), glow=0.6)
        return [
            box((x, y, z + 0.01), (0.32, 0.22, 0.02), OBJECTS, dark),
            box((x, y + 0.11, z + 0.12), (0.32, 0.02, 0.22), OBJECTS, dark),
            *shadeless(box((x, y + 0.098, z + 0.12), (0.29, 0.006, 0.19), OBJECTS, screen)),
        ]
    if kind == 'vase':
        return [
            ball((x, y, z + h * 0.4), (w * 0.7, w * 0.7, h * 0.8), OBJECTS, material),
            cylinder((x, y, z + h * 0.7), (w * 0.25, w * 0.25, h * 0.6), OBJECTS, material),
        ]
    green = rng.material('leaves', (0.22, 0.4), (0.5, 0.8), (0.3, 0.6), scale=0.2)
    return [
        cylinder((x, y, z + h * 0.3), (w * 0.6, w * 0.6, h * 0.6), OBJECTS, material),
        ball((x, y, z + h * 1.0), (w * 1.2, w * 1.2, h * 1.1), OBJECTS, green),
    ]


def pile(rng: Draw, x: float, y: float, z: float) -> list[Solid]:
    """Draw a pile of books."""
    solids = []
    for _ in range(rng.integers(2, 6)):
        w, d, h = rng.uniform(0.2, 0.3), rng.uniform(0.15, 0.22), rng.uniform(0.025, 0.05)
        yaw, cover = rng.uniform(-0.4, 0.4), rng.material('plain')
        solids.append(box((x, y, z + h / 2), (w, d, h), LABEL['books'], cover, yaw))
        z += h
    return solids


def lamp(rng: Draw, x: float, y: float, z: float, height: float) -> list[Solid]:
    """Draw a lamp whose shade glows."""
    foot = rng.material('plain', gloss=0.5)
    glass = Material('plain', (1.0, 0.93, 0.75), glow=rng.uniform(0.5, 1.0))
    w = 0.2 + 0.1 * height
    if height < 1:
        middle, size = (x, y, z + height * 0.5 + w * 0.8), (w * 1.3, w * 1.3, w)
        shade = box(middle, size, OBJECTS, glass, taper=(0.35, 0.35))
    else:
        shade = cylinder((x, y, z + height), (w, w, w), OBJECTS, glass)
    return [
        cylinder((x, y, z + 0.02), (w * 0.7, w * 0.7, 0.04), OBJECTS, foot),
        cylinder((x, y, z + height * 0.4), (0.035, 0.035, height * 0.8), OBJECTS, foot),
        *shadeless(shade),
    ]


def clutter(rng: Draw, width: float, depth: float, height: float, number: int) -> list[Solid]:
    """Draw up to ``number`` things side by side on a surface at ``height``."""
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
