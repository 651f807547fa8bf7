"""Furniture, and the small things on it, drawn from a random generator.

A piece stands on the floor at the origin, its back towards y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from go4align_plugins.data.nyuv2 import NYUV2
from go4align_plugins.data.rendering.solids import Solid, ball, box, cylinder, decal, moved
from go4align_plugins.data.rendering.textures import Draw, Material, Range

Piece = tuple[tuple[float, float], list[Solid]]  # the floor that it takes in metres, and its solids
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


def thing(rng: Draw, largest: float) -> list[Solid]:
    """Draw a cup, vase, ball, carton, plant or laptop."""
    look = rng.material('plain', gloss=rng.choice([0.0, 0.0, 0.6]))
    w, h = largest * rng.uniform(0.35, 0.8, 2)
    kind = rng.pick('cup', 'vase', 'ball', 'carton', 'plant', 'laptop')
    if kind == 'laptop':
        dark = Material('plain', (0.12, 0.12, 0.14), gloss=0.3)
        screen = Material('cloud', (0.3, 0.5, 0.8), (0.8, 0.85, 0.9), 0.4, rng.seed(), glow=0.6)
        return [
            box((0, 0, 0.01), (0.32, 0.22, 0.02), OBJECTS, dark),
            box((0, 0.11, 0.12), (0.32, 0.02, 0.22), OBJECTS, dark),
            decal((0, 0.098, 0.12), (0.29, 0.006, 0.19), OBJECTS, screen),
        ]
    if kind == 'carton':
        return [box((0, 0, h / 2), (w, w * 0.7, h), OBJECTS, look, rng.uniform(-0.6, 0.6))]
    if kind == 'cup':
        return [cylinder((0, 0, h / 2), (w * 0.6, w * 0.6, h), OBJECTS, look)]
    if kind == 'ball':
        return [ball((0, 0, w / 2), (w, w, w), OBJECTS, look)]
    if kind == 'vase':
        body = ball((0, 0, h * 0.4), (w * 0.7, w * 0.7, h * 0.8), OBJECTS, look)
        return [body, cylinder((0, 0, h * 0.7), (w * 0.25, w * 0.25, h * 0.6), OBJECTS, look)]
    leaves = rng.material('leaves', (0.22, 0.4), (0.5, 0.8), (0.3, 0.6), scale=0.2)
    pot = cylinder((0, 0, h * 0.3), (w * 0.6, w * 0.6, h * 0.6), OBJECTS, look)
    return [pot, ball((0, 0, h), (w * 1.2, w * 1.2, h * 1.1), OBJECTS, leaves)]


def lamp(rng: Draw, height: float) -> list[Solid]:
    """Draw a lamp whose shade glows; a tall one's is round."""
    foot = rng.material('plain', gloss=0.5)
    glass = Material('plain', (1.0, 0.93, 0.75), glow=rng.uniform(0.5, 1.0))
    w = 0.2 + 0.1 * height
    middle, size = (0, 0, height * 0.5 + w * 0.8), (w * 1.3, w * 1.3, w)
    shade = decal(middle, size, OBJECTS, glass, taper=(0.35, 0.35))
    if height >= 1:
        shade = decal((0, 0, height), (w, w, w), OBJECTS, glass, shape='cylinder')
    return [
        cylinder((0, 0, 0.02), (w * 0.7, w * 0.7, 0.04), OBJECTS, foot),
        cylinder((0, 0, height * 0.4), (0.035, 0.035, height * 0.8), OBJECTS, foot),
        shade,
    ]


def clutter(rng: Draw, width: float, depth: float, height: float, number: int) -> list[Solid]:
    """Draw up to ``number`` things, lamps and piles of books side by side at ``height``."""
    solids: list[Solid] = []
    for x in (np.arange(number) + 0.5) / number * width - width / 2:
        y, z, kind = rng.uniform(-0.3, 0.3) * depth, height, rng.random()
        for _ in range(rng.integers(2, 6) if kind < 0.3 else 0):
            w, d, h, yaw = rng.uniforms((0.2, 0.3), (0.15, 0.22), (0.025, 0.05), (-0.4, 0.4))
            cover = rng.material('plain')
            solids.append(box((x, y, z + h / 2), (w, d, h), LABEL['books'], cover, yaw))
            z += h
        if 0.3 <= kind < 0.42:
            solids += moved(lamp(rng, rng.uniform(0.4, 0.6)), (x, y, height))
        elif 0.42 <= kind < 0.9:
            solids += moved(thing(rng, min(0.4, depth, width / number)), (x, y, height))
    return solids


