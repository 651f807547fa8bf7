"""`streets`: a town's streets seen from a car, the twin of CityScapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from go4align_plugins.data.rendering.raycast import Camera, Light, Scene
from go4align_plugins.data.rendering.solids import Solid, box
from go4align_plugins.data.rendering.textures import Material, noise
from go4align_plugins.data.rendering.things import draw_seed, pick, tint
from go4align_plugins.data.rendering.traffic import LABEL, car, person, pole, tree, vehicle

FAR = 90.0  # metres to which the street is furnished


def build_street(rng: np.random.Generator) -> Scene:
    """A street and a car's camera in it, drawn from ``rng``."""
    kerb = rng.uniform(4.2, 6.5)
    walk = rng.uniform(2.5, 4.5)
    solids = _ground(rng, kerb, walk) + _bonnet(rng, kerb / 2)
    leafy = rng.uniform(0.0, 0.7)
    for side in (-1, 1):
        solids += _buildings(rng, side, kerb + walk)
        solids += _kerbside(rng, side, kerb, walk, leafy)
    if rng.random() < 0.55:
        size = (60.0, 12.0, rng.uniform(8, 18))
        solids += _building(rng, (rng.uniform(-10, 10), rng.uniform(70, FAR + 10)), size)
    for lane, heading in ((kerb * 0.42, 0.0), (-kerb * 0.3, np.pi)):
        y = rng.uniform(11, 35) if lane > 0 else rng.uniform(7, 22)
        while y < FAR and rng.random() < 0.75:
            solids += _moved(vehicle(rng), (lane + rng.normal(0, 0.2), y), heading)
            y += rng.uniform(12, 32)
    for _ in range(rng.integers(0, 3)):
        spot = (rng.uniform(-kerb, kerb), rng.uniform(6.5, 22))
        solids += _moved(person(rng), spot, rng.uniform(0, 2 * np.pi))
    sunny = rng.random() < 0.65
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1.1)
    toward = np.array([np.cos(azimuth), np.sin(azimuth), np.tan(height)])
    sun = Light(
        toward / np.linalg.norm(toward) * 250,
        (3.0 if sunny else 0.4) * np.array([1.0, 0.93, 0.8]),
        radius=1.5 if sunny else 25.0,
    )
    sky = np.array([0.85, 0.95, 1.1]) if sunny else np.array([1.0, 1.0, 1.03])
    camera = Camera(
        np.array([kerb * 0.42, 0.0, rng.uniform(1.25, 1.45)]),
        yaw=float(rng.normal(0, 0.05) + (rng.choice([-0.3, 0.3]) if rng.random() < 0.15 else 0)),
        pitch=float(rng.normal(0.02, 0.02)),
        roll=float(rng.normal(0, 0.01)),
        field_of_view=float(np.radians(60)),
    )
    return Scene(
        camera,
        _worth_seeing(solids, camera.position),
        [sun],
        np.stack([0.25 * sky * [1.0, 0.95, 0.88], 0.65 * sky]),
        _sky(rng, sunny),
        LABEL['sky'],
        visibility=rng.uniform(200, 600),
    )


def _worth_seeing(solids: list[Solid], eye: np.ndarray) -> list[Solid]:
    """Drops what is far and small, which costs time and shows nothing; the rest may shade less."""
    kept = []
    for solid in solids:
        apparent = 2 * solid.half.max() / np.linalg.norm(solid.centre - eye)
        if apparent > 0.05:
            kept.append(solid)
        elif apparent > 0.018:
            kept.append(replace(solid, casts_shadow=False))
    return kept


def _moved(solids: list[Solid], spot: tuple[float, float], yaw: float) -> list[Solid]:
    return [solid.moved((*spot, 0.0), yaw) for solid in solids]


