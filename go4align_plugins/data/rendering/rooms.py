"""`rooms`: furnished rooms seen by a depth camera, the twin of NYUv2."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from go4align_plugins.data.rendering.furniture import LABEL, OBJECTS, PIECES, Piece, cloth, wood
from go4align_plugins.data.rendering.raycast import Camera, Light, Scene
from go4align_plugins.data.rendering.solids import Solid, ball, box, moved, shadeless, turn
from go4align_plugins.data.rendering.textures import Array, Draw, Material

# For each kind of room the pieces that it always has along its walls, and those that it may have.
ALONG_WALLS = {
    'bedroom': (('bed', 'nightstand'), ('wardrobe', 'dresser', 'armchair', 'television')),
    'living': (('sofa', 'television'), ('bookshelf', 'armchair', 'sofa', 'sofa')),
    'office': (('table', 'bookshelf'), ('chair', 'bookshelf', 'dresser', 'table')),
    'dining': (('dresser',), ('bookshelf', 'television', 'chair')),
    'kitchen': (('kitchen',), ('wardrobe', 'table', 'chair')),
}


@dataclass
class _Room:
    """A room to furnish; its walls have the numbers of the quarter turns from the far one."""

    rng: Draw
    half: Array  # (2,) half its width and length in metres
    height: float
    taken: list[tuple[Array, Array]]  # two corners of each rectangle of floor in use
    solids: list[Solid] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)

    def place(self, piece: Piece, position: Array, quarter: int) -> bool:
        """Put the piece at ``position`` (2,), its back to a wall, if there is room."""
        size, solids = piece
        half = np.roll(size, quarter) / 2
        low, high = position - half, position + half
        inside = (np.maximum(-low, high) <= self.half + 1e-6).all()
        hits = any((low < other[1]).all() and (high > other[0]).all() for other in self.taken)
        if hits or not inside:
            return False
        self.taken.append((low, high))
        self.solids += moved(solids, (*position, 0.0), quarter * np.pi / 2)
        return True

    def along_wall(self, name: str) -> None:
        """Draw a piece against a wall, more often the far one or its neighbours, if it fits."""
        piece = PIECES[name](self.rng)
        for _ in range(12):
            quarter = int(self.rng.choice(4, p=[0.46, 0.26, 0.02, 0.26]))
            breadth, reach = np.roll(self.half, quarter)
            room = breadth - piece[0][0] / 2
            if room > 0:
                spot = [self.rng.uniform(-room, room), reach - piece[0][1] / 2 - 0.02, 0.0]
                if self.place(piece, (turn(quarter * np.pi / 2) @ spot)[:2], quarter):
                    return

    def furnish_middle(self, kind: str) -> None:
        """Put a table in the middle, with a rug and, but in a living room, chairs around it."""
        rng = self.rng
        spot = self.half * rng.uniform(-0.25, 0.25, 2) + [0.0, 0.15 * self.half[1]]
        piece = PIECES['coffee_table' if kind == 'living' else 'table'](rng)
        if not self.place(piece, spot, int(rng.integers(2))):
            return
        low, high = self.taken[-1]
        if kind != 'living':
            seat = PIECES['chair'](rng)
            x, y = (high - low) / 2 + seat[0][0] / 2 + rng.uniform(0.02, 0.15)
            # A chair's back is towards its own y: away from the table.
            for quarter, place in enumerate([(0, y), (-x, 0), (0, -y), (x, 0)]):
                if rng.random() < 0.8:
                    self.place(seat, (low + high) / 2 + place, quarter)
        if rng.random() < 0.7:
            w, d = (high - low) + rng.uniform(0.5, 1.2)
            rug = Material('cloud', rng.colour(), rng.colour(), rng.uniform(0.8, 1.6), rng.seed())
            self.solids.append(box((*(low + high) / 2, 0.006), (w, d, 0.012), LABEL['floor'], rug))

    def shell(self) -> list[Solid]:
        """Draw floor, ceiling and walls with skirting; none shades, as all light is within."""
        rng, height = self.rng, self.height
        planks = rng.material('planks', (0.04, 0.11), (0.3, 0.65), (0.3, 0.75), scale=(0.09, 0.16))
        tiles = rng.material('tiles', (0.05, 0.15), (0.05, 0.3), (0.5, 0.85), scale=(0.25, 0.5))
        carpet = rng.material('speckle', None, (0.05, 0.3), (0.4, 0.75))
        ground = rng.pick(planks, replace(tiles, gloss=0.15), carpet)
        paper = rng.material('plain', None, (0.04, 0.25), (0.65, 0.95))
        if rng.random() < 0.25:
            pattern, scale = rng.pick('stripes', 'cloud'), rng.uniform(0.12, 0.4)
            r, g, b = paper.colour
            paper = Material(pattern, (r, g, b), (0.9 * r, 0.9 * g, 0.9 * b), scale, rng.seed())
        white = rng.material('plain', (0, 0.17), (0, 0.06), (0.85, 0.97))
        board, slab = wood(rng), (*2 * self.half + 1, 0.2)
        solids = [
            box((0, 0, -0.1), slab, LABEL['floor'], ground),
            box((0, 0, height + 0.1), slab, LABEL['ceiling'], white),
        ]
        accent = replace(paper, colour=rng.colour(None, (0.2, 0.45), (0.4, 0.75)))
        for quarter in range(4):
            breadth, reach = np.roll(self.half, quarter) * [2, 1]
            coat = accent if quarter == 0 and rng.random() < 0.3 else paper
            spot, size = (0, reach + 0.1, height / 2), (breadth + 0.4, 0.2, height)
            plaster = box(spot, size, LABEL['wall'], coat)
            skirting = box((0, reach, 0.05), (breadth, 0.03, 0.1), LABEL['wall'], board)
            solids += moved([plaster, skirting], (0, 0, 0), quarter * np.pi / 2)
        return shadeless(*solids)

    def decorate_wall(self, quarter: int) -> None:
        """Draw windows with their light, pictures and doors side by side; they shade nothing."""
        rng, yaw, (breadth, reach) = self.rng, quarter * np.pi / 2, np.roll(self.half, quarter)
        parts = max(1, int(2 * breadth / rng.uniform(1.3, 1.9)))
        for x in ((np.arange(parts) + 0.5) / parts * 2 - 1) * breadth:
            kind, solids = rng.random(), list[Solid]()
            if kind < 0.3:
                w, z = rng.uniform(0.8, min(1.4, 2 * breadth / parts - 0.1)), rng.uniform(1.45, 1.6)
                solids = _window(rng, z, w, rng.uniform(1.0, 1.5))
                day = rng.uniform(1.2, 2.2) * np.array([0.95, 1.0, 1.08])
                spot = turn(yaw) @ [x, reach - 0.5, z]
                self.lights.append(Light(spot, day, radius=0.14, reach=2.5))
            elif kind < 0.68:
                solids = _pictures(rng, rng.uniform(1.45, 1.75))
            elif kind < 0.76:
                panel, metal = wood(rng), Material('plain', (0.7, 0.65, 0.5), gloss=0.7)
                solids = [
                    box((0, 0, 1.0), (0.98, 0.05, 2.06), LABEL['wall'], panel),
                    box((0, -0.01, 1.0), (0.84, 0.06, 2.0), LABEL['wall'], replace(panel, seed=1)),
                    box((0.35, -0.06, 1.0), (0.12, 0.05, 0.04), OBJECTS, metal),
                ]
            self.solids += shadeless(*moved(moved(solids, (x, reach, 0)), (0, 0, 0), yaw))


def _window(rng: Draw, z: float, width: float, height: float) -> list[Solid]:
    """Draw a window with its frame, perhaps with curtains or blinds."""
    label = LABEL['window']
    frame = Material('plain', rng.colour((0.05, 0.12), (0, 0.4), (0.6, 0.95)))
    low, high = rng.colour((0.2, 0.35), (0.2, 0.5), (0.4, 0.7)), (0.92, 0.97, 1.0)
    view = Material('view', high, low, 1.2, rng.seed(), gloss=0.95, glow=0.95)
    solids = [
        box((0, 0, z), (width + 0.12, 0.05, height + 0.12), label, frame),
        box((0, -0.02, z), (width, 0.03, height), label, view),
        box((0, -0.03, z), (0.05, 0.05, height), label, frame),
        box((0, -0.03, z), (width, 0.05, 0.05), label, frame),
        box((0, -0.05, z - height / 2 - 0.06), (width + 0.2, 0.16, 0.03), label, frame),
    ]
    choice = rng.random()
    if choice < 0.55:
        curtain = replace(cloth(rng), pattern='folds', accent=None, scale=0.12)
        top = z + height / 2 + 0.15
        for side in (-1, 1):
            w = rng.uniform(0.15, 0.35) * width + 0.1
            spot = side * (width / 2 + 0.1 - w / 2), -0.12, top / 2 + 0.1
            solids.append(box(spot, (w, 0.08, top - 0.2), label, curtain))
    elif choice < 0.75:
        slats = Material('stripes', (0.9, 0.88, 0.82), (0.7, 0.67, 0.6), 0.07, glow=0.35)
        fall = height * rng.uniform(0.3, 0.9)
        solids.append(box((0, -0.07, z + (height - fall) / 2), (width, 0.02, fall), label, slats))
    return solids


def _pictures(rng: Draw, z: float) -> list[Solid]:
    """Draw one framed picture, or two."""
    solids, label = [], LABEL['picture']
    number = int(rng.integers(1, 3))
    for x in (np.arange(number) - (number - 1) / 2) * 0.62:
        w, h = rng.uniform(0.35, 0.9) / number**0.7, rng.uniform(0.35, 0.75)
        frame, pattern = wood(rng), rng.pick('cloud', 'cloud', 'view', 'checks')
        colours = rng.colour(), rng.colour(value=(0.5, 1))
        scale, seed, gloss = rng.uniform(0.5, 1.0), rng.seed(), rng.choice([0.0, 0.4])
        art = Material(pattern, *colours, scale, seed, gloss)
        solids.append(box((x, 0, z), (w, 0.05, h), label, frame))
        solids.append(box((x, -0.015, z), (w - 0.07, 0.035, h - 0.07), label, art))
    return solids


def build_room(generator: np.random.Generator) -> Scene:
    """Draw a furnished room and a camera in it."""
    rng = Draw(generator.bit_generator)
    kind = rng.pick(*ALONG_WALLS)
    width, length, height = rng.uniforms((3.0, 5.5), (3.4, 6.5), (2.4, 2.9))
    if kind == 'kitchen':
        width, length = 0.8 * width, 0.8 * length
    stand = np.array([rng.uniform(-0.35, 0.35) * width, -length / 2 + rng.uniform(0.25, 0.9)])
    free = stand - 0.45, stand + np.array([0.45, 0.9])
    room = _Room(rng, np.array([width, length]) / 2, height, [free])
    always, others = ALONG_WALLS[kind]
    for name in always:
        room.along_wall(name)
    if kind == 'dining' or rng.random() < 0.5:
        room.furnish_middle(kind)
    for _ in range(rng.integers(2, 5)):
        room.along_wall(rng.pick(*others))
    for _ in range(rng.integers(1, 4)):
        room.along_wall('floor_thing')
    room.solids[:0] = room.shell()
    for quarter in range(4):
        room.decorate_wall(quarter)
    solids, lights = room.solids, room.lights[:1]
    if not lights or rng.random() < 0.6:
        centre = np.array([*rng.uniform(-0.6, 0.6, 2), height - rng.uniform(0.1, 0.5)])
        glass = Material('plain', (1.0, 0.96, 0.85), glow=1.0)
        solids += shadeless(ball(centre, (0.34, 0.34, 0.2), OBJECTS, glass))
        bright, *warm = rng.uniforms((1.0, 1.8), (0.85, 0.97), (0.65, 0.9))
        lights.append(Light(centre, bright * np.array([1.0, *warm]), radius=0.09, reach=3.0))
    # Annotators leave some things out.
    skipped = {OBJECTS: 0.12, LABEL['furniture']: 0.03}
    for number, solid in enumerate(solids):
        if solid.half.max() <= 1.2 and rng.random() < skipped.get(solid.label, 0.01):
            solids[number] = replace(solid, label=-1)
    warmth = np.array([1.0, rng.uniform(0.9, 1.0), rng.uniform(0.75, 1.05)])
    ambient = rng.uniform(0.16, 0.36) * np.stack([warmth * [1.0, 0.95, 0.88], warmth])
    x, y = rng.uniform(-0.3, 0.3, 2) * room.half + [0.0, 0.25 * length] - stand
    eye = np.array([*stand, rng.uniform(1.0, 1.7)])
    yaw, pitch = np.arctan2(-x, y) + rng.normal(0, 0.25), rng.uniform(-0.42, 0.02)
    camera = Camera(eye, yaw, pitch, rng.normal(0, 0.035), np.radians(rng.uniform(55, 60)))
    return Scene(camera, solids, lights, ambient)
