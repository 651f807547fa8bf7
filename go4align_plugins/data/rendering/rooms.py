"""`rooms`: furnished rooms seen by a depth camera, the twin of NYUv2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from go4align_plugins.data.rendering import furniture
from go4align_plugins.data.rendering.furniture import Piece
from go4align_plugins.data.rendering.raycast import Camera, Light, Scene
from go4align_plugins.data.rendering.solids import Solid, box, turn
from go4align_plugins.data.rendering.textures import Material
from go4align_plugins.data.rendering.things import LABEL, cloth, draw_seed, pick, tint, wood

Builder = Callable[[np.random.Generator], Piece]

# Kind of room: what it is named after, then what else may stand along its walls and in its middle.
ALONG_WALLS: dict[str, tuple[tuple[Builder, ...], tuple[Builder, ...]]] = {
    'bedroom': (
        (furniture.bed, furniture.nightstand),
        (furniture.wardrobe, furniture.dresser, furniture.armchair, furniture.television),
    ),
    'living': (
        (furniture.sofa, furniture.television),
        (furniture.bookshelf, furniture.armchair, furniture.sofa, furniture.sofa),
    ),
    'office': (
        (furniture.table, furniture.bookshelf),
        (furniture.chair, furniture.bookshelf, furniture.dresser, furniture.table),
    ),
    'dining': ((furniture.dresser,), (furniture.bookshelf, furniture.television, furniture.chair)),
    'kitchen': ((furniture.kitchen,), (furniture.wardrobe, furniture.table, furniture.chair)),
}


class _Floor:
    """What already stands where, so that nothing stands in anything else."""

    def __init__(self, width: float, length: float) -> None:
        self.half = np.array([width, length]) / 2
        self.taken: list[tuple[np.ndarray, np.ndarray]] = []
        self.solids: list[Solid] = []

    def place(self, piece: Piece, position: np.ndarray, quarter: int) -> bool:
        """Puts the piece at ``position`` (2,), turned by quarter turns, if there is room."""
        half = np.array(piece.size[:: -1 if quarter % 2 else 1]) / 2
        low, high = position - half, position + half
        inside = (low >= -self.half - 1e-6).all() and (high <= self.half + 1e-6).all()
        hits = any((low < other[1]).all() and (high > other[0]).all() for other in self.taken)
        if hits or not inside:
            return False
        self.taken.append((low, high))
        yaw = quarter * np.pi / 2
        self.solids += [solid.moved((*position, 0.0), yaw) for solid in piece.solids]
        return True

    def along_wall(self, rng: np.random.Generator, piece: Piece) -> bool:
        """Puts the piece against a wall, more often the far one or its neighbours."""
        for _ in range(12):
            quarter = int(rng.choice(4, p=[0.46, 0.26, 0.02, 0.26]))
            breadth, reach = self.half[:: -1 if quarter % 2 else 1]
            room = breadth - piece.size[0] / 2
            if room <= 0:
                continue
            spot = np.array([rng.uniform(-room, room), reach - piece.size[1] / 2 - 0.02, 0.0])
            if self.place(piece, (turn(quarter * np.pi / 2) @ spot)[:2], quarter):
                return True
        return False


def build_room(rng: np.random.Generator) -> Scene:
    """A furnished room and a camera in it, drawn from ``rng``."""
    kind = pick(rng, *ALONG_WALLS)
    width, length, height = rng.uniform(3.0, 5.5), rng.uniform(3.4, 6.5), rng.uniform(2.4, 2.9)
    if kind == 'kitchen':
        width, length = 0.8 * width, 0.8 * length
    floor = _Floor(width, length)
    stand = np.array([rng.uniform(-0.35, 0.35) * width, -length / 2 + rng.uniform(0.25, 0.9)])
    floor.taken.append((stand - 0.45, stand + np.array([0.45, 0.9])))
    first, others = ALONG_WALLS[kind]
    for builder in first:
        floor.along_wall(rng, builder(rng))
    if kind == 'dining' or rng.random() < 0.5:
        _middle(rng, floor, kind)
    for _ in range(rng.integers(2, 5)):
        floor.along_wall(rng, others[rng.integers(len(others))](rng))
    for _ in range(rng.integers(1, 4)):
        floor.along_wall(rng, furniture.floor_things(rng))
    solids = _shell(rng, width, length, height) + floor.solids
    lights: list[Light] = []
    for quarter in range(4):
        decoration, daylight = _wall(rng, quarter, floor, height)
        solids += decoration
        lights += daylight
    lights = lights[:1]
    if not lights or rng.random() < 0.6:
        lamp, light = _ceiling_lamp(rng, height)
        solids.append(lamp)
        lights.append(light)
    solids = [_maybe_unlabelled(rng, solid) for solid in solids]
    warmth = np.array([1.0, rng.uniform(0.9, 1.0), rng.uniform(0.75, 1.05)])
    ambient = rng.uniform(0.16, 0.36) * np.stack([warmth * [1.0, 0.95, 0.88], warmth])
    target = np.append(rng.uniform(-0.3, 0.3, 2) * floor.half + [0.0, 0.25 * length], 0)
    eye = np.array([*stand, rng.uniform(1.0, 1.7)])
    way = target - eye
    camera = Camera(
        eye,
        yaw=float(np.arctan2(-way[0], way[1]) + rng.normal(0, 0.25)),
        pitch=float(rng.uniform(-0.42, 0.02)),
        roll=float(rng.normal(0, 0.035)),
        field_of_view=float(np.radians(rng.uniform(55, 60))),
    )
    return Scene(camera, solids, lights, ambient)


def _middle(rng: np.random.Generator, floor: _Floor, kind: str) -> None:
    """A table in the middle, in a dining room with chairs about it, and a rug below."""
    spot = floor.half * rng.uniform(-0.25, 0.25, 2) + [0.0, 0.15 * floor.half[1]]
    piece = furniture.coffee_table(rng) if kind == 'living' else furniture.table(rng)
    if not floor.place(piece, spot, int(rng.integers(2))):
        return
    low, high = floor.taken[-1]
    if kind != 'living':
        seat = furniture.chair(rng)
        x, y = (high - low) / 2 + seat.size[0] / 2 + rng.uniform(0.02, 0.15)
        # A chair's back is towards its own y: away from the table.
        for quarter, place in enumerate([(0, y), (-x, 0), (0, -y), (x, 0)]):
            if rng.random() < 0.8:
                floor.place(seat, (low + high) / 2 + place, quarter)
    if rng.random() < 0.7:
        size = (high - low) + rng.uniform(0.5, 1.2)
        rug = Material('cloud', tint(rng), tint(rng), rng.uniform(0.8, 1.6), draw_seed(rng))
        centre = (*(low + high) / 2, 0.006)
        floor.solids.append(box(centre, (*size, 0.012), LABEL['floor'], rug))


def _shell(rng: np.random.Generator, width: float, length: float, height: float) -> list[Solid]:
    """Floor, ceiling and walls with their skirting."""
    brown = tint(rng, (0.04, 0.11), (0.3, 0.65), (0.3, 0.75))
    ground = {
        'planks': Material('planks', brown, scale=rng.uniform(0.09, 0.16), seed=draw_seed(rng)),
        'tiles': Material(
            'tiles',
            tint(rng, (0.05, 0.15), (0.05, 0.3), (0.5, 0.85)),
            scale=rng.uniform(0.25, 0.5),
            seed=draw_seed(rng),
            gloss=0.15,
        ),
        'carpet': Material(
            'speckle', tint(rng, None, (0.05, 0.3), (0.4, 0.75)), seed=draw_seed(rng)
        ),
    }[pick(rng, 'planks', 'tiles', 'carpet')]
    paint = tint(rng, None, (0.04, 0.25), (0.65, 0.95))
    paper = Material('plain', paint, seed=draw_seed(rng))
    if rng.random() < 0.25:
        darker = (0.9 * paint[0], 0.9 * paint[1], 0.9 * paint[2])
        pattern = pick(rng, 'stripes', 'cloud')
        paper = Material(pattern, paint, darker, rng.uniform(0.12, 0.4), draw_seed(rng))
    white = Material('plain', tint(rng, (0, 0.17), (0, 0.06), (0.85, 0.97)), seed=draw_seed(rng))
    board = wood(rng)
    slab = (width + 1, length + 1, 0.2)
    # All light comes from within the room, so its shell shades nothing.
    solids = [
        box((0, 0, -0.1), slab, LABEL['floor'], ground, casts_shadow=False),
        box((0, 0, height + 0.1), slab, LABEL['ceiling'], white, casts_shadow=False),
    ]
    accent = replace(paper, colour=tint(rng, None, (0.2, 0.45), (0.4, 0.75)))
    for quarter in range(4):
        breadth, reach = (width, length / 2) if quarter % 2 == 0 else (length, width / 2)
        coat = accent if quarter == 0 and rng.random() < 0.3 else paper
        plaster = box(
            (0, reach + 0.1, height / 2), (breadth + 0.4, 0.2, height), LABEL['wall'], coat
        )
        skirting = box((0, reach, 0.05), (breadth, 0.03, 0.1), LABEL['wall'], board)
        solids += [
            replace(solid, casts_shadow=False).moved((0, 0, 0), quarter * np.pi / 2)
            for solid in (plaster, skirting)
        ]
    return solids


def _wall(
    rng: np.random.Generator, quarter: int, floor: _Floor, height: float
) -> tuple[list[Solid], list[Light]]:
    """What hangs on a wall, side by side: windows, pictures, a door; and the windows' light."""
    breadth, reach = floor.half[:: -1 if quarter % 2 else 1]
    solids: list[Solid] = []
    lights: list[Light] = []
    yaw = quarter * np.pi / 2
    parts = max(1, int(2 * breadth / rng.uniform(1.3, 1.9)))
    for x in ((np.arange(parts) + 0.5) / parts * 2 - 1) * breadth:
        kind = rng.random()
        if kind < 0.3:
            w = rng.uniform(0.8, min(1.4, 2 * breadth / parts - 0.1))
            z = rng.uniform(1.45, 1.6)
            solids += _glazing(rng, x, reach, z, w, rng.uniform(1.0, 1.5))
            spot = turn(yaw) @ [x, reach - 0.5, z]
            day = rng.uniform(1.2, 2.2) * np.array([0.95, 1.0, 1.08])
            lights.append(Light(spot, day, radius=0.14, reach=2.5))
        elif kind < 0.68:
            solids += _pictures(rng, x, reach, rng.uniform(1.45, 1.75))
        elif kind < 0.76:
            panel = wood(rng)
            label = LABEL['wall']
            solids += [
                box((x, reach, 1.0), (0.98, 0.05, 2.06), label, panel),
                box((x, reach - 0.01, 1.0), (0.84, 0.06, 2.0), label, replace(panel, seed=1)),
                box(
                    (x + 0.35, reach - 0.06, 1.0),
                    (0.12, 0.05, 0.04),
                    LABEL['objects'],
                    Material('plain', (0.7, 0.65, 0.5), gloss=0.7),
                ),
            ]
    # Flat on the wall, they shade next to nothing.
    flat = [replace(solid, casts_shadow=False).moved((0, 0, 0), yaw) for solid in solids]
    return flat, lights


