"""Convex solids (boxes, cylinders, ellipsoids): where a ray meets one, and what is there.

World coordinates are metres, x right, y forward, z up. Vectors come first in every array,
``(3, ...)``: numpy is fastest that way. Products are written out or as ``einsum``, whose sums do
not depend on the number of threads as a BLAS's may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from go4align_plugins.data.rendering.textures import Material

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]).T
SHAPES = ('box', 'cylinder', 'ellipsoid')


def turn(yaw: float) -> np.ndarray:
    """Rotation (3, 3) by ``yaw`` radians about the vertical, anticlockwise seen from above."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dot product over the first axis; ``a`` (3,) or as ``b`` (3, ...)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@dataclass(frozen=True)
class Solid:
    """A convex solid with a label and a material.

    Attributes:
        shape: ``box``, ``cylinder`` (about its own z axis) or ``ellipsoid``.
        centre: (3,) in metres.
        half: (3,) half of its extent along its own axes, in metres.
        label: class number; -1 is unlabelled.
        material: its look.
        axes: (3, 3) its own axes in the world, as rows.
        taper: of a box: the share by which x and y shrink from the bottom to the top.
        casts_shadow: False for panes and lampshades.
    """

    shape: str
    centre: np.ndarray
    half: np.ndarray
    label: int
    material: Material
    axes: np.ndarray
    taper: tuple[float, float] = (0.0, 0.0)
    casts_shadow: bool = True

    @cached_property
    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """A box's faces in unit coordinates, as n (6, 3) and c (6,): inside is n . x <= c."""
        x, y = (share / 2 for share in self.taper)
        normals = [(1, 0, x), (-1, 0, x), (0, 1, y), (0, -1, y), (0, 0, 1), (0, 0, -1)]
        limits = [1 - x, 1 - x, 1 - y, 1 - y, 1, 1]
        return np.array(normals, np.float32), np.array(limits, np.float32)

    @cached_property
    def corners(self) -> np.ndarray:
        """(3, 8) corners of the bounding box in the world."""
        return self.centre[:, None] + self.axes.T @ (CORNERS * self.half[:, None])

    def to_unit(self, vectors: np.ndarray) -> np.ndarray:
        """World vectors (3, ...) along the solid's axes, in half extents."""
        matrix = (self.axes / self.half[:, None]).astype(np.float32)
        return np.einsum('ij,j...->i...', matrix, vectors)

    def moved(self, position: Sequence[float], yaw: float) -> Solid:
        """The solid turned about the origin by ``yaw`` radians, then moved by ``position``."""
        rotation = turn(yaw)
        centre = rotation @ self.centre + np.asarray(position)
        return replace(self, centre=centre, axes=self.axes @ rotation.T)

    def meet(self, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Multiple of ``direction`` at which rays enter the solid.

        Args:
            origin: (3,) or (3, ...) in the world.
            direction: (3, ...) in the world.

        Returns:
            (...) float32; infinite where a ray misses or starts inside.
        """
        centre = self.centre.reshape(3, *[1] * (origin.ndim - 1)).astype(np.float32)
        start, step = self.to_unit(origin - centre), self.to_unit(direction)
        if self.shape == 'box':
            enter, leave = (
                _within_planes(start, step, *self.planes)
                if any(self.taper)
                else _within_slabs(start, step)
            )
        elif self.shape == 'cylinder':
            enter, leave = _within_radius(start[:2], step[:2])
            bottom, top = _within_slabs(start[2:], step[2:])
            enter, leave = np.maximum(enter, bottom), np.minimum(leave, top)
        else:
            enter, leave = _within_radius(start, step)
        return np.where((enter < leave) & (enter > 0), enter, np.float32(np.inf))

    def surface(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is where on the surface.

        Args:
            points: (3, N) on the surface, in the world.

        Returns:
            Positions (3, N) along the solid's own axes in metres from its centre; outward normals
            (3, N) along its own axes; outward normals (3, N) in the world.
        """
        unit = self.to_unit(points - self.centre.astype(np.float32)[:, None])
        if self.shape == 'box':
            normals, limits = self.planes
            faces = np.einsum('fi,in->fn', normals, unit) - limits[:, None]
            slopes = normals.T[:, faces.argmax(axis=0)]
        else:
            slopes = unit.copy()
            if self.shape == 'cylinder':
                on_cap = np.abs(unit[2]) > np.hypot(unit[0], unit[1])
                slopes[:2, on_cap], slopes[2, ~on_cap] = 0.0, 0.0
        half = self.half.astype(np.float32)[:, None]
        own = slopes / half
        own /= np.sqrt(dot(own, own))
        return unit * half, own, np.einsum('ji,jn->in', self.axes.astype(np.float32), own)


def _within_planes(
    start: np.ndarray, step: np.ndarray, normals: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Multiples of ``step`` at which rays enter and leave the cut of half-spaces."""
    enter, leave = np.array(-np.inf, np.float32), np.array(np.inf, np.float32)
    for normal, limit in zip(normals, limits):
        speed = _not_zero(dot(normal, step))
        at = (limit - dot(normal, start)) / speed
        enter = np.maximum(enter, np.where(speed < 0, at, np.float32(-np.inf)))
        leave = np.minimum(leave, np.where(speed > 0, at, np.float32(np.inf)))
    return enter, leave


def _within_slabs(start: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multiples of ``step`` at which rays enter and leave -1 <= x <= 1 along each axis."""
    enter, leave = np.array(-np.inf, np.float32), np.array(np.inf, np.float32)
    for x, speed in zip(start, step):
        inverse = 1 / _not_zero(speed)
        one, other = (-1 - x) * inverse, (1 - x) * inverse
        enter = np.maximum(enter, np.minimum(one, other))
        leave = np.minimum(leave, np.maximum(one, other))
    return enter, leave


def _not_zero(speed: np.ndarray) -> np.ndarray:
    """Rays along a face count as slowly entering: missed from outside, no division by zero."""
    return np.where(np.abs(speed) < 1e-12, np.float32(-1e-12), speed)


def _within_radius(start: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multiples of ``step`` at which rays enter and leave the unit circle or sphere."""
    a = np.maximum(np.einsum('i...,i...->...', step, step), np.float32(1e-12))
    b = np.einsum('i,i...->...' if start.ndim == 1 else 'i...,i...->...', start, step)
    c = np.einsum('i...,i...->...', start, start) - 1
    root = b * b - a * c
    miss = root < 0
    root = np.sqrt(np.where(miss, 0, root))
    enter = np.where(miss, np.float32(np.inf), (-b - root) / a)
    return enter, (-b + root) / a


def box(
    centre: Sequence[float] | np.ndarray,
    size: Sequence[float] | np.ndarray,
    label: int,
    material: Material,
    yaw: float = 0.0,
    shape: str = 'box',
    taper: tuple[float, float] = (0.0, 0.0),
    casts_shadow: bool = True,
) -> Solid:
    """A solid by its full ``size`` (3,) in metres, upright and turned by ``yaw`` radians.

    Raises:
        ValueError: if the shape is unknown or a size is not positive.
    """
    if shape not in SHAPES:
        raise ValueError(f'Parameter `shape` should be one of {SHAPES}. Found `shape = {shape!r}`.')
    half = np.asarray(size, float) / 2
    if not (half > 0).all():
        raise ValueError(f'Parameter `size` should be positive. Found `size = {tuple(size)}`.')
    place = np.asarray(centre, float)
    return Solid(shape, place, half, label, material, turn(yaw).T, taper, casts_shadow)
