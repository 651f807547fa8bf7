"""Resizing, and normals that are fitted to depth."""

import numpy as np
import pytest

from go4align_plugins.data.conversion import nyuv2
from go4align_plugins.data.conversion.geometry import fit_normals, resize_image, resize_nearest

SMALL = nyuv2.INTRINSICS.scaled(0.25, 0.25)


def test_resize_by_hand():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 1], image[0, 2] = 255, 51
    assert np.allclose(resize_image(image, (1, 2))[0, :, 0], [128 / 255, 13 / 255], atol=0.002)
    labels = np.arange(12).reshape(2, 6)
    assert resize_nearest(labels, (2, 2)).tolist() == [[1, 4], [7, 10]]
    assert resize_nearest(labels, (4, 6))[:, 0].tolist() == [0, 0, 6, 6]


V, U = np.mgrid[:120, :160]
RAYS = np.stack([(U - SMALL.cx) / SMALL.fx, (V - SMALL.cy) / SMALL.fy, np.ones(U.shape)], axis=-1)


def plane_depth(normal, distance):
    """Depth of the plane ``normal . X = -distance``; 0 where it is not seen within 10."""
    inverse = RAYS @ np.asarray(normal, float) / -distance
    return np.where(inverse > 0.1, 1 / np.where(inverse > 0.1, inverse, 1), 0)


def degrees(found, expected):
    return np.degrees(np.arccos(np.clip((found * expected).sum(-1), -1, 1)))


@pytest.mark.parametrize(
    'normal', [(0, 0, -1), (0.6, 0, -0.8), (0, -1, 0), (0, 0.9, -0.436), (0.48, -0.6, -0.64)]
)
def test_planes(normal):
    depth = plane_depth(normal, 1.3)
    normals = fit_normals(depth, SMALL)
    # At the rim of what is seen of a plane, a fit may lack neighbours: then there is no normal.
    fitted = np.linalg.norm(normals, axis=-1) > 0
    assert fitted[depth > 0].mean() > 0.97
    assert not fitted[depth == 0].any()
    assert degrees(normals, np.divide(normal, np.linalg.norm(normal)))[fitted].max() < 0.1
    assert ((normals * RAYS).sum(-1)[fitted] < 0).all()


def test_planes_at_a_depth_edge_do_not_mix():
    left, right = (0.6, 0, -0.8), (0, 0, -1)
    depth = plane_depth(left, 1.5)
    depth[:, 80:] = plane_depth(right, 4)[:, 80:]
    normals = fit_normals(depth, SMALL)
    assert degrees(normals[:, :80], left).max() < 0.1
    assert degrees(normals[:, 80:], right).max() < 0.1


def test_noise_and_holes():
    rng = np.random.default_rng(0)
    depth = plane_depth((0.6, 0, -0.8), 1.5)
    depth += rng.normal(0, 0.0015, depth.shape) * depth**2  # a Kinect's
    depth[rng.random(depth.shape) < 0.2] = 0
    normals = fit_normals(depth, SMALL)
    assert (normals[depth == 0] == 0).all()
    assert degrees(normals, (0.6, 0, -0.8))[depth > 0].mean() < 4
    assert not fit_normals(np.zeros((9, 9)), SMALL).any()


def test_sign_and_intrinsics_agree_with_real_frames(shared):
    camera = nyuv2.INTRINSICS.scaled(0.2, 0.2)
    for number in range(0, 300, 60):
        normals = fit_normals(shared['depth'][number].astype(float), camera, radius=1)
        assert np.median(degrees(normals, shared['normal'][number] / 127)) < 6
