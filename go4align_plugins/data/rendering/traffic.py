"""Things that stand or move in a street, drawn at the origin; ahead is y."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from go4align_plugins.data.cityscapes import CITYSCAPES
from go4align_plugins.data.rendering.solids import Solid, ball, box, cylinder, shadeless
from go4align_plugins.data.rendering.textures import Draw, Material

LABEL = {name: number for number, name in enumerate(CITYSCAPES.class_names)}
RUBBER = Material('plain', (0.06, 0.06, 0.07))
GLASS = Material('plain', (0.1, 0.13, 0.17), gloss=0.6)
STEEL = Material('plain', (0.42, 0.44, 0.45), gloss=0.1)
PLATE = Material('plain', (0.9, 0.9, 0.88))
WHITE = Material('plain', (0.95, 0.95, 0.95), glow=0.25)
LENSES = (  # behind, ahead
    Material('plain', (0.75, 0.08, 0.08), glow=0.5),
    Material('plain', (0.95, 0.95, 0.9), glow=0.4),
)
SIGNS = (0.8, 0.12, 0.12), (0.1, 0.25, 0.75), (0.95, 0.75, 0.1)
LIGHTS = (0.2, 0.9, 0.4), (1.0, 0.75, 0.1), (1.0, 0.15, 0.1)  # from below


def tree(rng: Draw) -> list[Solid]:
    """Draw a trunk with a crown of a few balls of leaves."""
    label, (h, r) = LABEL['nature'], rng.uniforms((2.2, 3.8), (1.3, 2.4))
    bark = Material('speckle', (0.3, 0.24, 0.18), scale=0.8)
    leaves = rng.material('leaves', (0.17, 0.36), (0.35, 0.65), (0.3, 0.6), scale=1.3)
    solids = [cylinder((0, 0, h / 2), (0.28, 0.28, h), label, bark)]
    for _ in range(4):
        x, y, z = rng.uniform(-0.6, 0.6, 3) * r
        size = 2 * r * rng.uniform(0.5, 0.9, 3)
        solids.append(ball((x, y, h + 0.6 * r + z), size, label, leaves))
    return solids


def pole(rng: Draw, side: int) -> list[Solid]:
    """Draw a lamp post, a traffic sign, or traffic lights, on the right (side 1) or left (-1)."""
    label, kind = LABEL['object'], rng.pick('lamp', 'sign', 'sign', 'lights')
    h = {'lamp': rng.uniform(6, 8), 'sign': rng.uniform(2.4, 3.2), 'lights': 3.2}[kind]
    solids = [cylinder((0, 0, h / 2), (0.16, 0.16, h), label, STEEL)]
    if kind == 'lamp':
        solids.append(box((-side * 0.8, 0, h), (1.7, 0.12, 0.1), label, STEEL))
        solids.append(box((-side * 1.5, 0, h - 0.08), (0.7, 0.28, 0.12), label, STEEL))
    elif kind == 'sign':
        rim = Material('plain', rng.pick(*SIGNS), glow=0.25)
        shape, size = rng.pick('ellipsoid', 'box'), np.array([0.75, 0.06, 0.75])
        solids.append(box((0, -0.08, h - 0.3), size, label, rim, shape=shape))
        inner = size * [0.6, 1, 0.6]
        solids += shadeless(box((0, -0.1, h - 0.3), inner, label, WHITE, shape=shape))
    else:
        solids.append(box((0, -0.1, h - 0.4), (0.36, 0.3, 1.0), label, RUBBER))
        lit = rng.integers(3)
        for i, shine in enumerate(LIGHTS):
            lens = Material('plain', shine if i == lit else (0.15,) * 3, glow=float(i == lit))
            centre = (0, -0.26, h - 0.7 + 0.3 * i)
            solids += shadeless(ball(centre, (0.22, 0.06, 0.22), label, lens))
    return solids


def person(rng: Draw) -> list[Solid]:
    """Draw somebody who walks."""
    label, tall = LABEL['human'], rng.uniform(0.88, 1.06)
    coat = rng.material('plain', None, (0.1, 0.7), (0.15, 0.8))
    trousers = Material('plain', rng.colour((0.5, 0.7), (0.1, 0.5), (0.1, 0.4)))
    skin = Material('plain', rng.colour((0.04, 0.08), (0.3, 0.6), (0.4, 0.9)))
    hair = Material('plain', rng.colour((0.05, 0.1), (0.2, 0.6), (0.1, 0.5)))
    stride = rng.uniform(0.05, 0.25)
    solids = [
        cylinder((-0.1, stride, 0.42), (0.17, 0.2, 0.86), label, trousers),
        cylinder((0.1, -stride, 0.42), (0.17, 0.2, 0.86), label, trousers),
        ball((0, 0, 1.12), (0.46, 0.28, 0.75), label, coat),
        *shadeless(
            box((0, 0, 1.15), (0.42, 0.24, 0.5), label, coat, taper=(-0.1, 0)),
            ball((-0.27, -stride / 2, 1.08), (0.13, 0.16, 0.62), label, coat),
            ball((0.27, stride / 2, 1.08), (0.13, 0.16, 0.62), label, coat),
            ball((0, 0, 1.6), (0.2, 0.23, 0.27), label, skin),
        ),
        ball((0, -0.025, 1.66), (0.21, 0.22, 0.2), label, hair),
    ]
    return [replace(solid, centre=solid.centre * tall, half=solid.half * tall) for solid in solids]


def vehicle(rng: Draw, kind: float = 0.0) -> list[Solid]:
    """Draw a car (``kind`` below 0.75), a van or a bus (from 0.93) that heads for y."""
    label, hue = LABEL['vehicle'], (0.5, 0.65)
    if rng.random() < 0.55:  # white, grey or black; else blue, red, green or beige
        colour = rng.colour(hue, (0.0, 0.08), (0.08, 0.95))
    else:
        shade = rng.pick(0.58, 0.36, -0.01, 0.1)
        colour = rng.colour((shade, shade + 0.03), (0.4, 0.85), (0.2, 0.75))
    if kind < 0.75:
        paint = Material('plain', colour, gloss=0.25)
        w, d, h = rng.uniforms((1.7, 1.85), (3.9, 4.7), (1.42, 1.62))
        cabin, rear = (d * share for share in rng.uniforms((0.52, 0.66), (0.05, 0.12)))
        radius, front, height = 0.33, w, 0.68
        middle, size = (0, -rear, 0.85 + (h - 0.9) / 2), (w * 0.95, cabin, h - 0.9)
        solids = [
            box((0, 0, 0.55), (w, d, 0.6), label, paint, taper=(0.08, 0.05)),
            *shadeless(box((0, 0, 0.34), (w * 0.98, d * 1.01, 0.22), label, RUBBER)),
            box(middle, size, label, GLASS, taper=(0.22, 0.4)),
            *shadeless(box((0, -rear, h - 0.04), (w * 0.76, cabin * 0.64, 0.07), label, paint)),
            *shadeless(box((0, 0, 0.55), (0.5, d + 0.02, 0.12), label, PLATE)),
        ]
    else:
        paint = Material('plain', colour, gloss=0.2)
        w, d, h = (2.0, 5.2, 2.1) if kind < 0.93 else (2.5, 10.5, 3.0)
        radius, front, height = 0.36, w * 0.95, 0.75
        side, ends = (w + 0.01, d * 0.92, h * 0.32), (w * 0.84, d + 0.02, h * 0.38)
        solids = [
            box((0, 0, 0.35 + h / 2), (w, d, h), label, paint, taper=(0.12, 0.05)),
            box((0, 0, 0.35 + h * 0.68), side, label, GLASS, taper=(0.04, 0)),
            box((0, 0, 0.35 + h * 0.66), ends, label, GLASS, taper=(0.05, 0.01)),
        ]
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    x, y, size = w / 2 - 0.08, d * 0.31, (0.24, 2 * radius, 2 * radius)
    wheels = [ball((i * x, j * y, radius), size, label, RUBBER) for i, j in corners]
    x, y, size = front / 2 - 0.2, d / 2 - 0.05, (0.32, 0.12, 0.15)
    lights = [box((i * x, j * y, height), size, label, LENSES[j > 0]) for i, j in corners]
    return solids + shadeless(*wheels, *lights)
