"""Ray casting, light, sensors and textures: values checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from go4align_plugins.data.rendering import raycast
from go4align_plugins.data.rendering.raycast import Camera, Light, Scene, shade, shadowed
from go4align_plugins.data.rendering.solids import ball, box, moved, shadeless
from go4align_plugins.data.rendering.textures import PATTERNS, Material

SIZE = (24, 32)
GREY = Material('plain', (0.5, 0.5, 0.5))
WALL = box((0, 2.5, 0), (40, 1, 40), 3, GREY)  # its near face is 2 m ahead of the origin
EYE = Camera(np.zeros(3))


def look(*solids, camera=EYE, baseline=1e-6):
    sensor = raycast.DepthSensor(baseline, nearest=0.1, farthest=100.0, grazing=0.0)
    scene = Scene(camera, solids, [Light(np.array([0, -1, 1]), np.ones(3))], np.ones((2, 3)) / 2)
    return raycast.record(scene, sensor, SIZE, np.random.default_rng(0))


def centre_ray(solid, camera=EYE):
    middle = np.array([4.0])
    return float(raycast.cast([solid], camera, middle, middle, (8, 8))[0][0, 0])


def test_a_wall_two_metres_ahead():
    seen = look(WALL)
    assert (seen.depth == 2).all()
    np.testing.assert_array_equal(seen.normal, np.broadcast_to([0, 0, -1], (*SIZE, 3)))
    assert set(np.unique(seen.label)) == {-1, 3}


def test_floor_and_ceiling_and_side_walls_face_the_camera():
    below, above = box((0, 0, -1.5), (90, 90, 1), 0, GREY), box((0, 0, 1.5), (90, 90, 1), 1, GREY)
    left = box((-1.5, 0, 0), (1, 90, 90), 2, GREY)
    floor, ceiling = look(below, above).normal[[-1, 0]]
    side = look(left).normal[0, 0]
    for seen, normal in (floor, [0, -1, 0]), (ceiling, [0, 1, 0]), (side, [1, 0, 0]):
        assert np.allclose(seen, normal, atol=1e-6)


@pytest.mark.parametrize(
    ('centre', 'form', 'depth'),
    [
        *(((0, 4, 0), {'shape': shape}, 3) for shape in ('box', 'cylinder', 'ellipsoid')),
        ((3, 4, 0), {'shape': 'cylinder'}, np.inf),
        ((0, -4, 0), {'shape': 'ellipsoid'}, np.inf),
        ((0, 0, 0), {}, np.inf),  # starts inside
        ((0, 4, 2), {}, np.inf),  # along a face
        ((0, 4, 2), {'taper': (0.5, 0.5)}, np.inf),
        # Half-way up, half of the taper has been lost; near its foot nothing.
        ((0, 4, 0), {'taper': (0.5, 0.5)}, 3.25),
        ((0, 4, 0.999), {'taper': (0.5, 0.5)}, 3),
    ],
)
def test_depth_of_each_shape_by_hand(centre, form, depth):
    assert centre_ray(box(centre, (2, 2, 2), 0, GREY, **form)) == pytest.approx(depth, abs=1e-3)


def test_depth_is_along_the_optical_axis_and_the_camera_turns():
    # A quarter turn to the left looks along -x; the wall there is 3 m away everywhere.
    side = box((-3.5, 0, 0), (1, 60, 60), 0, GREY)
    turned = Camera(np.zeros(3), yaw=np.pi / 2)
    np.testing.assert_allclose(look(side, camera=turned).depth, 3, rtol=1e-5)
    floor = box((0, 0, -2), (90, 90, 2), 0, GREY)
    assert centre_ray(floor, Camera(np.zeros(3), pitch=-np.pi / 6)) == pytest.approx(2)


def test_moving_a_solid_turns_it_about_the_origin():
    (turned,) = moved([box((1, 0, 0), (4, 2, 2), 0, GREY)], (0, 5, 0), np.pi / 2)
    np.testing.assert_allclose(turned.centre, [0, 6, 0], atol=1e-12)
    assert centre_ray(turned) == pytest.approx(4)


def test_nearest_solid_wins_whatever_the_order():
    near = ball((0, 1.5, 0), (0.5, 0.5, 0.5), 5, GREY)
    for solids in ((WALL, near), (near, WALL)):
        seen = look(*solids)
        assert seen.label[12, 16] == 5
        assert seen.depth[12, 16] < 1.3
        assert seen.depth[2, 2] == 2


def test_a_shadow_falls_behind_a_ball_only():
    solid = ball((0, 0, 1), (0.5, 0.5, 0.5), 0, GREY)
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 0, 2]], np.float32).T
    lamp = np.tile(np.array([[0], [0], [3]], np.float32), 3)
    np.testing.assert_array_equal(shadowed([solid], points, lamp), [True, False, False])
    assert not shadowed(shadeless(solid), points, lamp).any()


def test_a_facing_surface_is_lit_and_a_shaded_one_is_not():
    lamp, point = Light(np.zeros(3), np.ones(3), radius=0.0), np.array([[0], [2], [0]], np.float32)
    ray = point, np.zeros(1, int), np.ones(1, np.float32), np.zeros_like(point)
    screen, dark = box((0, 1, 0), (1, 0.1, 1), 0, GREY), np.zeros((2, 3))
    bare, *_ = shade(Scene(EYE, [WALL], [lamp], dark), *ray)
    shaded, *_ = shade(Scene(EYE, [WALL, screen], [lamp], dark), *ray)
    # The light of a white surface, times the square of the colour, tone 0.96 to 1.04.
    np.testing.assert_allclose(bare, 0.25, rtol=0.1)
    np.testing.assert_array_equal(shaded, 0)


def test_a_projector_leaves_a_shadow_beside_a_near_thing():
    seen = look(WALL, box((0, 1, 0), (0.4, 0.02, 0.4), 0, GREY), baseline=0.2)
    missing = seen.depth[..., 0] == 0
    # The projector is on the right, so the shadow is on the left of the board, on the wall.
    assert missing[12, :16].any()
    assert not missing[12, 16:].any()


@pytest.mark.parametrize('pattern', PATTERNS)
def test_patterns_stay_in_range_and_repeat(pattern):
    places = np.random.default_rng(0).uniform(-5, 5, (3, 500)).astype(np.float32)
    normals = np.tile(np.array([[0], [0], [1]], np.float32), 500)
    material = Material(pattern, (0.7, 0.4, 0.2), (0.1, 0.9, 0.5), 0.3, seed=2**29)
    colours = material.paint(places, normals)
    assert colours.dtype == np.float32
    assert 0 <= colours.min() <= colours.max() <= 1
    assert colours.std(axis=1).min() > 0.001
    np.testing.assert_array_equal(colours, material.paint(places, normals))