def _glazing(
    rng: np.random.Generator, x: float, y: float, z: float, width: float, height: float
) -> list[Solid]:
    """A window with its frame, perhaps with curtains or blinds."""
    label = LABEL['window']
    frame = Material('plain', tint(rng, (0.05, 0.12), (0, 0.4), (0.6, 0.95)))
    low, high = tint(rng, (0.2, 0.35), (0.2, 0.5), (0.4, 0.7)), (0.92, 0.97, 1.0)
    view = Material('view', high, low, 1.2, draw_seed(rng), gloss=0.95, glow=0.95)
    solids = [
        box((x, y, z), (width + 0.12, 0.05, height + 0.12), label, frame),
        box((x, y - 0.02, z), (width, 0.03, height), label, view),
        box((x, y - 0.03, z), (0.05, 0.05, height), label, frame),
        box((x, y - 0.03, z), (width, 0.05, 0.05), label, frame),
        box((x, y - 0.05, z - height / 2 - 0.06), (width + 0.2, 0.16, 0.03), label, frame),
    ]
    choice = rng.random()
    if choice < 0.55:
        curtain = replace(cloth(rng), pattern='folds', accent=None, scale=0.12)
        drop = z + height / 2 + 0.15
        for side in (-1, 1):
            w = rng.uniform(0.15, 0.35) * width + 0.1
            centre = (x + side * (width / 2 + 0.1 - w / 2), y - 0.12, drop / 2 + 0.1)
            solids.append(box(centre, (w, 0.08, drop - 0.2), label, curtain))
    elif choice < 0.75:
        slats = Material('stripes', (0.9, 0.88, 0.82), (0.7, 0.67, 0.6), 0.07, 0, glow=0.35)
        fall = height * rng.uniform(0.3, 0.9)
        solids.append(
            box((x, y - 0.07, z + (height - fall) / 2), (width, 0.02, fall), label, slats)
        )
    return solids


