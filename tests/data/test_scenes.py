"""The embedded data: what holds for every frame."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.data.rendering.raycast import Camera
from go4align_plugins.data.rendering.rooms import build_room
from go4align_plugins.data.rendering.sensors import record
from go4align_plugins.data.rooms import DISPARITY, SENSORS, Frame, render

SIZE = (24, 32)
BOTH = pytest.mark.parametrize('benchmark', ['rooms', 'streets'])


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
        'import sys; from go4align_plugins.data.rooms import render; '
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
        camera = Camera(np.zeros(3), field_of_view=scene.camera.field_of_view)
        rays = camera.rays(rows, columns, size) * seen.depth
        points = np.einsum('ij,jhw->hwi', camera.axes, rays)
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
        (('nyuv2', 0, 0), 'Parameter `benchmark` should be one of .* Found .*nyuv2'),
        (('rooms', -1, 0), 'Parameter `seed` .* Found `seed = -1`'),
        (('rooms', 0, -1), 'Parameter `index` .* Found `index = -1`'),
        (('rooms', 0, 1.5), 'Parameter `index` .* Found `index = 1.5`'),
        (('rooms', 0, 0, (0, 128)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (96,)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (96.5, 128)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (10**6, 10**6)), 'Parameter `image_size` .* Found'),
        (('rooms', 0, 0, (8, 8), 'test'), 'Parameter `split` should be one of .*train.*val'),
    ],
)
def test_bad_arguments_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(*arguments)
