"""The embedded data: what holds for every frame."""

from __future__ import annotations

import numpy as np
import pytest

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.data.rendering.raycast import Camera, record
from go4align_plugins.data.rendering.rooms import build_room
from go4align_plugins.data.rooms import DISPARITY, SENSORS, render

SIZE = (24, 32)
SIZES_OF_NO_FRAME = ((0, 128), (96,), (96.5, 128), (10**6, 10**6))
BOTH = pytest.mark.parametrize('benchmark', ['rooms', 'streets'])


def bits(frame):
    arrays = (frame.image, frame.label, frame.depth, frame.normal)
    return b''.join(array.tobytes() for array in arrays if array is not None)


@BOTH
def test_frames_have_the_promised_shapes_types_and_ranges(benchmark):
    names, depths = BENCHMARKS[benchmark].class_names, []
    for index in range(12):
        frame = render(benchmark, 0, index, SIZE)
        arrays = {'image': (*SIZE, 3), 'label': SIZE, 'depth': (*SIZE, 1), 'normal': (*SIZE, 3)}
        if benchmark == 'streets':
            assert frame.normal is None
            del arrays['normal']
        for name, shape in arrays.items():
            array = getattr(frame, name)
            assert array.shape == shape
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
            assert array.flags.c_contiguous
        assert 0 <= frame.image.min() <= frame.image.max() <= 1
        assert np.isin(frame.label, np.arange(-1, len(names))).all()
        if 'sky' in names:
            assert (frame.depth[frame.label == names.index('sky')] == 0).all()
        depths.append(frame.depth)
    valid = np.stack(depths)[np.stack(depths) > 0]
    # The range of the real data.
    low, high = {'rooms': (0.5, 10.0), 'streets': (DISPARITY / 150, 0.5)}[benchmark]
    assert low * (1 - 1e-6) <= valid.min() < valid.max() <= high * (1 + 1e-6)
    assert np.percentile(valid, 95) > 2 * np.percentile(valid, 5)
    assert 0.3 < valid.size / np.size(depths) < 0.99


@BOTH
def test_same_arguments_same_bits_others_differ(benchmark):
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state(legacy=False)['state']['key'].copy()  # noqa: NPY002
    first = render(benchmark, 0, 5, SIZE)
    for arguments in ((1, 5, SIZE), (0, 6, SIZE), (0, 5, SIZE, 'val')):
        other = render(benchmark, *arguments)
        assert (first.depth != other.depth).mean() > 0.2
        assert (first.image != other.image).mean() > 0.9
    assert bits(render(benchmark, 0, 5, SIZE)) == bits(first)
    after = np.random.get_state(legacy=False)['state']['key']  # noqa: NPY002
    np.testing.assert_array_equal(before, after)


@BOTH
def test_the_scene_is_the_same_at_every_size(benchmark):
    small, large = render(benchmark, 0, 3, (24, 32)), render(benchmark, 0, 3, (72, 96))
    # The centre of each small pixel is the centre of every third large one.
    middle = np.s_[1::3, 1::3]
    both = (small.depth > 0) & (large.depth[middle] > 0)
    assert both.mean() > 0.3
    np.testing.assert_allclose(small.depth[both], large.depth[middle][both], rtol=1e-3)
    labelled = (small.label >= 0) & (large.label[middle] >= 0)
    assert (small.label[labelled] == large.label[middle][labelled]).all()


def test_normals_are_unit_vectors_towards_the_camera_just_where_depth_is():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    # Any field of view between those drawn gives the direction well enough for the sign.
    focal = SIZE[1] / 2 / np.tan(np.radians(57 / 2))
    rays = np.stack([(x - SIZE[1] / 2) / focal, (y - SIZE[0] / 2) / focal, np.ones_like(x)], -1)
    frames = [render('rooms', 0, index, SIZE) for index in range(40)]
    label, normal = (np.stack([getattr(f, name) for f in frames]) for name in ('label', 'normal'))
    valid = np.stack([frame.depth[..., 0] for frame in frames]) > 0
    length = np.linalg.norm(normal, axis=-1)
    np.testing.assert_allclose(length[valid], 1, atol=1e-5)
    assert (length[~valid] == 0).all()
    assert ((rays * normal).sum(-1)[valid] < 0.02).all()
    # As in NYUv2, floors look up and ceilings down.
    for name, axis, limit in (('floor', 1, -0.8), ('ceiling', 1, 0.5), ('wall', 2, -0.5)):
        here = (label == BENCHMARKS['rooms'].class_names.index(name)) & valid
        assert normal[here].mean(axis=0)[axis] / limit > 1, name


def test_normals_agree_with_the_depth_map():
    size = (96, 128)
    for index in range(4):
        scene = build_room(np.random.default_rng(index))
        seen = record(scene, SENSORS['rooms'], size, np.random.default_rng(0))
        rows, columns = (np.arange(side) + 0.5 for side in size)
        camera = Camera(np.zeros(3), field_of_view=scene.camera.field_of_view)
        depth = np.where(seen.depth > 0, seen.depth, np.nan)[..., 0]
        rays = camera.rays(rows, columns, size) * depth
        points = np.einsum('ij,jhw->hwi', camera.axes, rays)
        across, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
        found = np.cross(down, across)
        found /= np.linalg.norm(found, axis=-1, keepdims=True)
        # On a plane, and there only, 1 / depth is linear over the image.
        bend = [np.abs(np.diff(1 / depth, 2, axis)) for axis in (0, 1)]
        flat = (bend[0][:, 1:-1] < 1e-5) & (bend[1][1:-1] < 1e-5)
        assert flat.mean() > 0.3
        cosine = (found * seen.normal[1:-1, 1:-1]).sum(-1)[flat]
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        assert np.median(angle) < 0.1
        assert np.mean(angle < 1) > 0.98


@pytest.mark.integration
@BOTH
@pytest.mark.parametrize('split', ['train', 'val'])
def test_every_class_occurs(benchmark, split):
    table = BENCHMARKS[benchmark]
    numbers = range(table.num_frames[split])
    label = np.stack([render(benchmark, 0, i, (48, 64), split).label for i in numbers])
    for number, name in enumerate(table.class_names):
        assert (label == number).mean() > 0.002, f'{name}: its share of the pixels'
        assert (label == number).any(axis=(1, 2)).mean() > 0.08, f'{name}: its share of the frames'
    assert 0.02 < (label == -1).mean() < 0.3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('nyuv2', 0, 0), '`benchmark` should be one of .*rooms.*nyuv2'),
        (('rooms', -1, 0), '`seed` .* Found `seed = -1`'),
        (('rooms', 0, 1.5), '`index` .* Found `index = 1.5`'),
        *((('rooms', 0, 0, size), '`image_size` .* Found') for size in SIZES_OF_NO_FRAME),
        (('rooms', 0, 0, (8, 8), 'test'), '`split` should be one of .*train.*test'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f'Parameter {message}'):
        render(*arguments)
