"""Every transform on every target: by hand, against the one definition, and all in a row."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from mmengine.runner import set_random_seed
from mmseg.registry import TRANSFORMS

from go4align_plugins.data import augment
from go4align_plugins.mmseg.datasets import MTLNYUv2Dataset
from go4align_plugins.tasks import to_tensors

from .frames import SIZE, write_frames

TARGETS = ['gt_seg_map', 'gt_depth_map', 'gt_normal_map']


def build(name, **options):
    return TRANSFORMS.build({'type': name, **options})


def results_of():
    """A frame in which all targets tell the pixel that they come from."""
    number = np.arange(np.prod(SIZE)).reshape(SIZE)
    normal = np.random.default_rng(0).normal(size=(*SIZE, 3))
    return {
        'img': np.repeat(number[..., None], 3, -1).astype(np.float32),
        'gt_seg_map': number.astype(np.uint8),
        'gt_depth_map': 1 + number.astype(np.float32),
        'gt_normal_map': (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype('f4'),
        'seg_fields': list(TARGETS),
        'img_shape': SIZE,
        'ori_shape': SIZE,
    }


def frame_of(results):
    """The tensors of the one definition."""
    keys = {'image': 'img', 'segmentation': TARGETS[0], 'depth': TARGETS[1], 'normal': TARGETS[2]}
    frame = to_tensors({part: results[key].copy() for part, key in keys.items()})
    return {**frame, 'segmentation': frame['segmentation'].long()}


def assert_equals_frame(results, frame):
    found = frame_of(results)
    assert found.keys() == frame.keys()
    for part, value in frame.items():
        torch.testing.assert_close(found[part], value, rtol=0, atol=0)


def assert_closer(results, scale):
    """A thing that looks `scale` times larger is `scale` times closer."""
    depth = 1 + results['gt_seg_map'].astype(float)
    np.testing.assert_allclose(results['gt_depth_map'] * scale, depth, rtol=1e-6)


@pytest.mark.parametrize(
    ('direction', 'axes', 'signs'),
    [
        ('horizontal', (1,), [-1, 1, 1]),
        ('vertical', (0,), [1, -1, 1]),
        ('diagonal', (0, 1), [-1, -1, 1]),
    ],
)
def test_flip_turns_the_normals(direction, axes, signs):
    flip = build('MTLRandomFlip', prob=1.0, direction=direction)
    once = flip(results_of())
    expected = np.flip(results_of()['gt_normal_map'], axes) * np.array(signs)
    np.testing.assert_array_equal(once['gt_normal_map'], expected)
    if direction == 'horizontal':
        assert_equals_frame(once, augment.flip(frame_of(results_of())))
    assert_equals_frame(flip(once), frame_of(results_of()))


@pytest.mark.parametrize('scale', [1.0, 1.2, 2.0])
def test_scale_crop_is_the_one_of_libmtl_side(scale):
    transform = build('MTLScaleCrop', scales=[scale])
    random.seed(3)
    _, top, left = transform.choose_window(*SIZE)
    expected = frame_of(results_of())
    expected = augment.scale_crop(expected, scale, top, left) if scale > 1 else expected
    random.seed(3)
    results = transform(results_of())
    assert_equals_frame(results, expected)
    assert results['gt_seg_map'].dtype == np.uint8
    assert_closer(results, scale)


def test_scale_crop_refuses():
    with pytest.raises(ValueError, match='`scales` should hold numbers of at least 1'):
        build('MTLScaleCrop', scales=[0.5, 1.0])


def test_resize_takes_the_nearest_pixel():
    results = build('MTLResize', scale=(24, 16), keep_ratio=False)(results_of())
    for key in TARGETS:
        np.testing.assert_array_equal(results[key], results_of()[key].repeat(2, 0).repeat(2, 1))
        assert results[key].dtype == results_of()[key].dtype
    assert results['img'].shape == (16, 24, 3)


def test_depth_comes_closer_if_asked():
    resize = build('MTLResize', scale_factor=2.0, divide_depth=True)
    assert_closer(resize(results_of()), 2)
    assert_closer(resize({**results_of(), 'inverse_depth': True}), 1 / 2)
    zoom = build('MTLScaleCrop', scales=(2.0,))
    assert_closer(zoom({**results_of(), 'inverse_depth': True}), 1 / 2)
    # By mmseg's own random resize, too.
    ranges = {'scale': (12, 8), 'ratio_range': (1.5, 1.5), 'keep_ratio': True}
    transform = build('RandomResize', resize_type='MTLResize', divide_depth=True, **ranges)
    results = transform(results_of())
    assert results['img'].shape[:2] == (12, 18)
    assert_closer(results, 1.5)


def test_resize_of_the_image_alone():
    resize = build('MTLResize', scale=(24, 16), resize_targets=False, divide_depth=True)
    results = resize(results_of())
    assert results['img'].shape == (16, 24, 3)
    for key in TARGETS:
        np.testing.assert_array_equal(results[key], results_of()[key])


def test_crop_takes_one_window_of_all():
    results = build('MTLRandomCrop', crop_size=(4, 6))(results_of())
    top, left = divmod(int(results['gt_seg_map'][0, 0]), SIZE[1])
    window = np.s_[top : top + 4, left : left + 6]
    for key in ('img', *TARGETS):
        np.testing.assert_array_equal(results[key], results_of()[key][window])
    assert results['img_shape'] == (4, 6)


def test_photometric_distortion_touches_the_image_alone():
    """And keeps its colours: mmseg's own takes a float image's saturation for one up to 255."""
    original = {**results_of(), 'img': np.full((*SIZE, 3), [40, 90, 160], np.float32)}
    transform = build('MTLPhotoMetricDistortion', brightness_delta=0, contrast_range=(1, 1))
    set_random_seed(0)
    changed = [transform(dict(original)) for _ in range(50)]
    assert any((results['img'] != original['img']).any() for results in changed)
    for results in changed:
        assert (np.ptp(results['img'].astype(int), axis=-1) > 40).all()
        for key in TARGETS:
            np.testing.assert_array_equal(results[key], original[key])


PIPELINE = [
    {'type': 'LoadMTLFrame'},
    {'type': 'MTLScaleCrop'},
    {
        'type': 'RandomResize', 'resize_type': 'MTLResize', 'scale': (128, 96),
        'ratio_range': (0.75, 1.5), 'keep_ratio': True, 'divide_depth': True,
    },
    {'type': 'MTLRandomCrop', 'crop_size': (64, 80), 'cat_max_ratio': 0.75},
    {'type': 'MTLRandomFlip', 'prob': 0.5},
    {'type': 'MTLPhotoMetricDistortion'},
    {'type': 'PackMTLInputs'},
]  # fmt: skip


@pytest.mark.parametrize('tasks', [None, ['segmentation'], ['depth'], ['normal']])
def test_whole_pipeline_with_any_tasks(tmp_path, tasks):
    write_frames(tmp_path, {'train': 2}, (96, 128))
    dataset = MTLNYUv2Dataset(tmp_path, tasks=tasks, pipeline=PIPELINE)
    packed = dataset[1]
    assert packed['inputs'].shape == (3, 64, 80)
    assert len(packed['data_samples'].keys()) == len(dataset.tasks)
    for field in packed['data_samples'].values():
        assert field.data.shape[-2:] == (64, 80)