def _sky(rng: np.random.Generator, sunny: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Blue with clouds, or overcast; paler towards the horizon."""
    seed, cover = draw_seed(rng), rng.uniform(0.35, 0.75)
    top = np.array([0.32, 0.55, 0.88] if sunny else [0.68, 0.72, 0.78], np.float32)[:, None]
    pale = np.array([0.82, 0.89, 0.95] if sunny else [0.85, 0.86, 0.88], np.float32)[:, None]

    def colours(directions: np.ndarray) -> np.ndarray:
        rise = np.maximum(directions[2] / np.hypot(directions[0], directions[1]), 0)
        u, v = directions[0] / (rise + 0.15), directions[1] / (rise + 0.15)
        blue = np.clip(rise * 1.6, 0, 1)
        cloud = 0.65 * noise(u * 0.9, v * 0.9, seed) + 0.35 * noise(u * 2.5, v * 2.5, seed + 1)
        cloud = np.clip(4 * (cloud - cover), 0, 1)
        return pale + (top - pale) * (blue * (1 - cloud))

    return colours


def _ground(rng: np.random.Generator, kerb: float, walk: float) -> list[Solid]:
    """Road, lane marks, pavements."""
    flat, grey = LABEL['flat'], rng.uniform(0.3, 0.42)
    road = Material('asphalt', (grey, grey, grey * 1.03), (grey * 0.8,) * 3, 2.0, draw_seed(rng))
    slabs = Material(
        pick(rng, 'tiles', 'bricks', 'plain'),
        tint(rng, (0.03, 0.12), (0.02, 0.15), (0.5, 0.65)),
        scale=rng.uniform(0.4, 0.9),
        seed=draw_seed(rng),
    )
    paint = (0.85, 0.85, 0.83)
    dashes = Material('stripes', paint, (grey, grey, grey), rng.uniform(6, 9))
    bars = Material('stripes', paint, (grey, grey, grey), 1.0)
    edge = Material('plain', (0.62, 0.61, 0.6))
    solids = [
        box((0, 0, -0.5), (600, 600, 1), flat, road, casts_shadow=False),
        box((0, FAR / 2, 0), (FAR * 1.2, 0.14, 0.012), flat, dashes, np.pi / 2, casts_shadow=False),
    ]
    if rng.random() < 0.35:
        centre = (0, rng.uniform(8, 25), 0)
        solids.append(box(centre, (2 * kerb, 3, 0.014), flat, bars, casts_shadow=False))
    for side in (-1, 1):
        pavement = (side * (kerb + walk / 2 + 0.1), FAR / 2, 0.06)
        solids += [
            box(pavement, (walk, FAR * 1.4, 0.14), flat, slabs, casts_shadow=False),
            box(
                (side * (kerb + 0.05), FAR / 2, 0.065),
                (0.16, FAR * 1.4, 0.15),
                flat,
                edge,
                casts_shadow=False,
            ),
        ]
    return solids


def _bonnet(rng: np.random.Generator, x: float) -> list[Solid]:
    """The camera's own car, which nobody labels."""
    paint = Material('plain', tint(rng, (0.55, 0.62), (0.0, 0.4), (0.1, 0.3)), gloss=0.4)
    centre = (x * 0.84, rng.uniform(1.0, 1.15), rng.uniform(0.66, 0.74))
    return [box(centre, (1.9, 2.1, 0.5), -1, paint, 0, 'ellipsoid', casts_shadow=False)]


def _building(
    rng: np.random.Generator, spot: tuple[float, float], size: tuple[float, float, float]
) -> list[Solid]:
    """A house with windows, a ground floor of its own and perhaps a pitched roof."""
    label, (x, y), (w, d, h) = LABEL['construction'], spot, size
    coat = tint(rng, (0.0, 0.14), (0.08, 0.5), (0.5, 0.9))
    panes = tint(rng, (0.55, 0.62), (0.1, 0.35), (0.2, 0.4))
    facade = Material('facade', coat, panes, rng.uniform(2.4, 3.4), draw_seed(rng))
    stone = tint(rng, (0.0, 0.12), (0.02, 0.3), (0.3, 0.75))
    shop = Material('facade', stone, (0.18, 0.22, 0.26), rng.uniform(3.2, 4.0), draw_seed(rng))
    solids = [
        box((x, y, h / 2), (w, d, h), label, facade),
        box((x, y, 1.9), (w + 0.3, d + 0.02, 3.8), label, shop, casts_shadow=False),
        box(
            (x, y, 3.9),
            (w + 0.7, d + 0.04, 0.25),
            label,
            Material('plain', stone),
            casts_shadow=False,
        ),
        box(
            (x, y, h), (w + 0.6, d + 0.1, 0.4), label, Material('plain', stone), casts_shadow=False
        ),
    ]
    if rng.random() < 0.6:
        tiles = Material(
            'bricks',
            tint(rng, (0.0, 0.06), (0.3, 0.6), (0.3, 0.55)),
            scale=0.5,
            seed=draw_seed(rng),
        )
        top = rng.uniform(2.5, 4.5)
        solids.append(box((x, y, h + top / 2), (w + 0.5, d, top), label, tiles, taper=(0.75, 0.05)))
    return solids


def _buildings(rng: np.random.Generator, side: int, front: float) -> list[Solid]:
    """A row of houses behind the pavement, with gaps for gardens."""
    solids: list[Solid] = []
    hedge = Material('leaves', tint(rng, (0.22, 0.36), (0.4, 0.6), (0.25, 0.45)), scale=0.8)
    y = rng.uniform(-12, -4)
    while y < FAR:
        d = rng.uniform(9, 20)
        if rng.random() < 0.8:
            w, back = 12.0, rng.choice([0.3, 0.3, rng.uniform(1, 4)])
            spot = (side * (front + back + w / 2), y + d / 2)
            solids += _building(rng, spot, (w, d, rng.uniform(6.5, 17)))
        else:
            size = (1.2, d, rng.uniform(1.0, 2.2))
            centre = (side * (front + 1.0), y + d / 2, size[2] / 2)
            solids.append(box(centre, size, LABEL['nature'], hedge))
            for _ in range(2):
                spot = (side * (front + rng.uniform(3, 8)), y + rng.uniform(0, d))
                solids += _moved(tree(rng), spot, 0.0)
        y += d
    return solids


def _kerbside(
    rng: np.random.Generator, side: int, kerb: float, walk: float, leafy: float
) -> list[Solid]:
    """Parked cars, trees, poles and people."""
    solids: list[Solid] = []
    y = rng.uniform(5, 14)
    parked = rng.uniform(0.2, 0.8)
    while y < FAR * 0.65:
        if rng.random() < parked:
            heading = 0.0 if side > 0 else np.pi
            solids += _moved(car(rng), (side * (kerb - 1.05), y), heading)
        y += rng.uniform(6, 9)
    step = rng.uniform(7, 13)
    for y in np.arange(rng.uniform(6, 14), FAR * 0.8, step):
        spot = (side * (kerb + 0.7), y)
        solids += _moved(tree(rng) if rng.random() < leafy else pole(rng, side), spot, 0.0)
    for _ in range(rng.integers(2, 7)):
        spot = (side * (kerb + rng.uniform(0.3, 0.8 * walk)), 6 + 30 * rng.random() ** 1.5)
        solids += _moved(person(rng), spot, rng.choice([0, np.pi]) + rng.normal(0, 0.4))
    return solids
