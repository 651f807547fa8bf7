"""Convex solids (boxes, cylinders, ellipsoids): how to build them, and where a ray meets one.

World coordinates are metres, x right, y forward, z up. Vectors come first in every array,
``(3, ...)``: numpy is fastest that way. Products are written out or as ``einsum``, whose sums do
not depend on the number of threads as a BLAS's may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from go4align_plugins.data.rendering.textures import Array, Material

ROUND_AXES = {'box': 0, 'cylinder': 2, 'ellipsoid': 3}  # how many of the axes a shape is round in
INFINITY = np.float32(np.inf)


def turn(yaw: float) -> Array:
    """Rotation (3, 3) by ``yaw`` radians about the vertical, anticlockwise seen from above."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def dot(a: Array, b: Array) -> Array:
    """Dot product over the first axis; ``a`` (3,) or as ``b`` (3, ...)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@dataclass(frozen=True)
class Solid:
    """A convex solid with a label and a material."""

    centre: Array  # (3,) in metres
    half: Array  # (3,) half of its extent along its own axes, in metres
    label: int  # class number; -1 is unlabelled
    material: Material
    axes: Array  # (3, 3) its own axes in the world, as rows
    shape: str = 'box'  # a name in ROUND_AXES; a cylinder stands along its own z axis
    taper: tuple[float, float] = (0.0, 0.0)  # share by which a box's top is shorter in x and y
    casts_shadow: bool = True

    @cached_property
    def planes(self) -> tuple[Array, Array]:
        """A box's faces in unit coordinates, as n (6, 3) and c (6,): inside is n . x <= c."""
        x, y = (share / 2 for share in self.taper)
        normals = [(1, 0, x), (-1, 0, x), (0, 1, y), (0, -1, y), (0, 0, 1), (0, 0, -1)]
        limits = [1 - x, 1 - x, 1 - y, 1 - y, 1, 1]
        return np.array(normals, np.float32), np.array(limits, np.float32)

    def to_unit(self, vectors: Array) -> Array:
        """World vectors (3, ...) along the solid's axes, in half extents."""
        matrix = (self.axes / self.half[:, None]).astype(np.float32)
        return np.einsum('ij,j...->i...', matrix, vectors)

    def meet(self, origin: Array, direction: Array) -> Array:
        """Multiple of ``direction`` (3, ...) at which rays enter; infinity if not from outside."""
        centre = self.centre.reshape(3, *[1] * (origin.ndim - 1)).astype(np.float32)
        spans = self._spans(self.to_unit(origin - centre), self.to_unit(direction))
        enters, leaves = zip(*spans)
        enter, leave = reduce(np.maximum, enters), reduce(np.minimum, leaves)
        return np.where((enter < leave) & (enter > 0), enter, INFINITY)

    def _spans(self, start: Array, step: Array) -> Iterator[tuple[Array, Array]]:
        """Multiples of a ray's step at which it enters and leaves each pair of sides."""
        number = ROUND_AXES[self.shape]
        if any(self.taper):
            for normal, limit in zip(*self.planes):
                speed = _not_zero(dot(normal, step))
                at = (limit - dot(normal, start)) / speed
                yield np.where(speed < 0, at, -INFINITY), np.where(speed > 0, at, INFINITY)
            return
        if number:
            products = partial(np.einsum, 'i...,i...->...')
            x, speed = start[:number], step[:number]
            a, b = np.maximum(products(speed, speed), np.float32(1e-12)), products(x, speed)
            discriminant = b * b - a * (products(x, x) - 1)
            root = np.sqrt(np.maximum(discriminant, 0))
            yield np.where(discriminant < 0, INFINITY, (-b - root) / a), (-b + root) / a
        for x, speed in zip(start[number:], step[number:]):
            inverse = 1 / _not_zero(speed)
            one, other = (-1 - x) * inverse, (1 - x) * inverse
            yield np.minimum(one, other), np.maximum(one, other)

    def surface(self, points: Array) -> tuple[Array, Array, Array]:
        """Map points (3, N) on the surface to own metres, own outward normals, and the world's."""
        unit = self.to_unit(points - self.centre.astype(np.float32)[:, None])
        if self.shape == 'box':
            normals, limits = self.planes
            faces = np.einsum('fi,in->fn', normals, unit) - limits[:, None]
            slopes = normals.T[:, faces.argmax(axis=0)]
        elif self.shape == 'cylinder':
            on_cap = np.abs(unit[2]) > np.hypot(unit[0], unit[1])
            slopes = unit * [~on_cap, ~on_cap, on_cap]
        else:
            slopes = unit
        half = self.half.astype(np.float32)[:, None]
        own = slopes / half
        own /= np.sqrt(dot(own, own))
        return unit * half, own, np.einsum('ji,jn->in', self.axes.astype(np.float32), own)


def _not_zero(speed: Array) -> Array:
    """Let rays along a face enter slowly: missed from outside, no division by zero."""
    return np.where(np.abs(speed) < 1e-12, np.float32(-1e-12), speed)


def box(
    centre: ArrayLike, size: ArrayLike, label: int, look: Material, yaw: float = 0.0, **rest: Any
) -> Solid:
    """Build a solid by its full ``size`` (3,) in metres, upright and turned by ``yaw`` radians."""
    half = np.asarray(size, float) / 2
    return Solid(np.asarray(centre, float), half, label, look, turn(yaw).T, **rest)


cylinder = partial(box, shape='cylinder')
ball = partial(box, shape='ellipsoid')
decal = partial(box, casts_shadow=False)


def moved(solids: Iterable[Solid], position: ArrayLike, yaw: float = 0.0) -> list[Solid]:
    """Turn solids about the origin by ``yaw`` radians, then move them by ``position``."""
    turned = turn(yaw)
    return [
        replace(solid, centre=turned @ solid.centre + position, axes=solid.axes @ turned.T)
        for solid in solids
    ]


def shadeless(*solids: Solid) -> list[Solid]:
    """Take the shadows from solids."""
    return [replace(solid, casts_shadow=False) for solid in solids]