def legs(w: float, d: float, h: float, thick: float, label: int, material: Material) -> list[Solid]:
    """Build four legs."""
    x, y, z, size = w / 2 - thick, d / 2 - thick, h / 2, (thick, thick, h)
    return [box((i, j, z), size, label, material) for i in (-x, x) for j in (-y, y)]


def bed(rng: Draw) -> Piece:
    """Draw a bed with a headboard, a blanket and pillows."""
    w, d, h = rng.uniforms((1.0, 1.9), (1.95, 2.15), (0.4, 0.6))
    label, frame = LABEL['bed'], wood(rng)
    white = rng.material('speckle', (0, 0.17), (0, 0.15), (0.75, 0.95), scale=0.8)
    solids = [
        box((0, 0, 0.15), (w, d, 0.3), label, frame),
        box((0, 0, h / 2 + 0.12), (w - 0.06, d - 0.06, h - 0.24), label, white),
        box((0, -d * 0.16, h / 2 + 0.07), (w + 0.06, d * 0.7, h - 0.08), label, cloth(rng)),
        box((0, d / 2 - 0.03, 0.55), (w + 0.05, 0.07, rng.uniform(0.8, 1.1)), label, frame),
    ]
    case, size = cloth(rng) if rng.random() < 0.5 else white, (w * 0.42, 0.42, 0.22)
    for x in (-w / 4, w / 4):
        spot = (x, d / 2 - 0.32, h + 0.05)
        solids.append(ball(spot, size, OBJECTS, case, rng.uniform(-0.2, 0.2)))
    return (w, d), solids


def sofa(rng: Draw, width: Range = (1.5, 2.3), name: str = 'sofa') -> Piece:
    """Draw a sofa, or an armchair if so named and narrow: the upholstery is the same."""
    w, d, seat = rng.uniforms(width, (0.8, 0.95), (0.38, 0.46))
    label, cover = LABEL[name], cloth(rng)
    arm, back = rng.uniforms((0.12, 0.22), (0.75, 0.95))
    solids = [
        box((0, 0, seat / 2 - 0.05), (w, d, seat - 0.1), label, cover),
        box((0, d / 2 - 0.12, back / 2), (w, 0.24, back), label, cover, taper=(0.02, 0.3)),
        box(((arm - w) / 2, 0, seat / 2 + 0.1), (arm, d, seat + 0.2), label, cover),
        box(((w - arm) / 2, 0, seat / 2 + 0.1), (arm, d, seat + 0.2), label, cover),
    ]
    inner = w - 2 * arm
    number = max(1, round(inner / 0.65))
    for x in ((np.arange(number) + 0.5) / number - 0.5) * inner:
        solids.append(box((x, -0.12, seat), (inner / number - 0.02, d - 0.28, 0.14), label, cover))
        if name == 'sofa' and rng.random() < 0.5:
            centre, yaw = (x, d / 2 - 0.3, seat + 0.24), rng.uniform(-0.4, 0.4)
            solids.append(ball(centre, (0.42, 0.2, 0.4), OBJECTS, cloth(rng), yaw))
    return (w, d), solids


