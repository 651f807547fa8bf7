"""`streets`: a town's streets seen from a car, the twin of CityScapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from go4align_plugins.data.rendering.raycast import Camera, Light, Scene
from go4align_plugins.data.rendering.solids import Solid, ball, box, moved, shadeless
from go4align_plugins.data.rendering.textures import Array, Draw, Material, noise
from go4align_plugins.data.rendering.traffic import LABEL, person, pole, tree, vehicle

FAR = 90.0  # metres to which the street is furnished
SUNNY = (0.32, 0.55, 0.88), (0.82, 0.89, 0.95)  # the sky's colour above, and at the horizon
OVERCAST = (0.68, 0.72, 0.78), (0.85, 0.86, 0.88)


def build_street(generator: np.random.Generator) -> Scene:
    """Draw a street and a car's camera in it."""
    rng = Draw(generator.bit_generator)
    kerb, walk = rng.uniforms((4.2, 6.5), (2.5, 4.5))
    solids = _ground(rng, kerb, walk)
    leafy = rng.uniform(0.0, 0.7)
    for side in (-1, 1):
        solids += _buildings(rng, side, kerb + walk) + _kerbside(rng, side, kerb, walk, leafy)
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


def _buildings(rng: Draw, side: int, front: float) -> list[Solid]:
    """Draw a row of houses behind the pavement, with gaps for gardens."""
    solids: list[Solid] = []
    green = rng.colour((0.22, 0.36), (0.4, 0.6), (0.25, 0.45))
    hedge = Material('leaves', green, scale=0.8)
    y = rng.uniform(-12, -4)
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
    return solids


def _kerbside(rng: Draw, side: int, kerb: float, walk: float, leafy: float) -> list[Solid]:
    """Draw parked cars, trees, poles and people."""
    solids: list[Solid] = []
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
