"""`streets`: a town's streets seen from a car, the twin of CityScapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from go4align_plugins.data.cityscapes import CITYSCAPES
from go4align_plugins.data.rendering.raycast import Camera, Light, Scene
from go4align_plugins.data.rendering.solids import Solid, ball, box, cylinder, moved, shadeless
from go4align_plugins.data.rendering.textures import Array, Draw, Material, noise

LABEL = {name: number for number, name in enumerate(CITYSCAPES.class_names)}
FAR = 90.0  # metres to which the street is furnished
SUNNY = (0.32, 0.55, 0.88), (0.82, 0.89, 0.95)  # the sky's colour above, and at the horizon
OVERCAST = (0.68, 0.72, 0.78), (0.85, 0.86, 0.88)
RUBBER = Material('plain', (0.06, 0.06, 0.07))
GLASS = Material('plain', (0.1, 0.13, 0.17), gloss=0.6)
STEEL = Material('plain', (0.42, 0.44, 0.45), gloss=0.1)
PLATE = Material('plain', (0.9, 0.9, 0.88))
WHITE = Material('plain', (0.95, 0.95, 0.95), glow=0.25)
HEAD = Material('plain', (0.95, 0.95, 0.9), glow=0.4)  # lights of a car
TAIL = Material('plain', (0.75, 0.08, 0.08), glow=0.5)
SIGNS = (0.8, 0.12, 0.12), (0.1, 0.25, 0.75), (0.95, 0.75, 0.1)
LIGHTS = (0.2, 0.9, 0.4), (1.0, 0.75, 0.1), (1.0, 0.15, 0.1)  # from below


def tree(rng: Draw) -> list[Solid]:
    """Draw a trunk with a crown of a few balls of leaves."""
    label, (h, r) = LABEL['nature'], rng.uniforms((2.2, 3.8), (1.3, 2.4))
    bark = Material('speckle', (0.3, 0.24, 0.18), scale=0.8)
    leaves = rng.material('leaves', (0.17, 0.36), (0.35, 0.65), (0.3, 0.6), scale=1.3)
    solids = [cylinder((0, 0, h / 2), (0.28, 0.28, h), label, bark)]
    for _ in range(4):
        spot = rng.uniform(-0.6, 0.6, 3) * r + [0, 0, h + 0.6 * r]
        solids.append(ball(spot, 2 * r * rng.uniform(0.5, 0.9, 3), label, leaves))
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
        inside = box((0, -0.1, h - 0.3), size * [0.6, 1, 0.6], label, WHITE, shape=shape)
        solids += shadeless(inside)
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
    paint = Material('plain', colour, gloss=0.25 if kind < 0.75 else 0.2)
    if kind < 0.75:
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
    lights = [box((i * x, j * y, height), size, label, (TAIL, HEAD)[j > 0]) for i, j in corners]
    return solids + shadeless(*wheels, *lights)


def _ground(rng: Draw, kerb: float, walk: float) -> list[Solid]:
    """Draw a road, lane marks, pavements, and the camera's own car, which nobody labels."""
    flat, grey = LABEL['flat'], rng.uniform(0.3, 0.42)
    road = Material('asphalt', (grey, grey, grey * 1.03), (grey * 0.8,) * 3, 2.0, rng.seed())
    pattern = rng.pick('tiles', 'bricks', 'plain')
    slabs = rng.material(pattern, (0.03, 0.12), (0.02, 0.15), (0.5, 0.65), scale=(0.4, 0.9))
    dashes = Material('stripes', (0.85, 0.85, 0.83), (grey, grey, grey), rng.uniform(6, 9))
    solids = [
        box((0, 0, -0.5), (600, 600, 1), flat, road),
        box((0, FAR / 2, 0), (FAR * 1.2, 0.14, 0.012), flat, dashes, np.pi / 2),
    ]
    if rng.random() < 0.35:
        bars, centre = replace(dashes, scale=1.0), (0, rng.uniform(8, 25), 0)
        solids.append(box(centre, (2 * kerb, 3, 0.014), flat, bars))
    edge, y, length = Material('plain', (0.62, 0.61, 0.6)), FAR / 2, FAR * 1.4
    for side in (-1, 1):
        x = side * (kerb + walk / 2 + 0.1)
        solids.append(box((x, y, 0.06), (walk, length, 0.14), flat, slabs))
        solids.append(box((side * (kerb + 0.05), y, 0.065), (0.16, length, 0.15), flat, edge))
    paint = Material('plain', rng.colour((0.55, 0.62), (0.0, 0.4), (0.1, 0.3)), gloss=0.4)
    bonnet = (kerb / 2 * 0.84, *rng.uniforms((1.0, 1.15), (0.66, 0.74)))
    return shadeless(*solids, ball(bonnet, (1.9, 2.1, 0.5), -1, paint))


