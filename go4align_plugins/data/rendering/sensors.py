"""From a scene to the recording of a camera and a depth sensor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from go4align_plugins.data.rendering.raycast import SKIN, Scene, cast, shade, shadowed
from go4align_plugins.data.rendering.textures import Array, noise

# Four places in the unit ball, as columns.
TETRAHEDRON = np.array([(1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1)], np.float32) / 3**0.5
BRIGHTNESS = 0.42  # of an image, before the exposure's own luck
PARALLAX = 100  # baselines to the farthest thing that hides another from one eye alone
MARGIN = 0.012  # of the image's height, without labels


class DepthSensor(NamedTuple):
    """The limits within which depth can be measured."""

    baseline: float  # metres from the camera to its second eye, or projector, on the right
    nearest: float  # metres
    farthest: float  # metres
    grazing: float  # cosine to the surface's normal below which nothing comes back


class Record(NamedTuple):
    """An image with its labels, the true geometry, and the reach of the sensor."""

    image: Array  # (H, W, 3) float32 in [0, 1]
    label: Array  # (H, W) float32; -1 where nobody labels
    depth: Array  # (H, W) float32 in metres along the optical axis; infinite for the background
    normal: Array  # (H, W, 3) float32 unit vectors in the camera's coordinates
    measured: Array  # (H, W) bool; whether the sensor gets a depth


def record(
    scene: Scene, sensor: DepthSensor, size: tuple[int, int], rng: np.random.Generator
) -> Record:
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
    labels = np.array([solid.label for solid in scene.solids] + [scene.background_label])
    label = labels[which]
    # Nobody labels the margin, and in places the rims of classes.
    margin, rim = max(1, round(MARGIN * size[0])), np.zeros(size, bool)
    rim[:, 1:] |= label[:, 1:] != label[:, :-1]
    rim[1:] |= label[1:] != label[:-1]
    labelled = np.zeros(size, bool)
    labelled[margin:-margin, margin:-margin] = True
    label = np.where(labelled & ~(rim & (_patches(size, 5, seed) > 0.55)), label, -1)

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
    axes = scene.camera.axes.astype(np.float32)
    normal = np.ascontiguousarray(np.einsum('ij,jhw->hwi', axes, outward))
    return Record(_develop(light, rng), label.astype(np.float32), depth, normal, measured)


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