def chair(rng: Draw) -> Piece:
    """Draw a chair with four legs and a back."""
    w, seat = rng.uniforms((0.4, 0.5), (0.42, 0.48))
    frame = wood(rng) if rng.random() < 0.6 else rng.material('plain')
    back = rng.uniform(0.85, 1.05)
    cover = cloth(rng) if rng.random() < 0.5 else frame
    label, post, middle, y = LABEL['chair'], back - seat, (seat + back) / 2, w / 2 - 0.02
    solids = [*legs(w, w, seat, 0.04, label, frame), box((0, 0, seat), (w, w, 0.06), label, cover)]
    if rng.random() < 0.5:
        solids.append(box((0, y, middle + 0.05), (w, 0.05, post - 0.1), label, cover))
    parts = [((x, y, middle), (0.04, 0.04, post)) for x in (-y, y)]
    parts += [((0, y, z), (w - 0.04, 0.025, 0.09)) for z in (back - 0.05, middle)]
    return (w + 0.1, w + 0.1), solids + [box(*part, label, frame) for part in parts]


def table(rng: Draw, width: float | None = None, height: float = 0.74) -> Piece:
    """Draw a table, round or not, with things on it."""
    label, top = LABEL['table'], wood(rng)
    w, d = rng.uniforms(width or (0.9, 1.8), (0.55, 0.9))
    solids = [*legs(w, d, height, 0.07, label, top), box((0, 0, height), (w, d, 0.05), label, top)]
    if rng.random() < 0.3:
        w = d = rng.uniform(0.9, 1.2)
        disks = ((height, w, 0.05), (height / 2, 0.1, height), (0.03, w / 2, 0.05))
        solids = [cylinder((0, 0, z), (b, b, h), label, top) for z, b, h in disks]
    return (w, d), solids + clutter(rng, w * 0.8, d * 0.7, height + 0.025, int(rng.integers(1, 5)))


def cupboard(
    rng: Draw, size: Sequence[Range | float], doors: tuple[int, int], number: int = 0
) -> Piece:
    """Draw a chest with columns x rows of doors and up to ``number`` things on top."""
    (width, depth, height), (columns, rows) = rng.uniforms(*size), doors
    label, body = LABEL['furniture'], wood(rng)
    metal = Material('plain', rng.colour((0.1, 0.15), (0, 0.5), (0.2, 0.9)), gloss=0.5)
    solids = [box((0, 0, height / 2), (width, depth, height), label, body)]
    w, h = width / columns, (height - 0.08) / rows
    for i, j in np.ndindex(columns, rows):
        x, z = ((i + 0.5) / columns - 0.5) * width, 0.05 + (j + 0.5) / rows * (height - 0.08)
        solids.append(decal((x, -depth / 2, z), (w - 0.03, 0.03, h - 0.03), label, body))
        if h - 0.03 > 0.6:  # A tall door has its knob at the side.
            x += (0.4, -0.4)[i % 2] * width / columns
        solids.append(decal((x, -depth / 2 - 0.03, z), (0.05, 0.04, 0.05), label, metal))
    return (width, depth), solids + clutter(rng, width * 0.85, depth * 0.6, height, number)


def nightstand(rng: Draw) -> Piece:
    """Draw a small chest with a lamp."""
    size, solids = cupboard(rng, (0.45, 0.4, 0.5), (1, 2))
    return size, solids + moved(lamp(rng, rng.uniform(0.4, 0.55)), (0, 0, 0.5))


def kitchen(rng: Draw) -> Piece:
    """Draw a counter with things on it, and cabinets above."""
    (w, _), low = cupboard(rng, ((1.6, 2.6), 0.6, 0.88), (4, 1), 4)
    top = Material('speckle', rng.colour(saturation=(0, 0.3)), scale=0.2)
    counter = box((0, 0, 0.89), (w, 0.64, 0.04), LABEL['furniture'], top)
    _, high = cupboard(rng, (w, 0.35, 0.7), (4, 1))
    return (w, 0.64), [*low, counter, *moved(high, (0, 0.12, 1.45))]