def _building(rng: Draw, w: float, d: float, h: float) -> list[Solid]:
    """Draw a house with windows, a ground floor of its own and perhaps a pitched roof."""
    label = LABEL['construction']
    coat = rng.colour((0.0, 0.14), (0.08, 0.5), (0.5, 0.9))
    panes = rng.colour((0.55, 0.62), (0.1, 0.35), (0.2, 0.4))
    facade = Material('facade', coat, panes, rng.uniform(2.4, 3.4), rng.seed())
    stone = Material('plain', rng.colour((0.0, 0.12), (0.02, 0.3), (0.3, 0.75)))
    shop = replace(stone, pattern='facade', accent=(0.18, 0.22, 0.26), scale=rng.uniform(3.2, 4.0))
    solids = [
        box((0, 0, h / 2), (w, d, h), label, facade),
        *shadeless(
            box((0, 0, 1.9), (w + 0.3, d + 0.02, 3.8), label, replace(shop, seed=rng.seed())),
            box((0, 0, 3.9), (w + 0.7, d + 0.04, 0.25), label, stone),
            box((0, 0, h), (w + 0.6, d + 0.1, 0.4), label, stone),
        ),
    ]
    if rng.random() < 0.6:
        tiles = rng.material('bricks', (0.0, 0.06), (0.3, 0.6), (0.3, 0.55), scale=0.5)
        top = rng.uniform(2.5, 4.5)
        solids.append(box((0, 0, h + top / 2), (w + 0.5, d, top), label, tiles, taper=(0.75, 0.05)))
    return solids


def _roadside(rng: Draw, side: int, kerb: float, walk: float, leafy: float) -> list[Solid]:
    """Draw houses and gardens, parked cars, trees, poles and people on one side."""
    solids: list[Solid] = []
    hedge = Material('leaves', rng.colour((0.22, 0.36), (0.4, 0.6), (0.25, 0.45)), scale=0.8)
    front, y = kerb + walk, rng.uniform(-12, -4)
    while y < FAR:
        d = rng.uniform(9, 20)
        if rng.random() < 0.8:
            x = front + rng.choice([0.3, 0.3, rng.uniform(1, 4)]) + 6.0
            house = _building(rng, 12.0, d, rng.uniform(6.5, 17))
            solids += moved(house, (side * x, y + d / 2, 0))
        else:
            h = rng.uniform(1.0, 2.2)
            centre = (side * (front + 1.0), y + d / 2, h / 2)
            solids.append(box(centre, (1.2, d, h), LABEL['nature'], hedge))
            for _ in range(2):
                spot = (side * (front + rng.uniform(3, 8)), y + rng.uniform(0, d), 0)
                solids += moved(tree(rng), spot)
        y += d
    y, parked = rng.uniforms((5, 14), (0.2, 0.8))
    while y < FAR * 0.65:
        if rng.random() < parked:
            spot = (side * (kerb - 1.05), y, 0)
            solids += moved(vehicle(rng), spot, 0.0 if side > 0 else np.pi)
        y += rng.uniform(6, 9)
    step = rng.uniform(7, 13)
    for y in np.arange(rng.uniform(6, 14), FAR * 0.8, step):
        standing = tree(rng) if rng.random() < leafy else pole(rng, side)
        solids += moved(standing, (side * (kerb + 0.7), y, 0))
    for _ in range(rng.integers(2, 7)):
        spot = (side * (kerb + rng.uniform(0.3, 0.8 * walk)), 6 + 30 * rng.random() ** 1.5, 0)
        solids += moved(person(rng), spot, rng.choice([0, np.pi]) + rng.normal(0, 0.4))
    return solids


