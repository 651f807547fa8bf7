"""Vectorised ray casting: a camera, the solid that each ray meets first, light and shadow.

Conventions are those of :mod:`~go4align_plugins.data.rendering.solids`; a camera's own
coordinates are x right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from go4align_plugins.data.rendering.solids import Solid, dot, turn

NEAREST = 0.05  # metres; a solid that reaches behind this plane may be anywhere in the image
HAZE = np.float32(0.75)  # brightness
RUN = 16  # neighbouring rays that are tested for shadow together
SKIN = 0.004  # metres by which shadow rays start off their surface


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with square pixels.

    Attributes:
        position: (3,) in metres.
        yaw: radians from the world's y axis, anticlockwise seen from above.
        pitch: radians, upwards.
        roll: radians, clockwise.
        field_of_view: radians, across the width of the image.
    """

    position: np.ndarray
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    field_of_view: float = np.radians(57.0)

    @cached_property
    def axes(self) -> np.ndarray:
        """Right, down and forward in the world, as rows (3, 3)."""
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        pitched = np.array([[1.0, 0.0, 0.0], [0.0, sin, -cos], [0.0, cos, sin]])
        right, down, forward = pitched @ turn(self.yaw).T
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cos * right + sin * down, cos * down - sin * right, forward])

    def rays(self, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Directions through image points, one metre deep.

        Args:
            rows: (h,) in pixels; the first pixel's centre is 0.5.
            columns: (w,) likewise.
            size: height and width of the image in pixels.

        Returns:
            (3, h, w) float32 in world coordinates; a multiple t of one reaches depth t.
        """
        height, width = size
        pixel = 2 * np.tan(self.field_of_view / 2) / width
        x, y = (columns - width / 2) * pixel, (rows - height / 2) * pixel
        right, down, forward = self.axes[:, :, None, None]
        return (right * x + down * y[:, None] + forward).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """A ball that shines.

    Attributes:
        position: (3,) in metres; the sun is a ball far away.
        colour: (3,) brightness at the ball.
        radius: in metres; softens the shadows.
        reach: metres at which the brightness has halved; infinite for the sun.
    """

    position: np.ndarray
    colour: np.ndarray
    radius: float = 0.2
    reach: float = np.inf


@dataclass(frozen=True)
class Scene:
    """All that is to be seen.

    Attributes:
        camera: from where.
        solids: every solid; what none of them covers is background.
        lights: every light.
        ambient: (2, 3) light from below and from above, without shadow.
        background: colours (3, N) in [0, 1] of directions (3, N); None for a closed room.
        background_label: class number of the background.
        visibility: metres at which haze has swallowed two thirds of a thing.
    """

    camera: Camera
    solids: Sequence[Solid]
    lights: Sequence[Light]
    ambient: np.ndarray
    background: Callable[[np.ndarray], np.ndarray] | None = None
    background_label: int = -1
    visibility: float = np.inf


def cast(
    solids: Sequence[Solid],
    camera: Camera,
    rows: np.ndarray,
    columns: np.ndarray,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """What each ray through ``rows`` and ``columns`` (as in :meth:`Camera.rays`) meets first.

    Returns:
        Depth along the optical axis (h, w) float32 in metres, infinite where there is nothing; and
        the number of the solid (h, w) int16, -1 where there is none.
    """
    rays = camera.rays(rows, columns, size)
    depth = np.full(rays.shape[1:], np.inf, np.float32)
    which = np.full(rays.shape[1:], -1, np.int16)
    origin = camera.position.astype(np.float32)
    # Only the rays within a solid's projected bounding box can meet it.
    focal = size[1] / 2 / np.tan(camera.field_of_view / 2)
    corners = np.stack([solid.corners for solid in solids]) - camera.position[:, None]
    x, y, z = np.einsum('ij,sjk->isk', camera.axes, corners)
    whole = z.min(axis=1) <= NEAREST
    z = np.maximum(z, NEAREST)
    across = _windows(columns, x / z * focal + size[1] / 2, whole)
    down = _windows(rows, y / z * focal + size[0] / 2, whole)
    seen = (z.max(axis=1) > NEAREST) & (across[0] < across[1]) & (down[0] < down[1])
    for number in np.flatnonzero(seen):
        solid = solids[int(number)]
        window = slice(*down[:, number]), slice(*across[:, number])
        found = solid.meet(origin, rays[(slice(None), *window)])
        nearer = found < depth[window]
        depth[window][nearer] = found[nearer]
        which[window][nearer] = number
    return depth, which


def _windows(lines: np.ndarray, marks: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """First and last (2, S) of the rising ``lines`` among the marks (S, 8), or all of them."""
    low = np.where(whole, 0, np.searchsorted(lines, marks.min(axis=1)))
    return np.stack([low, np.where(whole, lines.size, np.searchsorted(lines, marks.max(axis=1)))])


def shadowed(solids: Sequence[Solid], points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Whether a solid stands between each point and its target.

    Args:
        solids: those with ``casts_shadow`` count.
        points: (3, N) float32, off the surfaces by a little.
        target: (3, N) float32, such as a place on a light.

    Returns:
        (N,) bool.
    """
    solids = [solid for solid in solids if solid.casts_shadow]
    total = points.shape[1]
    dark = np.zeros(total, bool)
    if not solids or not total:
        return dark
    way = target - points
    # First for runs of neighbouring points at once: few of them pass near any one solid.
    runs = np.arange(-(-total // RUN) * RUN).clip(max=total - 1).reshape(-1, RUN)
    start, middle = points[:, runs].mean(axis=2), way[:, runs].mean(axis=2)
    # Between its ends, no ray of a run is farther from the run's middle than at one of them.
    ends = points[:, runs] - start[:, :, None], target[:, runs] - (start + middle)[:, :, None]
    spread = np.sqrt(np.maximum(*(dot(end, end).max(axis=1) for end in ends)))
    centres = np.stack([solid.centre for solid in solids], axis=1).astype(np.float32)[:, :, None]
    radii = np.array([[np.sqrt((solid.half**2).sum())] for solid in solids], np.float32)
    nearby = _near(centres, radii + spread, start[:, None], middle[:, None])
    for number in np.flatnonzero(nearby.any(axis=1)):
        chosen = runs[nearby[number]].ravel()
        chosen = chosen[~dark[chosen]]
        dark[chosen] = solids[number].meet(points.take(chosen, 1), way.take(chosen, 1)) < 1
    return dark


def _near(centre: np.ndarray, radius: np.ndarray, start: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Whether the stretch from ``start`` along ``way`` comes into a ball; shapes broadcast."""
    share = np.clip(dot(centre - start, way) / np.maximum(dot(way, way), 1e-12), 0, 1)
    gap = start + share * way - centre
    return dot(gap, gap) < radius**2


@dataclass(frozen=True)
class Shaded:
    """What :func:`shade` finds for each ray, flattened to N rays.

    Attributes:
        light: (3, N) float32 light that reaches the camera, before exposure.
        normal: (3, N) float32 outward normals in the world; 0 for the background.
        gloss: (N,) float32, of the materials.
    """

    light: np.ndarray
    normal: np.ndarray
    gloss: np.ndarray


def shade(
    scene: Scene, points: np.ndarray, which: np.ndarray, openness: np.ndarray, spread: np.ndarray
) -> Shaded:
    """Lights what :func:`cast` has found.

    Args:
        scene: solids, lights and background.
        points: (3, N) float32 where the rays end; directions for the background.
        which: (N,) numbers of the solids, -1 for the background.
        openness: (N,) share of the ambient light that reaches the points.
        spread: (3, N) places in the unit ball, the part of a light that each point looks to.
    """
    albedo, glow, normal, gloss = _surfaces(scene, points, which)
    below, above = scene.ambient.astype(np.float32)[:, :, None]
    lit = (below + (above - below) * (0.5 + 0.5 * normal[2])) * openness
    shine = np.zeros_like(points)
    toward = scene.camera.position.astype(np.float32)[:, None] - points
    away = np.sqrt(dot(toward, toward))
    toward /= away
    starts = points + np.float32(SKIN) * normal
    for light in scene.lights:
        target = light.position.astype(np.float32)[:, None] + np.float32(light.radius) * spread
        way = target - starts
        distance = np.sqrt(dot(way, way))
        slope = dot(normal, way) / distance
        facing = np.flatnonzero((slope > 0) & (which >= 0))
        dark = shadowed(scene.solids, starts[:, facing], target[:, facing])
        reached = facing[~dark]
        power = np.float32(1) / (1 + (distance[reached] / np.float32(light.reach)) ** 2)
        colour = light.colour.astype(np.float32)[:, None]
        lit[:, reached] += colour * (power * slope[reached])
        bright = gloss[reached] > 0
        seen = reached[bright]
        halfway = way[:, seen] / distance[seen] + toward[:, seen]
        mirror = dot(normal[:, seen], halfway) / np.sqrt(dot(halfway, halfway))
        shine[:, seen] += colour * (gloss[seen] * power[bright] * mirror**50)
    colour = albedo**2 * (lit * (1 - glow) + glow) + shine
    haze = np.where(which < 0, 0, 1 - np.exp(-away / np.float32(scene.visibility)))
    return Shaded(colour + (HAZE - colour) * haze, normal, gloss)


def _surfaces(
    scene: Scene, points: np.ndarray, which: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colour (3, N), glow (N,), outward normal (3, N) and gloss (N,) of what is seen."""
    albedo, normal = np.zeros_like(points), np.zeros_like(points)
    gloss, glow = np.zeros_like(points[0]), np.zeros_like(points[0])
    order = np.argsort(which, kind='stable')
    bounds = np.searchsorted(which[order], np.arange(-1, len(scene.solids) + 1))
    if scene.background is not None:
        sky = order[: bounds[1]]
        albedo[:, sky], glow[sky] = scene.background(points[:, sky]), 1.0
    for number, solid in enumerate(scene.solids):
        seen = order[bounds[number + 1] : bounds[number + 2]]
        if seen.size:
            places, own, normal[:, seen] = solid.surface(points[:, seen])
            albedo[:, seen] = solid.material.paint(places, own)
            gloss[seen], glow[seen] = solid.material.gloss, solid.material.glow
    return albedo, glow, normal, gloss
