"""Every transform on every target: by hand, against the one definition, and all in a row."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmengine  # noqa: F401, I001  (mends what importing mmseg needs)

from mmengine.runner import set_random_seed
from mmseg.registry import TRANSFORMS

from go4align_plugins.data import augment

from .frames import SIZE

TARGETS = ['gt_seg_map', 'gt_depth_map', 'gt_normal_map']


def build(name, **options):
    return TRANSFORMS.build({'type': name, **options})


def results_of(seed=0, size=SIZE):
    """A frame in which all targets tell the pixel that they come from."""
    height, width = size
    number = np.arange(height * width).reshape(size)
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(*size, 3))
    return {
        'img': np.repeat(number[..., None], 3, -1).astype(np.float32),
        'gt_seg_map': number.astype(np.uint8),
        'gt_depth_map': 1 + number.astype(np.float32),
        'gt_normal_map': (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype('f4'),
        'seg_fields': list(TARGETS),
        'img_shape': size,
        'ori_shape': size,
    }


def frame_of(results):
    """The tensors of the one definition."""
    arrays = {key: torch.tensor(results[key].copy()) for key in ('img', *TARGETS)}
    return {
        'image': arrays['img'].permute(2, 0, 1),
        'segmentation': arrays['gt_seg_map'].long(),
        'depth': arrays['gt_depth_map'][None],
        'normal': arrays['gt_normal_map'].permute(2, 0, 1),
    }


def assert_equals_frame(results, frame):
    found = frame_of(results)
    assert found.keys() == frame.keys()
    for part, value in frame.items():
        torch.testing.assert_close(found[part], value, rtol=0, atol=0)


def test_flip_by_hand():
    results = results_of()
    results['gt_normal_map'][2, 0] = [0.6, 0.0, -0.8]
    flipped = build('MTLRandomFlip', prob=1.0)(results)
    assert flipped['flip_direction'] == 'horizontal'
    assert flipped['img'][2, 11, 0] == flipped['gt_seg_map'][2, 11] == 24
    assert flipped['gt_depth_map'][2, 11] == 25
    np.testing.assert_allclose(flipped['gt_normal_map'][2, 11], [-0.6, 0.0, -0.8], rtol=1e-6)


def test_flip_is_the_one_of_libmtl_side():
    expected = augment.flip(frame_of(results_of()))
    assert_equals_frame(build('MTLRandomFlip', prob=1.0)(results_of()), expected)


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_flip_twice_changes_nothing(direction):
    flip = build('MTLRandomFlip', prob=1.0, direction=direction)
    once = flip(results_of())
    assert not np.array_equal(once['gt_normal_map'], results_of()['gt_normal_map'])
    assert_equals_frame(flip(once), frame_of(results_of()))


def test_vertical_flip_negates_y():
    normal = results_of()['gt_normal_map']
    flipped = build('MTLRandomFlip', prob=1.0, direction='vertical')(results_of())
    np.testing.assert_array_equal(flipped['gt_normal_map'], normal[::-1] * np.array([1, -1, 1]))


def test_no_flip():
    results = build('MTLRandomFlip', prob=0.0)(results_of())
    assert_equals_frame(results, frame_of(results_of()))


@pytest.mark.parametrize('scale', [1.0, 1.2, 1.5, 2.0])
def test_scale_crop_is_the_one_of_libmtl_side(scale):
    transform = build('MTLScaleCrop', scales=[scale])
    random.seed(3)
    _, top, left = transform.choose_window(*SIZE)
    expected = frame_of(results_of())
    if scale != 1:
        expected = augment.scale_crop(expected, scale, top, left)
    random.seed(3)
    results = transform(results_of())
    assert_equals_frame(results, expected)
    assert results['gt_seg_map'].dtype == np.uint8
    # What looks `scale` times larger is `scale` times closer.
    np.testing.assert_allclose(
        results['gt_depth_map'] * scale, 1 + results['gt_seg_map'].astype(float), rtol=1e-6
    )


def test_scale_crop_keeps_what_is_unknown():
    results = results_of()
    for key, value in (('gt_seg_map', 255), ('gt_depth_map', 0), ('gt_normal_map', 0)):
        results[key][:] = value
    zoomed = build('MTLScaleCrop', scales=[1.5])(results)
    assert (zoomed['gt_seg_map'] == 255).all()
    assert not zoomed['gt_depth_map'].any()
    assert not zoomed['gt_normal_map'].any()


def test_scale_crop_takes_every_scale_and_place():
    transform = build('MTLScaleCrop')
    random.seed(0)
    windows = {transform.choose_window(12, 18) for _ in range(3000)}
    # 1; 1.2: 10 x 15 pixels; 1.5: 8 x 12 pixels.
    assert len(windows) == 1 + 3 * 4 + 5 * 7
    assert (1.5, 4, 6) in windows


@pytest.mark.parametrize('scales', [[], [0.5, 1.0]])
def test_scale_crop_refuses(scales):
    with pytest.raises(ValueError, match='`scales` should hold numbers of at least 1'):
        build('MTLScaleCrop', scales=scales)


def test_resize_takes_the_nearest_pixel():
    results = build('MTLResize', scale=(24, 16), keep_ratio=False)(results_of())
    for key in TARGETS:
        np.testing.assert_array_equal(results[key][::2, ::2], results_of()[key])
        np.testing.assert_array_equal(results[key][1::2, 1::2], results_of()[key])
        assert results[key].dtype == results_of()[key].dtype
    assert results['img'].shape == (16, 24, 3)


def test_resize_divides_depth_if_asked():
    results = build('MTLResize', scale_factor=2.0, divide_depth=True)(results_of())
    label = results['gt_seg_map'].astype(float)
    np.testing.assert_allclose(2 * results['gt_depth_map'], 1 + label, rtol=1e-6)
    np.testing.assert_array_equal(results['gt_normal_map'][::2, ::2], results_of()['gt_normal_map'])


def test_inverse_depth_is_multiplied():
    resize = build('MTLResize', scale_factor=2.0, divide_depth=True)
    results = resize({**results_of(), 'inverse_depth': True})
    label = results['gt_seg_map'].astype(float)
    np.testing.assert_allclose(results['gt_depth_map'], 2 * (1 + label), rtol=1e-6)
    zoomed = build('MTLScaleCrop', scales=(2.0,))({**results_of(), 'inverse_depth': True})
    assert set(zoomed['gt_depth_map'].flat) <= set((2 * results_of()['gt_depth_map']).flat)


def test_resize_of_the_image_alone():
    results = build('MTLResize', scale=(24, 16), resize_targets=False, divide_depth=True)(
        results_of()
    )
    assert results['img'].shape == (16, 24, 3)
    for key in TARGETS:
        np.testing.assert_array_equal(results[key], results_of()[key])


def test_random_resize_of_mmseg_uses_it():
    transform = build(
        'RandomResize', resize_type='MTLResize', scale=(12, 8), ratio_range=(1.5, 1.5),
        keep_ratio=True, divide_depth=True,
    )  # fmt: skip
    results = transform(results_of())
    assert results['img'].shape[:2] == (12, 18)
    np.testing.assert_allclose(
        1.5 * results['gt_depth_map'], 1 + results['gt_seg_map'].astype(float), rtol=1e-6
    )


def test_crop_takes_one_window_of_all():
    results = build('MTLRandomCrop', crop_size=(4, 6))(results_of())
    top, left = divmod(int(results['gt_seg_map'][0, 0]), SIZE[1])
    window = np.s_[top : top + 4, left : left + 6]
    for key in ('img', *TARGETS):
        np.testing.assert_array_equal(results[key], results_of()[key][window])
    assert results['img_shape'] == (4, 6)


def test_crop_without_labels_ignores_their_ratio():
    results = results_of()
    del results['gt_seg_map']
    results['seg_fields'].remove('gt_seg_map')
    cropped = build('MTLRandomCrop', crop_size=(4, 6), cat_max_ratio=0.75)(results)
    assert cropped['gt_depth_map'].shape == (4, 6)
    np.testing.assert_array_equal(cropped['img'][..., 0] + 1, cropped['gt_depth_map'])


def test_crop_avoids_a_single_class():
    results = results_of(size=(32, 32))
    results['gt_seg_map'][:] = 1
    results['gt_seg_map'][:, 16:] = 2
    transform = build('MTLRandomCrop', crop_size=(8, 8), cat_max_ratio=0.75)
    set_random_seed(0)
    shares = [
        np.bincount(transform(dict(results))['gt_seg_map'].ravel()).max() / 64 for _ in range(50)
    ]
    # One window in eight spans the border so; one of ten attempts does in 72 of 100 cases.
    assert np.mean([share < 0.75 for share in shares]) > 0.4


def test_photometric_distortion_touches_the_image_alone():
    transform = build('MTLPhotoMetricDistortion')
    set_random_seed(0)
    changed = [transform(results_of()) for _ in range(5)]
    assert any(
        (results['img'] != results_of()['img'].astype(np.uint8)).any() for results in changed
    )
    for results in changed:
        for key in TARGETS:
            np.testing.assert_array_equal(results[key], results_of()[key])


def test_photometric_distortion_keeps_colours_of_float_images():
    """What mmseg's own does not: it takes a float image's saturation for a number up to 255."""
    image = np.tile(np.array([40.0, 90.0, 160.0], np.float32), (4, 4, 1))
    transform = build('MTLPhotoMetricDistortion', brightness_delta=0, contrast_range=(1, 1))
    set_random_seed(0)
    for _ in range(50):
        distorted = transform({'img': image})['img']
        spread = np.ptp(distorted.astype(int), axis=-1)
        assert (spread > 40).all()