def _pictures(rng: np.random.Generator, x: float, y: float, z: float) -> list[Solid]:
    """One framed picture, or two."""
    solids = []
    number = int(rng.integers(1, 3))
    for i in range(number):
        w, h = rng.uniform(0.35, 0.9) / number**0.7, rng.uniform(0.35, 0.75)
        centre = x + (i - (number - 1) / 2) * 0.62
        frame = wood(rng)
        art = Material(
            pick(rng, 'cloud', 'cloud', 'view', 'checks'),
            tint(rng),
            tint(rng, value=(0.5, 1)),
            rng.uniform(0.5, 1.0),
            draw_seed(rng),
            gloss=float(rng.choice([0.0, 0.4])),
        )
        solids += [
            box((centre, y, z), (w, 0.05, h), LABEL['picture'], frame),
            box((centre, y - 0.015, z), (w - 0.07, 0.035, h - 0.07), LABEL['picture'], art),
        ]
    return solids


def _ceiling_lamp(rng: np.random.Generator, height: float) -> tuple[Solid, Light]:
    """A lamp below the ceiling, with its light."""
    x, y = rng.uniform(-0.6, 0.6, 2)
    drop = rng.uniform(0.1, 0.5)
    glass = Material('plain', (1.0, 0.96, 0.85), glow=1.0)
    ball = box((x, y, height - drop), (0.34, 0.34, 0.2), LABEL['objects'], glass, 0, 'ellipsoid')
    colour = rng.uniform(1.0, 1.8) * np.array(
        [1.0, rng.uniform(0.85, 0.97), rng.uniform(0.65, 0.9)]
    )
    light = Light(np.array([x, y, height - drop]), colour, radius=0.09, reach=3.0)
    return replace(ball, casts_shadow=False), light


def _maybe_unlabelled(rng: np.random.Generator, solid: Solid) -> Solid:
    """Annotators leave out some things."""
    skipped = {LABEL['objects']: 0.12, LABEL['furniture']: 0.03}.get(solid.label, 0.01)
    shell = solid.half.max() > 1.2
    return replace(solid, label=-1) if not shell and rng.random() < skipped else solid
