"""What stands or moves in a street, drawn from a random generator: at the origin, ahead is y."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from go4align_plugins.data.rendering.solids import Solid, box
from go4align_plugins.data.rendering.textures import Material
from go4align_plugins.data.rendering.things import Colour, draw_seed, pick, tint
from go4align_plugins.data.table import CITYSCAPES_CLASSES

LABEL = {name: number for number, name in enumerate(CITYSCAPES_CLASSES)}
RUBBER = Material('plain', (0.06, 0.06, 0.07))
GLASS = Material('plain', (0.1, 0.13, 0.17), gloss=0.6)
STEEL = Material('plain', (0.42, 0.44, 0.45), gloss=0.1)


def tree(rng: np.random.Generator) -> list[Solid]:
    """A trunk with a crown of a few balls of leaves."""
    label, h, r = LABEL['nature'], rng.uniform(2.2, 3.8), rng.uniform(1.3, 2.4)
    bark = Material('speckle', (0.3, 0.24, 0.18), scale=0.8)
    green = tint(rng, (0.17, 0.36), (0.35, 0.65), (0.3, 0.6))
    leaves = Material('leaves', green, scale=1.3, seed=draw_seed(rng))
    solids = [box((0, 0, h / 2), (0.28, 0.28, h), label, bark, 0, 'cylinder')]
    for _ in range(4):
        x, y, z = rng.uniform(-0.6, 0.6, 3) * r
        size = 2 * r * rng.uniform(0.5, 0.9, 3)
        solids.append(box((x, y, h + 0.6 * r + z), size, label, leaves, 0, 'ellipsoid'))
    return solids


def pole(rng: np.random.Generator, side: int) -> list[Solid]:
    """A lamp post, a traffic sign, or traffic lights, on the right (side 1) or left (-1)."""
    label, kind = LABEL['object'], pick(rng, 'lamp', 'sign', 'sign', 'lights')
    h = {'lamp': rng.uniform(6, 8), 'sign': rng.uniform(2.4, 3.2), 'lights': 3.2}[kind]
    solids = [box((0, 0, h / 2), (0.16, 0.16, h), label, STEEL, 0, 'cylinder')]
    if kind == 'lamp':
        solids.append(box((-side * 0.8, 0, h), (1.7, 0.12, 0.1), label, STEEL))
        solids.append(box((-side * 1.5, 0, h - 0.08), (0.7, 0.28, 0.12), label, STEEL))
    elif kind == 'sign':
        hue = pick(rng, 'red', 'blue', 'yellow')
        colour = {'red': (0.8, 0.12, 0.12), 'blue': (0.1, 0.25, 0.75), 'yellow': (0.95, 0.75, 0.1)}
        outer = Material('plain', colour[hue], glow=0.25)
        inner = Material('plain', (0.95, 0.95, 0.95), glow=0.25)
        shape = pick(rng, 'ellipsoid', 'box')
        size = np.array([0.75, 0.06, 0.75])
        solids.append(box((0, -0.08, h - 0.3), size, label, outer, 0, shape))
        solids.append(
            box(
                (0, -0.1, h - 0.3), size * [0.6, 1, 0.6], label, inner, 0, shape, casts_shadow=False
            )
        )
    else:
        solids.append(box((0, -0.1, h - 0.4), (0.36, 0.3, 1.0), label, RUBBER))
        lit = int(rng.integers(3))
        for i, shine in enumerate([(0.2, 0.9, 0.4), (1.0, 0.75, 0.1), (1.0, 0.15, 0.1)]):
            lens = Material(
                'plain', shine if i == lit else (0.15, 0.15, 0.15), glow=float(i == lit)
            )
            centre = (0, -0.26, h - 0.7 + 0.3 * i)
            solids.append(
                box(centre, (0.22, 0.06, 0.22), label, lens, 0, 'ellipsoid', casts_shadow=False)
            )
    return solids


def person(rng: np.random.Generator) -> list[Solid]:
    """Somebody who walks."""
    label, tall = LABEL['human'], rng.uniform(0.88, 1.06)
    coat = Material(
        'plain', tint(rng, saturation=(0.1, 0.7), value=(0.15, 0.8)), seed=draw_seed(rng)
    )
    trousers = Material('plain', tint(rng, (0.5, 0.7), (0.1, 0.5), (0.1, 0.4)))
    skin = Material('plain', tint(rng, (0.04, 0.08), (0.3, 0.6), (0.4, 0.9)))
    hair = Material('plain', tint(rng, (0.05, 0.1), (0.2, 0.6), (0.1, 0.5)))
    stride = rng.uniform(0.05, 0.25)
    solids = [
        box((-0.1, stride, 0.42), (0.17, 0.2, 0.86), label, trousers, 0, 'cylinder'),
        box((0.1, -stride, 0.42), (0.17, 0.2, 0.86), label, trousers, 0, 'cylinder'),
        box((0, 0, 1.12), (0.46, 0.28, 0.75), label, coat, 0, 'ellipsoid'),
        box((0, 0, 1.15), (0.42, 0.24, 0.5), label, coat, taper=(-0.1, 0), casts_shadow=False),
        box(
            (-0.27, -stride / 2, 1.08),
            (0.13, 0.16, 0.62),
            label,
            coat,
            0,
            'ellipsoid',
            casts_shadow=False,
        ),
        box(
            (0.27, stride / 2, 1.08),
            (0.13, 0.16, 0.62),
            label,
            coat,
            0,
            'ellipsoid',
            casts_shadow=False,
        ),
        box((0, 0, 1.6), (0.2, 0.23, 0.27), label, skin, 0, 'ellipsoid', casts_shadow=False),
        box((0, -0.025, 1.66), (0.21, 0.22, 0.2), label, hair, 0, 'ellipsoid'),
    ]
    return [replace(solid, centre=solid.centre * tall, half=solid.half * tall) for solid in solids]


def vehicle(rng: np.random.Generator) -> list[Solid]:
    """A car, a van or a bus that heads for y."""
    kind = rng.random()
    if kind < 0.75:
        return car(rng)
    label = LABEL['vehicle']
    paint = Material('plain', _car_colour(rng), gloss=0.2)
    w, d, h = (2.0, 5.2, 2.1) if kind < 0.93 else (2.5, 10.5, 3.0)
    solids = [
        box((0, 0, 0.35 + h / 2), (w, d, h), label, paint, taper=(0.12, 0.05)),
        box((0, 0, 0.35 + h * 0.68), (w + 0.01, d * 0.92, h * 0.32), label, GLASS, taper=(0.04, 0)),
        box(
            (0, 0, 0.35 + h * 0.66),
            (w * 0.84, d + 0.02, h * 0.38),
            label,
            GLASS,
            taper=(0.05, 0.01),
        ),
    ]
    return solids + _wheels(w, d, 0.36) + _lights(w * 0.95, d, 0.75)


def _car_colour(rng: np.random.Generator) -> Colour:
    """White, grey or black; else blue, red, green or beige."""
    if rng.random() < 0.55:
        return tint(rng, (0.5, 0.65), (0.0, 0.08), (0.08, 0.95))
    hue = (0.58, 0.36, -0.01, 0.1)[rng.integers(4)]
    return tint(rng, (hue, hue + 0.03), (0.4, 0.85), (0.2, 0.75))


def car(rng: np.random.Generator) -> list[Solid]:
    """A car: body, cabin, wheels, lights, plates."""
    label = LABEL['vehicle']
    colour = _car_colour(rng)
    paint = Material('plain', colour, gloss=0.25)
    w, d, h = rng.uniform(1.7, 1.85), rng.uniform(3.9, 4.7), rng.uniform(1.42, 1.62)
    cabin, rear = d * rng.uniform(0.52, 0.66), d * rng.uniform(0.05, 0.12)
    solids = [
        box((0, 0, 0.55), (w, d, 0.6), label, paint, taper=(0.08, 0.05)),
        box((0, 0, 0.34), (w * 0.98, d * 1.01, 0.22), label, RUBBER, casts_shadow=False),
        box(
            (0, -rear, 0.85 + (h - 0.9) / 2),
            (w * 0.95, cabin, h - 0.9),
            label,
            GLASS,
            taper=(0.22, 0.4),
        ),
        box((0, -rear, h - 0.04), (w * 0.76, cabin * 0.64, 0.07), label, paint, casts_shadow=False),
    ]
    plate = Material('plain', (0.9, 0.9, 0.88))
    solids.append(box((0, 0, 0.55), (0.5, d + 0.02, 0.12), label, plate, casts_shadow=False))
    return solids + _wheels(w, d, 0.33) + _lights(w, d, 0.68)


def _wheels(width: float, length: float, radius: float) -> list[Solid]:
    size = (0.24, 2 * radius, 2 * radius)
    return [
        box(
            (i * (width / 2 - 0.08), j * length * 0.31, radius),
            size,
            LABEL['vehicle'],
            RUBBER,
            0,
            'ellipsoid',
            casts_shadow=False,
        )
        for i in (-1, 1)
        for j in (-1, 1)
    ]


def _lights(width: float, length: float, height: float) -> list[Solid]:
    """Red ones behind, white ones ahead."""
    red = Material('plain', (0.75, 0.08, 0.08), glow=0.5)
    white = Material('plain', (0.95, 0.95, 0.9), glow=0.4)
    solids = []
    for i in (-1, 1):
        for j, glass in ((-1, red), (1, white)):
            centre = (i * (width / 2 - 0.2), j * (length / 2 - 0.05), height)
            size = (0.32, 0.12, 0.15)
            solids.append(box(centre, size, LABEL['vehicle'], glass, casts_shadow=False))
    return solids
