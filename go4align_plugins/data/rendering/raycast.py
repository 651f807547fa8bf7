"""Vectorised ray casting: a camera, the solid that each ray meets first, light and shadow.

Conventions are those of :mod:`~go4align_plugins.data.rendering.solids`; a camera's own
coordinates are x right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from go4align_plugins.data.rendering.solids import Array, Solid, dot, turn

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]).T
NEAREST = 0.05  # metres; a solid that reaches behind this plane may be anywhere in the image
HAZE = np.float32(0.75)  # brightness
RUN = 16  # neighbouring rays that are tested for shadow together
SKIN = np.float32(0.004)  # metres by which shadow rays start off their surface


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with square pixels; angles in radians."""

    position: Array  # (3,) in metres
    yaw: float = 0.0  # from the world's y axis, anticlockwise seen from above
    pitch: float = 0.0  # upwards
    roll: float = 0.0  # clockwise
    field_of_view: float = np.radians(57.0)  # across the width of the image

    @cached_property
    def axes(self) -> Array:
        """Right, down and forward in the world, as rows (3, 3)."""
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        pitched = np.array([[1.0, 0.0, 0.0], [0.0, sin, -cos], [0.0, cos, sin]])
        right, down, forward = pitched @ turn(self.yaw).T
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cos * right + sin * down, cos * down - sin * right, forward])

    def rays(self, rows: Array, columns: Array, size: tuple[int, int]) -> Array:
        """Directions (3, h, w) float32, one metre deep, through pixels; 0.5 is a pixel's centre."""
        pixel = 2 * np.tan(self.field_of_view / 2) / size[1]
        x, y = (columns - size[1] / 2) * pixel, (rows - size[0] / 2) * pixel
        right, down, forward = self.axes[:, :, None, None]
        return (right * x + down * y[:, None] + forward).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """A ball that shines; the sun is a ball far away."""

    position: Array  # (3,) in metres
    colour: Array  # (3,) brightness at the ball
    radius: float = 0.2  # in metres; softens the shadows
    reach: float = np.inf  # metres at which the brightness has halved; infinite for the sun


@dataclass(frozen=True)
class Scene:
    """A camera, and all that it sees."""

    camera: Camera
    solids: Sequence[Solid]  # where none of them is, is background
    lights: Sequence[Light]
    ambient: Array  # (2, 3) light from below and from above, without shadow
    background: Callable[[Array], Array] | None = None  # colours (3, N) of directions (3, N)
    background_label: int = -1
    visibility: float = np.inf  # metres at which haze has swallowed two thirds of a thing


def cast(
    solids: Sequence[Solid], camera: Camera, rows: Array, columns: Array, size: tuple[int, int]
) -> tuple[Array, Array]:
    """Find the first solid on each ray of :meth:`Camera.rays`.

    Returns its depth along the optical axis (h, w) float32 in metres, and its number (h, w) int16;
    infinity and -1 where there is none.
    """
    rays = camera.rays(rows, columns, size)
    depth = np.full(rays.shape[1:], np.inf, np.float32)
    which = np.full(rays.shape[1:], -1, np.int16)
    origin = camera.position.astype(np.float32)
    # Only the rays within a solid's projected bounding box can meet it.
    focal = size[1] / 2 / np.tan(camera.field_of_view / 2)
    corners = [s.centre[:, None] + s.axes.T @ (CORNERS * s.half[:, None]) for s in solids]
    relative = np.stack(corners) - camera.position[:, None]
    x, y, z = np.einsum('ij,sjk->isk', camera.axes, relative)
    whole, seen = z.min(axis=1) <= NEAREST, z.max(axis=1) > NEAREST
    z = np.maximum(z, NEAREST)
    windows = []
    for lines, marks, side in ((rows, y, size[0]), (columns, x, size[1])):
        marks = marks / z * focal + side / 2
        low = np.where(whole, 0, np.searchsorted(lines, marks.min(axis=1)))
        high = np.where(whole, lines.size, np.searchsorted(lines, marks.max(axis=1)))
        windows.append(list(map(slice, low, high)))
        seen &= low < high
    for number in np.flatnonzero(seen):
        window = windows[0][number], windows[1][number]
        found = solids[int(number)].meet(origin, rays[(slice(None), *window)])
        nearer = found < depth[window]
        depth[window][nearer] = found[nearer]
        which[window][nearer] = number
    return depth, which


def shadowed(solids: Sequence[Solid], points: Array, target: Array) -> Array:
    """Find (N,) whether a solid stands between points (3, N) and their targets (3, N)."""
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
    offset = np.stack([solid.centre for solid in solids], axis=1).astype(np.float32)[:, :, None]
    radii = np.array([[np.sqrt((solid.half**2).sum())] for solid in solids], np.float32)
    start, middle = start[:, None], middle[:, None]
    share = np.clip(dot(offset - start, middle) / np.maximum(dot(middle, middle), 1e-12), 0, 1)
    gap = start + share * middle - offset
    nearby = dot(gap, gap) < (radii + spread) ** 2
    for number in np.flatnonzero(nearby.any(axis=1)):
        chosen = runs[nearby[number]].ravel()
        chosen = chosen[~dark[chosen]]
        dark[chosen] = solids[number].meet(points.take(chosen, 1), way.take(chosen, 1)) < 1
    return dark


def shade(
    scene: Scene, points: Array, which: Array, openness: Array, spread: Array
) -> tuple[Array, Array, Array]:
    """Light the surfaces ``which`` (N,) that :func:`cast` has found at points (3, N).

    Where there is none (-1), points are directions. ``openness`` (N,) is the share of the ambient
    light that is left, ``spread`` (3, N) in the unit ball the part of a light that a point looks
    to. Returns the light (3, N) that reaches the camera, before exposure; outward normals (3, N) in
    the world, 0 for the background; and gloss (N,).
    """
    albedo, normal = np.zeros_like(points), np.zeros_like(points)
    gloss, glow = np.zeros_like(points[0]), np.zeros_like(points[0])
    order = np.argsort(which, kind='stable')
    bounds = np.searchsorted(which[order], np.arange(-1, len(scene.solids) + 1))
    if scene.background is not None:
        sky = order[: bounds[1]]
        albedo[:, sky], glow[sky] = scene.background(points[:, sky]), 1.0
    for solid, first, last in zip(scene.solids, bounds[1:], bounds[2:]):
        seen = order[first:last]
        if seen.size:
            places, own, normal[:, seen] = solid.surface(points[:, seen])
            albedo[:, seen] = solid.material.paint(places, own)
            gloss[seen], glow[seen] = solid.material.gloss, solid.material.glow

    below, above = scene.ambient.astype(np.float32)[:, :, None]
    lit = (below + (above - below) * (0.5 + 0.5 * normal[2])) * openness
    shine = np.zeros_like(points)
    toward = scene.camera.position.astype(np.float32)[:, None] - points
    away = np.sqrt(dot(toward, toward))
    toward /= away
    starts = points + SKIN * normal
    for light in scene.lights:
        target = light.position.astype(np.float32)[:, None] + np.float32(light.radius) * spread
        way = target - starts
        distance = np.sqrt(dot(way, way))
        slope = dot(normal, way) / distance
        facing = np.flatnonzero((slope > 0) & (which >= 0))
        reached = facing[~shadowed(scene.solids, starts[:, facing], target[:, facing])]
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
    return colour + (HAZE - colour) * haze, normal, gloss
