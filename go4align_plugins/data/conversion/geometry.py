"""Resizing, and surface normals from depth: a plane fitted around every pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from go4align_plugins.utils.optional import import_optional

STEEPEST = 0.25  # share of the inverse depth by which a surface may rise within half a window


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Averages (H, W, 3) uint8 over the area of each new pixel: float32 in [0, 1]."""
    pillow = import_optional('PIL.Image')
    resized = pillow.fromarray(image).resize(size[::-1], pillow.Resampling.BOX)
    return np.asarray(resized, dtype=np.float32) / 255


def resize_nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Takes, for each new pixel, the old one under its centre: labels must not be mixed."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(size, array.shape[:2])
    )
    return array[rows[:, None], columns]


class Intrinsics(NamedTuple):
    """A pinhole camera: focal lengths and principal point in pixels (first pixel's centre at 0)."""

    fx: float
    fy: float
    cx: float
    cy: float

    def scaled(self, x: float, y: float) -> Intrinsics:
        """The same camera with ``x`` times as many columns and ``y`` times as many rows."""
        return Intrinsics(
            self.fx * x, self.fy * y, (self.cx + 0.5) * x - 0.5, (self.cy + 0.5) * y - 0.5
        )


def fit_normals(
    depth: np.ndarray, intrinsics: Intrinsics, radius: int = 8, edge: float = 0.05
) -> np.ndarray:
    """Fits a plane to the surface around every pixel, and returns the planes' normals.

    On a plane the inverse depth is affine in the pixel's ray ``(u, v, 1)``: from ``n . X = d`` and
    ``X = z (u, v, 1)`` follows ``1 / z = (n / d) . (u, v, 1)``. So a linear least-squares fit of
    the inverse depth gives the normal, exactly for a plane; it is also where a Kinect's and a
    stereo camera's noise is the same at any distance.

    The depth (H, W) lies along the optical axis, 0 where it is not measured. Every other row and
    column within the radius is used, but for pixels off the centre's own slope by more than the
    share ``edge`` of its inverse depth: they belong to another surface. Normals (H, W, 3) float32
    are towards the camera (x right, y down, z forward), and 0 where no plane fits.
    """
    height, width = depth.shape
    valid = depth > 0
    inverse = np.divide(1.0, depth, out=np.zeros(depth.shape), where=valid)
    padded = np.pad(inverse, radius)

    def shifted(dx: int, dy: int) -> np.ndarray:
        return padded[radius + dy :, radius + dx :][:height, :width]

    # Moments of the window's pixels about its centre: count, ray offsets, rise of inverse depth.
    reach = max(1, radius // 2)
    slope_x = _flatter_slope(shifted(-reach, 0), inverse, shifted(reach, 0)) / reach
    slope_y = _flatter_slope(shifted(0, -reach), inverse, shifted(0, reach)) / reach
    sums = np.zeros((9, height, width))
    for dy in range(-radius, radius + 1, 2):
        for dx in range(-radius, radius + 1, 2):
            neighbour = shifted(dx, dy)
            rise = neighbour - inverse
            used = np.abs(rise - slope_x * dx - slope_y * dy) <= edge * inverse
            used &= neighbour > 0
            rise = np.where(used, rise, 0)
            x, y = dx / intrinsics.fx, dy / intrinsics.fy
            for total, factor in zip(sums[:6], (1.0, x, y, x * x, x * y, y * y)):
                total += factor * used
            for total, factor in zip(sums[6:], (1.0, x, y)):
                total += factor * rise
    weight, sx, sy, sxx, sxy, syy, sq, sqx, sqy = sums

    # Covariances times weight; the slopes (a, b) solve the 2 x 2 normal equations.
    weight = np.maximum(weight, 1)
    cxx, cxy, cyy = sxx - sx * sx / weight, sxy - sx * sy / weight, syy - sy * sy / weight
    cqx, cqy = sqx - sq * sx / weight, sqy - sq * sy / weight
    determinant = cxx * cyy - cxy * cxy
    fits = valid & (determinant > 1e-6 * (cxx + cyy) ** 2)
    determinant = np.where(fits, determinant, 1)
    a = (cqx * cyy - cqy * cxy) / determinant
    b = (cqy * cxx - cqx * cxy) / determinant
    # The fitted plane's own inverse depth at the centre, then at the optical axis.
    centre = inverse + (sq - a * sx - b * sy) / weight
    u = (np.arange(width) - intrinsics.cx) / intrinsics.fx
    v = (np.arange(height) - intrinsics.cy)[:, None] / intrinsics.fy
    plane = np.stack([a, b, centre - a * u - b * v], axis=-1)
    length = np.linalg.norm(plane, axis=-1, keepdims=True)
    # (n / d) . ray = 1 / z > 0 points away from the camera: the sign is turned.
    fits = fits[..., None] & (length > 0)
    return np.where(fits, -plane / np.where(length > 0, length, 1), 0).astype(np.float32)


def _flatter_slope(before: np.ndarray, centre: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The smaller one-sided difference: at the edge of a surface, the one within it."""
    backward = np.where(before > 0, centre - before, np.inf)
    forward = np.where(after > 0, after - centre, np.inf)
    flatter = np.where(np.abs(forward) < np.abs(backward), forward, backward)
    # Steeper on both sides than any surface is seen: something thin, taken to be flat.
    return np.where(np.abs(flatter) <= STEEPEST * centre, flatter, 0)