def build_street(generator: np.random.Generator) -> Scene:
    """Draw a street and a car's camera in it."""
    rng = Draw(generator.bit_generator)
    kerb, walk = rng.uniforms((4.2, 6.5), (2.5, 4.5))
    solids = _ground(rng, kerb, walk)
    leafy = rng.uniform(0.0, 0.7)
    for side in (-1, 1):
        solids += _roadside(rng, side, kerb, walk, leafy)
    if rng.random() < 0.55:
        h, spot = rng.uniform(8, 18), (rng.uniform(-10, 10), rng.uniform(70, FAR + 10), 0)
        solids += moved(_building(rng, 60.0, 12.0, h), spot)
    for lane, heading, first in ((kerb * 0.42, 0.0, (11, 35)), (-kerb * 0.3, np.pi, (7, 22))):
        y = rng.uniform(*first)
        while y < FAR and rng.random() < 0.75:
            driven = vehicle(rng, rng.random())
            solids += moved(driven, (lane + rng.normal(0, 0.2), y, 0), heading)
            y += rng.uniform(12, 32)
    for _ in range(rng.integers(0, 3)):
        spot = (rng.uniform(-kerb, kerb), rng.uniform(6.5, 22), 0)
        solids += moved(person(rng), spot, rng.uniform(0, 2 * np.pi))
    sunny = rng.random() < 0.65
    azimuth, height = rng.uniforms((0, 2 * np.pi), (0.45, 1.1))
    toward = np.array([np.cos(azimuth), np.sin(azimuth), np.tan(height)])
    shine = (3.0 if sunny else 0.4) * np.array([1.0, 0.93, 0.8])
    sun = Light(toward / np.linalg.norm(toward) * 250, shine, radius=1.5 if sunny else 25.0)
    sky = np.array([0.85, 0.95, 1.1] if sunny else [1.0, 1.0, 1.03])
    ambient = np.stack([0.25 * sky * [1.0, 0.95, 0.88], 0.65 * sky])
    eye = np.array([kerb * 0.42, 0.0, rng.uniform(1.25, 1.45)])
    yaw = rng.normal(0, 0.05) + (rng.choice([-0.3, 0.3]) if rng.random() < 0.15 else 0)
    camera = Camera(eye, yaw, rng.normal(0.02, 0.02), rng.normal(0, 0.01), np.radians(60))
    # A solid that looks small is left out; the shadow of a somewhat larger one is.
    apparent = [2 * each.half.max() / np.linalg.norm(each.centre - eye) for each in solids]
    solids = [
        replace(each, casts_shadow=each.casts_shadow and share > 0.05)
        for each, share in zip(solids, apparent)
        if share > 0.018
    ]
    seed, cover = rng.seed(), rng.uniform(0.35, 0.75)
    top, pale = np.array(SUNNY if sunny else OVERCAST, np.float32)[:, :, None]

    def colours(directions: Array) -> Array:
        """Draw clouds on a sky that is paler towards the horizon."""
        rise = np.maximum(directions[2] / np.hypot(directions[0], directions[1]), 0)
        u, v = directions[:2] / (rise + 0.15)
        cloud = 0.65 * noise(u * 0.9, v * 0.9, seed) + 0.35 * noise(u * 2.5, v * 2.5, seed + 1)
        cloud = np.clip(4 * (cloud - cover), 0, 1)
        return pale + (top - pale) * (np.clip(rise * 1.6, 0, 1) * (1 - cloud))

    return Scene(camera, solids, [sun], ambient, colours, LABEL['sky'], rng.uniform(200, 600))
