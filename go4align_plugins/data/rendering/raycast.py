"""Ray casting: first hits, light and shadow, and the recording by a camera and a depth sensor.

A camera's own coordinates are x right, y down, z forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from go4align_plugins.data.rendering.solids import Array, Solid, dot, turn
from go4align_plugins.data.rendering.textures import noise

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]).T
NEAREST = 0.05  # metres; a solid that reaches behind this plane may be anywhere in the image
HAZE = np.float32(0.75)  # brightness
RUN = 16  # neighbouring rays that are tested for shadow together
SKIN = np.float32(0.004)  # metres by which shadow rays start off their surface
# Four places in the unit ball, as columns.
TETRAHEDRON = np.array([(1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1)], np.float32) / 3**0.5
BRIGHTNESS = 0.42  # of an image, before the exposure's own luck
PARALLAX = 100  # baselines to the farthest thing that hides another from one eye alone
MARGIN = 0.012  # of the image's height, without labels


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


class DepthSensor(NamedTuple):
    """The limits within which depth can be measured."""

    baseline: float  # metres from the camera to its second eye, or projector, on the right
    nearest: float  # metres
    farthest: float  # metres
    grazing: float  # cosine to the surface's normal below which nothing comes back


class Frame(NamedTuple):
    """One frame, as on disk in MTAN's layout, all float32; 0 where depth is not measured.

    Normals are unit vectors towards the camera (x right, y down, z forward): a wall that faces it
    has (0, 0, -1). Streets have inverse depth, CityScapes' disparity in pixels over 256.
    """

    image: Array  # (H, W, 3) in [0, 1]
    label: Array  # (H, W) class number, or -1 where there is none
    depth: Array  # (H, W, 1) in metres along the optical axis, or inverse depth
    normal: Array | None  # (H, W, 3); None for streets


def cast(
    solids: Sequence[Solid], camera: Camera, rows: Array, columns: Array, size: tuple[int, int]
) -> tuple[Array, Array]:
    """Find the depth in metres and number (h, w) of each ray's first solid; else infinity, -1."""
    rays = camera.rays(rows, columns, size)
    depth = np.full(rays.shape[1:], np.inf, np.float32)
    which = np.full(rays.shape[1:], -1, np.int16)
    origin = camera.position.astype(np.float32)
    # Only the rays within a solid's projected bounding box can meet it.
    corners = [s.centre[:, None] + s.axes.T @ (CORNERS * s.half[:, None]) for s in solids]
    relative = np.stack(corners) - camera.position[:, None]
    x, y, z = np.einsum('ij,sjk->isk', camera.axes, relative)
    whole, seen = z.min(axis=1) <= NEAREST, z.max(axis=1) > NEAREST
    z, focal = np.maximum(z, NEAREST), size[1] / 2 / np.tan(camera.field_of_view / 2)
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
    solids, total = [solid for solid in solids if solid.casts_shadow], points.shape[1]
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
    """Light the surfaces ``which`` (N,) at points (3, N); -1 is background in that direction.

    ``openness`` (N,) is the share of the ambient light that is left, ``spread`` (3, N) the place
    in a light's unit ball to look to. Returns light (3, N) before exposure, outward normals (3, N)
    in the world (0 for the background), and gloss (N,).
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


def record(
    scene: Scene, sensor: DepthSensor, size: tuple[int, int], rng: np.random.Generator
) -> Frame:
    """Record a scene at ``size`` pixels; ``rng`` draws exposure, noise and gaps."""
    seed = int(rng.integers(1 << 30))
    # Rays half a pixel apart: every second one goes through a pixel's centre and gives the exact
    # maps; the image is the average over the rays of each pixel, so its edges are smooth.
    rows, columns = (np.arange(2 * side + 1) / 2 for side in size)
    centres = (..., slice(1, None, 2), slice(1, None, 2))
    rays = scene.camera.rays(rows, columns, size)
    depth, which = cast(scene.solids, scene.camera, rows, columns, size)
    there = which >= 0
    reached = np.where(there, depth, np.float32(sensor.farthest))
    origin = scene.camera.position.astype(np.float32)[:, None, None]
    points = np.where(there, origin + rays * reached, rays)
    # Four places on each light; a pixel's image weighs them equally.
    place = np.arange(rows.size)[:, None] % 2 * 2 + np.arange(columns.size) % 2
    spread = TETRAHEDRON[:, place].reshape(3, -1)
    openness = _openness(reached).ravel()
    found = shade(scene, points.reshape(3, -1), which.ravel(), openness, spread)
    light, outward, gloss = (array.reshape(-1, *which.shape) for array in found)
    which, depth, rays, outward = (array[centres] for array in (which, depth, rays, outward))
    label = np.array([*(solid.label for solid in scene.solids), scene.background_label])[which]
    # Nobody labels the margin, and in places the rims of classes.
    rim = np.any([np.diff(label, 1, axis, label.take([0], axis)) for axis in (0, 1)], axis=0)
    margin = max(1, round(MARGIN * size[0]))
    inner = np.pad(np.ones([side - 2 * margin for side in size], bool), margin)
    label = np.where(inner & ~(rim & (_patches(size, 5, seed) > 0.55)), label, -1)
    slant = -(rays * outward).sum(axis=0) / np.sqrt((rays**2).sum(axis=0))
    gaps = _patches(size, 9, seed + 1)
    measured = (depth >= sensor.nearest) & (depth <= sensor.farthest)
    measured &= slant > sensor.grazing * (1 + gaps)
    measured &= gaps > 0.9 * gloss[centres][0]
    # The second eye misses a point that is hidden from it by something not too far away.
    starts = points[centres][:, measured] + SKIN * outward[:, measured]
    eye, norm = scene.camera.position + sensor.baseline * scene.camera.axes[0], np.linalg.norm
    target = np.broadcast_to(eye.astype(np.float32)[:, None], starts.shape)
    reach = PARALLAX * sensor.baseline
    near = [each for each in scene.solids if norm(each.centre - eye) - norm(each.half) < reach]
    measured[measured] = ~shadowed(near, starts, target)
    depth, outward = (np.where(measured, array, np.float32(0)) for array in (depth, outward))
    normal = np.einsum('ij,jhw->hwi', scene.camera.axes.astype(np.float32), outward)
    label, normal = label.astype(np.float32), np.ascontiguousarray(normal)
    return Frame(_develop(light, rng), label, depth[..., None], normal)


def _openness(depth: Array) -> Array:
    """Share of the ambient light that is left in creases, where the surroundings are nearer."""
    nearness = 1 / depth.astype(np.float64)
    around = nearness
    reach = max(2, depth.shape[1] // 24)
    width = 2 * reach + 1
    for _ in range(2):
        sums = np.pad(around, [(0, 0), (reach + 1, reach)], 'edge').cumsum(axis=1)
        around = ((sums[:, width:] - sums[:, :-width]) / width).T
    return (1 - np.clip(1.5 * (around / nearness - 1), 0, 0.55)).astype(np.float32)


def _develop(light: Array, rng: np.random.Generator) -> Array:
    """Turn light (3, 2H+1, 2W+1) into an image (H, W, 3): exposure, tone, lens, noise."""
    exposure, grain = np.exp(rng.normal(0, 0.15)), rng.uniform(0.008, 0.022)
    level = max(float(np.sqrt(light).mean()), 1e-3)
    colour = np.sqrt(1 - np.exp(-light * np.float32(BRIGHTNESS * exposure / level**2)))
    colour = (colour[:, :-2:2] + colour[:, 2::2]) / 4 + colour[:, 1::2] / 2
    colour = (colour[:, :, :-2:2] + colour[:, :, 2::2]) / 4 + colour[:, :, 1::2] / 2
    _, height, width = colour.shape
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    colour *= (1 - 0.1 * (x**2 + y**2)).astype(np.float32)
    colour += np.float32(grain) * rng.standard_normal(colour.shape, dtype=np.float32)
    return np.ascontiguousarray(np.clip(colour, 0, 1).transpose(1, 2, 0))


def _patches(size: tuple[int, ...], number: float, seed: int) -> Array:
    """Noise (H, W) in [0, 1] with about ``number`` bumps down the image."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32) * np.float32(number / size[0])
    return noise(x, y, seed)
