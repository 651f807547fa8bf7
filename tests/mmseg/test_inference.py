"""Predictions: their size, padding, flips and sliding windows."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmseg  # noqa: F401, I001  (mends what importing mmseg needs)


from .test_models import NUM_CLASSES, SIZE, build, make_batch, make_sample


@pytest.mark.parametrize('size', [(32, 48), (37, 50)])
def test_predictions_have_the_original_size(size):
    batch = make_batch(size)
    for sample in batch['data_samples']:
        sample.set_metainfo({'ori_shape': (61, 83)})
    with torch.no_grad():
        results = build().eval().test_step(batch)
    for result in results:
        assert result.seg_logits.data.shape == (NUM_CLASSES, 61, 83)
        assert result.pred_sem_seg.data.shape == (1, 61, 83)
        assert result.pred_depth_map.data.shape == (1, 61, 83)
        length = result.pred_normal_map.data.norm(dim=0)
        torch.testing.assert_close(length, torch.ones(61, 83))


def test_padding_is_removed():
    padded = build(
        data_preprocessor={'type': 'MTLDataPreProcessor', 'test_cfg': {'size_divisor': 32}}
    ).eval()
    (result,) = padded.test_step(make_batch((30, 40), 1))
    assert result.pred_depth_map.data.shape == (1, 30, 40)
    maps = torch.arange(32.0)[:, None].expand(32, 64).repeat(1, 8, 1, 1)
    sample = make_sample((30, 40), img_padding_size=(0, 24, 0, 2))
    padded.postprocess_result(maps, [sample])
    torch.testing.assert_close(sample.pred_depth_map.data[0, :, 0], torch.arange(30.0))


@pytest.mark.parametrize(('direction', 'axis'), [('horizontal', 0), ('vertical', 1)])
def test_flips_are_undone(direction, axis):
    """The maps come back mirrored; of the normals, the component across the mirror is negated."""
    model = build()
    maps = F.normalize(torch.randn(1, NUM_CLASSES + 4, *SIZE), dim=1)
    sample = make_sample(flip=True, flip_direction=direction)
    model.postprocess_result(maps, [sample])
    mirrored = maps[0].flip(-1 if direction == 'horizontal' else -2)
    torch.testing.assert_close(sample.seg_logits.data, mirrored[:NUM_CLASSES])
    torch.testing.assert_close(sample.pred_depth_map.data, mirrored[NUM_CLASSES : NUM_CLASSES + 1])
    normal = mirrored[NUM_CLASSES + 1 :].clone()
    normal[axis] *= -1
    torch.testing.assert_close(sample.pred_normal_map.data, F.normalize(normal, dim=0))


def test_one_window_is_the_whole_image():
    batch = make_batch(count=1)
    whole, slide = (
        build(test_cfg=config).eval().test_step(copy.deepcopy(batch))[0]
        for config in (
            {'mode': 'whole'},
            {'mode': 'slide', 'crop_size': (64, 64), 'stride': (32, 32)},
        )
    )
    for name in ('seg_logits', 'pred_depth_map', 'pred_normal_map'):
        torch.testing.assert_close(slide.get(name).data, whole.get(name).data)


def test_windows_are_averaged():
    model = build(test_cfg={'mode': 'slide', 'crop_size': (32, 32), 'stride': (16, 16)}).eval()
    image = torch.rand(1, 3, 32, 48)
    metas = [{'ori_shape': SIZE, 'img_shape': SIZE}]
    with torch.no_grad():
        found = model.inference(image, copy.deepcopy(metas))
        windows = [
            model.encode_decode(image[..., left : left + 32], [{'img_shape': torch.Size((32, 32))}])
            for left in (0, 16)
        ]
    torch.testing.assert_close(found[..., :16], windows[0][..., :16])
    both = (windows[0][..., 16:] + windows[1][..., :16]) / 2
    torch.testing.assert_close(found[..., 16:32], both)
