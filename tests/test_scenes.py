"""The embedded data: geometry checked by hand, then what holds for every frame."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from go4align_plugins.benchmarks.raycast import Camera, Light, Scene, cast, shade, shadowed
from go4align_plugins.benchmarks.rooms import build_room
from go4align_plugins.benchmarks.scenes import DISPARITY, SENSORS, Frame, class_colours, render
from go4align_plugins.benchmarks.sensors import DepthSensor, Record, record
from go4align_plugins.benchmarks.solids import Solid, box
from go4align_plugins.benchmarks.table import BENCHMARKS
from go4align_plugins.benchmarks.textures import PATTERNS, Material

SIZE = (24, 32)
GREY = Material('plain', (0.5, 0.5, 0.5))
WALL = box((0, 2.5, 0), (40, 1, 40), 3, GREY)  # its near face is 2 m ahead of the origin
EYE = Camera(np.zeros(3))
SHARP = DepthSensor(baseline=1e-6, nearest=0.1, farthest=100.0, grazing=0.0)
BOTH = pytest.mark.parametrize('benchmark', ['rooms', 'streets'])


def look(*solids: Solid, camera: Camera = EYE, sensor: DepthSensor = SHARP) -> Record:
    scene = Scene(camera, solids, [Light(np.array([0, -1, 1]), np.ones(3))], np.ones((2, 3)) / 2)
    return record(scene, sensor, SIZE, np.random.default_rng(0))


def centre_ray(solid: Solid, camera: Camera = EYE) -> float:
    middle = np.array([4.0])
    return float(cast([solid], camera, middle, middle, (8, 8))[0][0, 0])


def test_a_wall_two_metres_ahead() -> None:
    seen = look(WALL)
    assert (seen.depth == 2).all()
    np.testing.assert_array_equal(seen.normal, np.broadcast_to([0, 0, -1], (*SIZE, 3)))
    assert seen.measured.all()
    assert set(np.unique(seen.label)) == {-1, 3}


def test_floor_and_ceiling_and_side_walls_face_the_camera() -> None:
    below, above = box((0, 0, -1.5), (90, 90, 1), 0, GREY), box((0, 0, 1.5), (90, 90, 1), 1, GREY)
    left = box((-1.5, 0, 0), (1, 90, 90), 2, GREY)
    seen = look(below, above)
    np.testing.assert_allclose(seen.normal[-1], np.tile([0, -1, 0], (SIZE[1], 1)), atol=1e-6)
    np.testing.assert_allclose(seen.normal[0], np.tile([0, 1, 0], (SIZE[1], 1)), atol=1e-6)
    np.testing.assert_allclose(look(left).normal[0, 0], [1, 0, 0], atol=1e-6)


@pytest.mark.parametrize('shape', ['box', 'cylinder', 'ellipsoid'])
def test_depth_of_each_shape_by_hand(shape: str) -> None:
    assert centre_ray(box((0, 4, 0), (2, 2, 2), 0, GREY, shape=shape)) == pytest.approx(3)
    assert centre_ray(box((3, 4, 0), (2, 2, 2), 0, GREY, shape=shape)) == np.inf
    assert centre_ray(box((0, -4, 0), (2, 2, 2), 0, GREY, shape=shape)) == np.inf
    assert centre_ray(box((0, 0, 0), (2, 2, 2), 0, GREY, shape=shape)) == np.inf


def test_a_ray_along_a_face_misses_from_outside() -> None:
    assert centre_ray(box((0, 4, 2), (2, 2, 2), 0, GREY)) == np.inf
    assert centre_ray(box((0, 4, 2), (2, 2, 2), 0, GREY, taper=(0.5, 0.5))) == np.inf


def test_a_tapered_box_narrows_upwards() -> None:
    roof = box((0, 4, 0), (2, 2, 2), 0, GREY, taper=(0.5, 0.5))
    # Half-way up, half of the taper has been lost: the face is at 3 + 0.25.
    assert centre_ray(roof) == pytest.approx(3.25)
    origin, ahead = np.array([0, 0, -0.999]), np.array([[0.0], [1.0], [0.0]])
    assert roof.meet(origin, ahead)[0] == pytest.approx(3, abs=1e-3)


def test_depth_is_along_the_optical_axis_and_the_camera_turns() -> None:
    # A quarter turn to the left looks along -x; the wall there is 3 m away everywhere.
    side = box((-3.5, 0, 0), (1, 60, 60), 0, GREY)
    turned = Camera(np.zeros(3), yaw=np.pi / 2)
    np.testing.assert_allclose(look(side, camera=turned).depth, 3, rtol=1e-5)
    floor = box((0, 0, -2), (90, 90, 2), 0, GREY)
    assert centre_ray(floor, Camera(np.zeros(3), pitch=-np.pi / 6)) == pytest.approx(2)


def test_moving_a_solid_turns_it_about_the_origin() -> None:
    moved = box((1, 0, 0), (4, 2, 2), 0, GREY).moved((0, 5, 0), np.pi / 2)
    np.testing.assert_allclose(moved.centre, [0, 6, 0], atol=1e-12)
    assert centre_ray(moved) == pytest.approx(4)


def test_nearest_solid_wins_whatever_the_order() -> None:
    ball = box((0, 1.5, 0), (0.5, 0.5, 0.5), 5, GREY, shape='ellipsoid')
    for solids in ((WALL, ball), (ball, WALL)):
        seen = look(*solids)
        assert seen.label[12, 16] == 5
        assert seen.depth[12, 16] < 1.3
        assert seen.depth[2, 2] == 2


def test_a_shadow_falls_behind_a_ball_only() -> None:
    ball = box((0, 0, 1), (0.5, 0.5, 0.5), 0, GREY, shape='ellipsoid')
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 0, 2]], np.float32).T
    lamp = np.tile(np.array([[0], [0], [3]], np.float32), 3)
    np.testing.assert_array_equal(shadowed([ball], points, lamp), [True, False, False])
    glass = box((0, 0, 1), (0.5, 0.5, 0.5), 0, GREY, shape='ellipsoid', casts_shadow=False)
    assert not shadowed([glass], points, lamp).any()


def test_a_facing_surface_is_lit_and_a_shaded_one_is_not() -> None:
    lamp = Light(np.array([0.0, 0.0, 0.0]), np.ones(3), radius=0.0)
    point = np.array([[0], [2], [0]], np.float32)
    one, none = np.ones(1, np.float32), np.zeros((3, 1), np.float32)
    screen = box((0, 1, 0), (1, 0.1, 1), 0, GREY)
    dark = np.zeros((2, 3))
    bare = shade(Scene(EYE, [WALL], [lamp], dark), point, np.zeros(1, int), one, none)
    # The light of a white surface, times the square of the colour, tone 0.96 to 1.04.
    np.testing.assert_allclose(bare.light, 0.25, rtol=0.1)
    shaded = shade(Scene(EYE, [WALL, screen], [lamp], dark), point, np.zeros(1, int), one, none)
    np.testing.assert_array_equal(shaded.light, 0)


def test_a_projector_leaves_a_shadow_beside_a_near_thing() -> None:
    board = box((0, 1, 0), (0.4, 0.02, 0.4), 0, GREY)
    sensor = DepthSensor(baseline=0.2, nearest=0.1, farthest=100.0, grazing=0.0)
    seen = look(WALL, board, sensor=sensor)
    missing = ~seen.measured
    # The projector is on the right, so the shadow is on the left of the board, on the wall.
    assert missing[12, :16].any()
    assert not missing[12, 16:].any()
    assert (seen.depth[missing] == 2).all()


@pytest.mark.parametrize('pattern', PATTERNS)
def test_patterns_stay_in_range_and_repeat(pattern: str) -> None:
    places = np.random.default_rng(0).uniform(-5, 5, (3, 500)).astype(np.float32)
    normals = np.tile(np.array([[0], [0], [1]], np.float32), 500)
    material = Material(pattern, (0.7, 0.4, 0.2), (0.1, 0.9, 0.5), 0.3, seed=2**29)
    colours = material.paint(places, normals)
    assert colours.dtype == np.float32
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert colours.std(axis=1).min() > 0.001
    np.testing.assert_array_equal(colours, material.paint(places, normals))


def test_bad_solids_are_refused() -> None:
    with pytest.raises(ValueError, match=r'Parameter `shape` .* Found `shape = .cube.`'):
        box((0, 0, 0), (1, 1, 1), 0, GREY, shape='cube')
    with pytest.raises(ValueError, match='Parameter `size` should be positive'):
        box((0, 0, 0), (1, 0, 1), 0, GREY)


def arrays(frame: Frame) -> list[np.ndarray]:
    found = [frame.image, frame.label, frame.depth, frame.normal]
    return [array for array in found if array is not None]


def normals(frame: Frame) -> np.ndarray:
    assert frame.normal is not None
    return frame.normal


@BOTH
def test_frames_have_the_promised_shapes_types_and_ranges(benchmark: str) -> None:
    frame = render(benchmark, 1, 2, (20, 30))
    shapes = [(20, 30, 3), (20, 30), (20, 30, 1), (20, 30, 3)]
    assert (frame.normal is None) == (benchmark == 'streets')
    for array, shape in zip(arrays(frame), shapes):
        assert array.shape == shape
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert array.flags.c_contiguous
    assert frame.image.min() >= 0
    assert frame.image.max() <= 1
    classes = np.arange(-1, len(BENCHMARKS[benchmark].class_names))
    assert np.isin(frame.label, classes).all()


@BOTH
def test_same_arguments_same_bits_others_differ(benchmark: str) -> None:
    first = render(benchmark, 0, 5, SIZE)
    render(benchmark, 0, 6, SIZE)
    np.random.seed(0)  # noqa: NPY002
    for one, same in zip(arrays(first), arrays(render(benchmark, 0, 5, SIZE))):
        np.testing.assert_array_equal(one, same)
    for other in (
        render(benchmark, 1, 5, SIZE),
        render(benchmark, 0, 6, SIZE),
        render(benchmark, 0, 5, SIZE, split='val'),
    ):
        assert (first.depth != other.depth).mean() > 0.2
        assert (first.image != other.image).mean() > 0.9


def test_no_global_random_state_is_touched() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state(legacy=False)['state']['key'].copy()  # noqa: NPY002
    render('rooms', 0, 0, SIZE)
    after = np.random.get_state(legacy=False)['state']['key']  # noqa: NPY002
    np.testing.assert_array_equal(before, after)


@pytest.mark.integration
@BOTH
def test_another_process_gives_the_same_bits(benchmark: str) -> None:
    script = (
        'import sys; from go4align_plugins.benchmarks.scenes import render; '
        f'frame = render({benchmark!r}, 4, 7, {SIZE}); '
        'sys.stdout.buffer.write(frame.image.tobytes() + frame.depth.tobytes())'
    )
    run = subprocess.run([sys.executable, '-c', script], capture_output=True, check=True)
    frame = render(benchmark, 4, 7, SIZE)
    assert run.stdout == frame.image.tobytes() + frame.depth.tobytes()


@BOTH
def test_the_scene_is_the_same_at_every_size(benchmark: str) -> None:
    small, large = render(benchmark, 0, 3, (24, 32)), render(benchmark, 0, 3, (72, 96))
    # The centre of each small pixel is the centre of every third large one.
    middle = np.s_[1::3, 1::3]
    both = (small.depth > 0) & (large.depth[middle] > 0)
    assert both.mean() > 0.3
    np.testing.assert_allclose(small.depth[both], large.depth[middle][both], rtol=1e-3)
    labelled = (small.label >= 0) & (large.label[middle] >= 0)
    assert (small.label[labelled] == large.label[middle][labelled]).all()


def test_normals_are_unit_vectors_towards_the_camera_just_where_depth_is() -> None:
    height, width = 48, 64
    y, x = np.mgrid[:height, :width] + 0.5
    for index in range(6):
        frame = render('rooms', 0, index, (height, width))
        valid = frame.depth[..., 0] > 0
        length = np.linalg.norm(normals(frame), axis=-1)
        np.testing.assert_allclose(length[valid], 1, atol=1e-5)
        assert (length[~valid] == 0).all()
        # Any field of view between those drawn gives the direction well enough for the sign.
        focal = width / 2 / np.tan(np.radians(57 / 2))
        rays = np.stack([(x - width / 2) / focal, (y - height / 2) / focal, np.ones_like(x)], -1)
        assert ((rays * frame.normal).sum(-1)[valid] < 0.02).all()


def test_normals_agree_with_the_depth_map() -> None:
    size = (96, 128)
    for index in range(4):
        scene = build_room(np.random.default_rng(index))
        seen = record(scene, SENSORS['rooms'], size, np.random.default_rng(0))
        rows, columns = (np.arange(side) + 0.5 for side in size)
        rays = Camera(np.zeros(3), field_of_view=scene.camera.field_of_view)
        points = rays.rays(rows, columns, size) * seen.depth
        points = (EYE.axes @ points.reshape(3, -1)).reshape(points.shape).transpose(1, 2, 0)
        across, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
        found = np.cross(down, across)
        found /= np.linalg.norm(found, axis=-1, keepdims=True)
        inner = seen.normal[1:-1, 1:-1]
        # On a plane, and there only, 1 / depth is linear over the image.
        near = 1 / seen.depth
        bend = [np.abs(np.diff(near, 2, axis)) for axis in (0, 1)]
        flat = (bend[0][:, 1:-1] < 1e-5) & (bend[1][1:-1] < 1e-5)
        assert flat.mean() > 0.3
        angle = np.degrees(np.arccos(np.clip((found * inner).sum(-1)[flat], -1, 1)))
        assert np.median(angle) < 0.1
        assert np.mean(angle < 1) > 0.98


def test_floors_look_up_and_ceilings_down_as_in_nyuv2() -> None:
    frames = [render('rooms', 0, index, SIZE) for index in range(40)]
    label = np.stack([frame.label for frame in frames])
    normal = np.stack([normals(frame) for frame in frames])
    measured = np.stack([frame.depth[..., 0] for frame in frames]) > 0
    names = BENCHMARKS['rooms'].class_names
    mean = {
        name: normal[(label == names.index(name)) & measured].mean(axis=0)
        for name in ('floor', 'ceiling', 'wall')
    }
    assert mean['floor'][1] < -0.8
    assert mean['ceiling'][1] > 0.5
    assert mean['wall'][2] < -0.5


@BOTH
def test_depth_lies_in_the_range_of_the_real_data(benchmark: str) -> None:
    depth = np.stack([render(benchmark, 0, index, SIZE).depth for index in range(12)])
    valid = depth[depth > 0]
    low, high = {'rooms': (0.5, 10.0), 'streets': (DISPARITY / 150, 0.5)}[benchmark]
    assert valid.min() >= low * (1 - 1e-6)
    assert valid.max() <= high * (1 + 1e-6)
    assert np.percentile(valid, 95) > 2 * np.percentile(valid, 5)
    assert 0.3 < (depth > 0).mean() < 0.99


def test_the_sky_has_no_depth() -> None:
    sky = BENCHMARKS['streets'].class_names.index('sky')
    for index in range(5):
        frame = render('streets', 0, index, SIZE)
        assert (frame.depth[frame.label == sky] == 0).all()


@pytest.mark.integration
@BOTH
@pytest.mark.parametrize('split', ['train', 'val'])
def test_every_class_occurs(benchmark: str, split: str) -> None:
    table = BENCHMARKS[benchmark]
    number = table.num_frames[split]
    label = np.stack([render(benchmark, 0, i, (48, 64), split).label for i in range(number)])
    for number, name in enumerate(table.class_names):
        share = (label == number).mean()
        frames = (label == number).any(axis=(1, 2)).mean()
        assert share > 0.002, f'{name} covers {share:.4f} of the pixels'
        assert frames > 0.08, f'{name} is in {frames:.2f} of the frames'
    assert 0.02 < (label == -1).mean() < 0.3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('nyuv2', 0, 0), 'Parameter `benchmark` should be one of rooms, streets. Found `nyuv2`'),
        (('rooms', -1, 0), 'Parameter `seed` .* Found `seed = -1`'),
        (('rooms', 0, -1), 'Parameter `index` .* Found `index = -1`'),
        (('rooms', 0, 1.5), 'Parameter `index` .* Found `index = 1.5`'),
        (('rooms', 0, 0, (0, 128)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (96,)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (96.5, 128)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (10**6, 10**6)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (8, 8), 'test'), 'Parameter `split` should be one of train, val'),
    ],
)
def test_bad_arguments_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(*arguments)


@pytest.mark.parametrize('benchmark', BENCHMARKS)
def test_every_benchmark_has_a_colour_for_each_class(benchmark: str) -> None:
    colours = class_colours(benchmark)
    assert colours.shape == (len(BENCHMARKS[benchmark].class_names), 3)
    assert colours.dtype == np.uint8
    gaps = np.abs(colours[:, None].astype(int) - colours[None]).sum(-1)
    assert gaps[~np.eye(len(colours), dtype=bool)].min() > 40


def test_an_unknown_benchmark_has_no_colours() -> None:
    with pytest.raises(ValueError, match='Parameter `benchmark`'):
        class_colours('kitti')
