"""Furniture: each builder draws one piece from a random generator.

A piece stands on the floor at the origin, its back towards y; it brings its own clutter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from go4align_plugins.data.rendering.solids import Solid, box
from go4align_plugins.data.rendering.textures import Material
from go4align_plugins.data.rendering.things import (
    LABEL,
    cloth,
    clutter,
    draw_seed,
    lamp,
    pick,
    plain,
    thing,
    tint,
    wood,
)


@dataclass(frozen=True)
class Piece:
    """Solids and the floor that they take.

    Attributes:
        size: (2,) width and depth in metres.
        solids: about the origin.
    """

    size: tuple[float, float]
    solids: list[Solid]


def legs(
    width: float, depth: float, height: float, thick: float, label: int, material: Material
) -> list[Solid]:
    """Four legs."""
    x, y = width / 2 - thick, depth / 2 - thick
    size = (thick, thick, height)
    return [
        box((i * x, j * y, height / 2), size, label, material) for i in (-1, 1) for j in (-1, 1)
    ]


def bed(rng: np.random.Generator) -> Piece:
    """A bed with a headboard, a blanket and pillows."""
    w, d, h = rng.uniform(1.0, 1.9), rng.uniform(1.95, 2.15), rng.uniform(0.4, 0.6)
    label, frame, sheet = LABEL['bed'], wood(rng), tint(rng, (0, 0.17), (0, 0.15), (0.75, 0.95))
    white = Material('speckle', sheet, scale=0.8, seed=draw_seed(rng))
    solids = [
        box((0, 0, 0.15), (w, d, 0.3), label, frame),
        box((0, 0, h / 2 + 0.12), (w - 0.06, d - 0.06, h - 0.24), label, white),
        box((0, -d * 0.16, h / 2 + 0.07), (w + 0.06, d * 0.7, h - 0.08), label, cloth(rng)),
        box((0, d / 2 - 0.03, 0.55), (w + 0.05, 0.07, rng.uniform(0.8, 1.1)), label, frame),
    ]
    case = cloth(rng) if rng.random() < 0.5 else white
    for x in (-w / 4, w / 4):
        centre = (x, d / 2 - 0.32, h + 0.05)
        size = (w * 0.42, 0.42, 0.22)
        solids.append(
            box(centre, size, LABEL['objects'], case, rng.uniform(-0.2, 0.2), 'ellipsoid')
        )
    return Piece((w, d), solids)


def sofa(rng: np.random.Generator, width: float | None = None, name: str = 'sofa') -> Piece:
    """A sofa, or an armchair if so named and narrow: the upholstery does not tell."""
    w = rng.uniform(1.5, 2.3) if width is None else width
    d, seat, label, cover = rng.uniform(0.8, 0.95), rng.uniform(0.38, 0.46), LABEL[name], cloth(rng)
    arm, back = rng.uniform(0.12, 0.22), rng.uniform(0.75, 0.95)
    solids = [
        box((0, 0, seat / 2 - 0.05), (w, d, seat - 0.1), label, cover),
        box((0, d / 2 - 0.12, back / 2), (w, 0.24, back), label, cover, taper=(0.02, 0.3)),
    ]
    for side in (-1, 1):
        centre = (side * (w - arm) / 2, 0, seat / 2 + 0.1)
        solids.append(box(centre, (arm, d, seat + 0.2), label, cover))
    number = max(1, round((w - 2 * arm) / 0.65))
    for x in ((np.arange(number) + 0.5) / number - 0.5) * (w - 2 * arm):
        solids.append(
            box((x, -0.12, seat), ((w - 2 * arm) / number - 0.02, d - 0.28, 0.14), label, cover)
        )
        if name == 'sofa' and rng.random() < 0.5:
            soft, yaw = (x, d / 2 - 0.3, seat + 0.24), rng.uniform(-0.4, 0.4)
            cushion = box(soft, (0.42, 0.2, 0.4), LABEL['objects'], cloth(rng), yaw, 'ellipsoid')
            solids.append(cushion)
    return Piece((w, d), solids)


def armchair(rng: np.random.Generator) -> Piece:
    """An upholstered chair."""
    return sofa(rng, rng.uniform(0.75, 0.95), 'chair')


def chair(rng: np.random.Generator) -> Piece:
    """A chair with four legs and a back."""
    w, seat, label = rng.uniform(0.4, 0.5), rng.uniform(0.42, 0.48), LABEL['chair']
    frame = wood(rng) if rng.random() < 0.6 else plain(rng)
    back = rng.uniform(0.85, 1.05)
    solids = legs(w, w, seat, 0.04, label, frame)
    cover = cloth(rng) if rng.random() < 0.5 else frame
    solids.append(box((0, 0, seat), (w, w, 0.06), label, cover))
    if rng.random() < 0.5:
        centre = (0, w / 2 - 0.02, (seat + back) / 2 + 0.05)
        solids.append(box(centre, (w, 0.05, back - seat - 0.1), label, cover))
    for x in (-w / 2 + 0.02, w / 2 - 0.02):
        solids.append(
            box((x, w / 2 - 0.02, (seat + back) / 2), (0.04, 0.04, back - seat), label, frame)
        )
    for z in (back - 0.05, (seat + back) / 2):
        solids.append(box((0, w / 2 - 0.02, z), (w - 0.04, 0.025, 0.09), label, frame))
    return Piece((w + 0.1, w + 0.1), solids)


def table(rng: np.random.Generator, width: float | None = None, height: float = 0.74) -> Piece:
    """A table, round or not, with things on it."""
    label, top = LABEL['table'], wood(rng)
    w = rng.uniform(0.9, 1.8) if width is None else width
    d = rng.uniform(0.55, 0.9)
    if rng.random() < 0.3:
        w = d = rng.uniform(0.9, 1.2)
        solids = [
            box((0, 0, height), (w, w, 0.05), label, top, 0, 'cylinder'),
            box((0, 0, height / 2), (0.1, 0.1, height), label, top, 0, 'cylinder'),
            box((0, 0, 0.03), (w / 2, w / 2, 0.05), label, top, 0, 'cylinder'),
        ]
    else:
        solids = legs(w, d, height, 0.07, label, top)
        solids.append(box((0, 0, height), (w, d, 0.05), label, top))
    solids += clutter(rng, w * 0.8, d * 0.7, height + 0.025, int(rng.integers(1, 5)))
    return Piece((w, d), solids)


def coffee_table(rng: np.random.Generator) -> Piece:
    """A low table."""
    return table(rng, rng.uniform(0.8, 1.2), rng.uniform(0.36, 0.46))


def cupboard(
    rng: np.random.Generator,
    width: float,
    depth: float,
    height: float,
    columns: int,
    rows: int,
    number: int = 0,
) -> Piece:
    """A chest with ``columns`` x ``rows`` doors or drawers and up to ``number`` things on top."""
    label, body = LABEL['furniture'], wood(rng)
    knob = Material('plain', tint(rng, (0.1, 0.15), (0, 0.5), (0.2, 0.9)), gloss=0.5)
    solids = [box((0, 0, height / 2), (width, depth, height), label, body)]
    for i in range(columns):
        for j in range(rows):
            x = ((i + 0.5) / columns - 0.5) * width
            z = 0.05 + (j + 0.5) / rows * (height - 0.08)
            size = (width / columns - 0.03, 0.03, (height - 0.08) / rows - 0.03)
            solids.append(box((x, -depth / 2, z), size, label, body, casts_shadow=False))
            if size[2] > 0.6:
                x += (0.4 if i % 2 == 0 else -0.4) * width / columns
            solids.append(
                box((x, -depth / 2 - 0.03, z), (0.05, 0.04, 0.05), label, knob, casts_shadow=False)
            )
    solids += clutter(rng, width * 0.85, depth * 0.6, height, number) if number else []
    return Piece((width, depth), solids)


def wardrobe(rng: np.random.Generator) -> Piece:
    """A tall cupboard."""
    return cupboard(rng, rng.uniform(0.9, 1.6), 0.6, rng.uniform(1.8, 2.2), 2, 1)


def dresser(rng: np.random.Generator) -> Piece:
    """A chest of drawers with things on it."""
    return cupboard(rng, rng.uniform(0.8, 1.3), 0.48, rng.uniform(0.75, 1.1), 2, 3, 3)


def nightstand(rng: np.random.Generator) -> Piece:
    """A small chest with a lamp."""
    piece = cupboard(rng, 0.45, 0.4, 0.5, 1, 2)
    return Piece(piece.size, piece.solids + lamp(rng, 0, 0, 0.5, rng.uniform(0.4, 0.55)))


def kitchen(rng: np.random.Generator) -> Piece:
    """A counter with things on it, and cabinets above."""
    w = rng.uniform(1.6, 2.6)
    low = cupboard(rng, w, 0.6, 0.88, 4, 1, 4)
    label, top = LABEL['furniture'], Material('speckle', tint(rng, saturation=(0, 0.3)), scale=0.2)
    high = cupboard(rng, w, 0.35, 0.7, 4, 1)
    solids = [*low.solids, box((0, 0, 0.89), (w, 0.64, 0.04), label, top)]
    solids += [solid.moved((0, 0.12, 1.45), 0.0) for solid in high.solids]
    return Piece((w, 0.64), solids)


def bookshelf(rng: np.random.Generator) -> Piece:
    """Shelves with books and things."""
    w, d, h = rng.uniform(0.8, 1.5), 0.32, rng.uniform(1.2, 2.1)
    label, board = LABEL['furniture'], wood(rng)
    levels = int(h / 0.38)
    step = (h - 0.05) / levels
    solids = [
        box((side * (w - 0.03) / 2, 0, h / 2), (0.03, d, h), label, board) for side in (-1, 1)
    ]
    solids.append(box((0, d / 2 - 0.01, h / 2), (w - 0.06, 0.02, h), label, board))
    for level in range(levels + 1):
        z = 0.04 + level * step
        solids.append(box((0, 0, z), (w - 0.06, d, 0.03), label, board))
        if level == levels:
            break
        filled = rng.uniform(0.3, 1.0) * (w - 0.1)
        tall = rng.uniform(0.6, 0.85) * step
        side = rng.choice([-1, 1])
        spines = Material('spines', (0.1, 0.1, 0.1), (0.9, 0.9, 0.9), 0.045, draw_seed(rng))
        centre = (side * (w - 0.1 - filled) / 2, 0.02, z + 0.015 + tall / 2)
        solids.append(box(centre, (filled, 0.2, tall), LABEL['books'], spines, casts_shadow=False))
        rest = w - 0.1 - filled
        if rest > 0.2 and rng.random() < 0.7:
            x = -side * (w - 0.1 - rest) / 2
            solids += thing(rng, x, 0, z + 0.015, min(0.8 * step, rest))
    solids += clutter(rng, w * 0.8, d * 0.5, h, 2)
    return Piece((w, d), solids)


def television(rng: np.random.Generator) -> Piece:
    """A television on a low cupboard."""
    stand = cupboard(rng, rng.uniform(1.2, 1.8), 0.45, rng.uniform(0.45, 0.6), 3, 1)
    w, z, label = rng.uniform(0.9, 1.3), stand.solids[0].half[2] * 2, LABEL['tv']
    case = Material('plain', (0.05, 0.05, 0.06), gloss=0.3)
    screen = Material('plain', (0.07, 0.08, 0.1), gloss=0.9)
    if rng.random() < 0.35:
        colours = tint(rng), tint(rng, value=(0.7, 1))
        screen = Material('cloud', *colours, 0.9, draw_seed(rng), gloss=0.5, glow=0.7)
    h = w * 0.58
    solids = [
        box((0, 0.05, z + 0.02), (w * 0.4, 0.2, 0.04), label, case),
        box((0, 0.08, z + 0.05), (0.1, 0.06, 0.1), label, case),
        box((0, 0.05, z + 0.08 + h / 2), (w, 0.06, h), label, case),
        box(
            (0, 0.018, z + 0.08 + h / 2),
            (w - 0.06, 0.01, h - 0.06),
            label,
            screen,
            casts_shadow=False,
        ),
    ]
    return Piece(stand.size, stand.solids + solids)


def floor_things(rng: np.random.Generator) -> Piece:
    """Boxes, a bag, a plant or a lamp on the floor."""
    kind = pick(rng, 'box', 'bag', 'thing', 'lamp', 'plant')
    label = LABEL['objects']
    if kind == 'box':
        w, d, h = rng.uniform(0.25, 0.5, 3)
        card = Material('speckle', tint(rng, (0.06, 0.11), (0.3, 0.6), (0.4, 0.8)), scale=0.6)
        return Piece((w, d), [box((0, 0, h / 2), (w, d, h), label, card, rng.uniform(-0.3, 0.3))])
    if kind == 'bag':
        w, h = rng.uniform(0.3, 0.5, 2)
        return Piece(
            (w, w), [box((0, 0, h * 0.42), (w, w * 0.7, h), label, cloth(rng), 0, 'ellipsoid')]
        )
    if kind == 'lamp':
        return Piece((0.4, 0.4), lamp(rng, 0, 0, 0, rng.uniform(1.4, 1.7)))
    return Piece((0.5, 0.5), thing(rng, 0, 0, 0, 0.9 if kind == 'plant' else 0.5))