def bookshelf(rng: Draw) -> Piece:
    """Draw shelves with books and things."""
    w, d, h = rng.uniforms((0.8, 1.5), 0.32, (1.2, 2.1))
    label, board = LABEL['furniture'], wood(rng)
    levels, edge, inner = int(h / 0.38), (w - 0.03) / 2, w - 0.1
    step, shelf = (h - 0.05) / levels, (w - 0.06, d, 0.03)
    solids = [box((x, 0, h / 2), (0.03, d, h), label, board) for x in (-edge, edge)]
    solids.append(box((0, d / 2 - 0.01, h / 2), (w - 0.06, 0.02, h), label, board))
    solids.append(box((0, 0, 0.04), shelf, label, board))
    for level in range(levels):
        filled, tall = rng.uniform(0.3, 1.0) * inner, rng.uniform(0.6, 0.85) * step
        side, rest, z = rng.choice([-1, 1]), inner - filled, 0.04 + level * step + 0.015
        spines = Material('spines', (0.1, 0.1, 0.1), (0.9, 0.9, 0.9), 0.045, rng.seed())
        middle, size = (side * rest / 2, 0.02, z + tall / 2), (filled, 0.2, tall)
        solids.append(decal(middle, size, LABEL['books'], spines))
        if rest > 0.2 and rng.random() < 0.7:
            spot = (-side * (inner - rest) / 2, 0, z)
            solids += moved(thing(rng, min(0.8 * step, rest)), spot)
        solids.append(box((0, 0, 0.04 + (level + 1) * step), shelf, label, board))
    return (w, d), solids + clutter(rng, w * 0.8, d * 0.5, h, 2)


def television(rng: Draw) -> Piece:
    """Draw a television on a low cupboard."""
    size, solids = cupboard(rng, ((1.2, 1.8), 0.45, (0.45, 0.6)), (3, 1))
    w, z, label = rng.uniform(0.9, 1.3), solids[0].half[2] * 2, LABEL['tv']
    case = Material('plain', (0.05, 0.05, 0.06), gloss=0.3)
    screen = Material('plain', (0.07, 0.08, 0.1), gloss=0.9)
    if rng.random() < 0.35:
        colours = rng.colour(), rng.colour(value=(0.7, 1))
        screen = Material('cloud', *colours, 0.9, rng.seed(), gloss=0.5, glow=0.7)
    h, middle = w * 0.58, z + 0.08 + w * 0.58 / 2
    return size, [
        *solids,
        box((0, 0.05, z + 0.02), (w * 0.4, 0.2, 0.04), label, case),
        box((0, 0.08, z + 0.05), (0.1, 0.06, 0.1), label, case),
        box((0, 0.05, middle), (w, 0.06, h), label, case),
        decal((0, 0.018, middle), (w - 0.06, 0.01, h - 0.06), label, screen),
    ]


def floor_thing(rng: Draw) -> Piece:
    """Draw a box, a bag, a plant or a lamp on the floor."""
    kind = rng.pick('box', 'bag', 'thing', 'lamp', 'plant')
    if kind == 'box':
        w, d, h = rng.uniform(0.25, 0.5, 3)
        card = Material('speckle', rng.colour((0.06, 0.11), (0.3, 0.6), (0.4, 0.8)), scale=0.6)
        return (w, d), [box((0, 0, h / 2), (w, d, h), OBJECTS, card, rng.uniform(-0.3, 0.3))]
    if kind == 'bag':
        w, h = rng.uniform(0.3, 0.5, 2)
        return (w, w), [ball((0, 0, h * 0.42), (w, w * 0.7, h), OBJECTS, cloth(rng))]
    if kind == 'lamp':
        return (0.4, 0.4), lamp(rng, rng.uniform(1.4, 1.7))
    return (0.5, 0.5), thing(rng, 0.9 if kind == 'plant' else 0.5)


BUILDERS = (bed, sofa, chair, table, nightstand, kitchen, bookshelf, television, floor_thing)
PIECES: dict[str, Callable[[Draw], Piece]] = {
    **{builder.__name__: builder for builder in BUILDERS},
    'armchair': lambda rng: sofa(rng, (0.75, 0.95), 'chair'),
    'coffee_table': lambda rng: table(rng, *rng.uniforms((0.8, 1.2), (0.36, 0.46))),
    'wardrobe': lambda rng: cupboard(rng, ((0.9, 1.6), 0.6, (1.8, 2.2)), (2, 1)),
    'dresser': lambda rng: cupboard(rng, ((0.8, 1.3), 0.48, (0.75, 1.1)), (2, 3), 3),
}
