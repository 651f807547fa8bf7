"""The multi-task segmentor: losses by hand, maps at the original size, any head, clear errors."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from go4align_plugins.measures import depth_loss, normal_loss, segmentation_loss

from .toys import HEAD, HEADS, NUM_CLASSES, build_model, sample_of

SIZE = (32, 48)
# One of each kind: one map, several maps in training, a map and something else.
ONE_INPUT = {'in_channels': [4], 'in_index': [0]}
OTHER_HEADS = [
    {'type': 'PSPHead', 'pool_scales': (1, 2)},
    {'type': 'DAHead', 'pam_channels': 2},
    {'type': 'EncHead', **ONE_INPUT},
    {'type': 'SegformerHead', **ONE_INPUT},
    {'type': 'UPerHead', **ONE_INPUT, 'pool_scales': (1, 2)},
]


def make_sample(size=SIZE, seed=0, **meta):
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, NUM_CLASSES, (1, *size), generator=generator)
    label[:, 0] = 255
    depth = torch.rand((1, *size), generator=generator) + 1
    depth[:, 1] = 0
    normal = F.normalize(torch.randn((3, *size), generator=generator), dim=0)
    normal[:, :, 2] = 0
    meta = {'ori_shape': size, 'img_shape': size, **meta}
    return sample_of(meta, gt_sem_seg=label, gt_depth_map=depth, gt_normal_map=normal)


def make_batch(size=SIZE, count=2):
    return {
        'inputs': [torch.rand(3, *size) * 255 for _ in range(count)],
        'data_samples': [make_sample(size, seed) for seed in range(count)],
    }


def compute_losses(model, batch=None):
    batch = model.data_preprocessor(batch or make_batch(), training=True)
    return model(**batch, mode='loss'), batch


def test_losses_are_those_of_both_hosts():
    model = build_model().eval()
    losses, batch = compute_losses(model)
    label, depth, normal = (
        torch.stack([sample.get(f'gt_{name}').data for sample in batch['data_samples']])
        for name in ('sem_seg', 'depth_map', 'normal_map')
    )
    label = label[:, 0].where(label[:, 0] != 255, -1)
    maps = model(batch['inputs'], mode='tensor')
    expected = {
        'segmentation.loss_ce': segmentation_loss(maps['segmentation'], label),
        'depth.loss_abs': depth_loss(maps['depth'], depth),
        'normal.loss_cos': normal_loss(maps['normal'], normal),
    }
    assert {key for key in losses if 'loss' in key} == set(expected)
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value)


def test_auxiliary_losses_belong_to_their_tasks():
    depth = {'type': 'MapHead', 'task': 'depth', 'head': HEAD}
    heads = {'segmentation': HEAD, 'depth': [depth, {**depth, 'loss_weight': 0.4}]}
    model = build_model(num_classes=7, auxiliary_heads=heads)
    assert model.num_classes == model.decode_head['segmentation'].num_classes == 7
    assert model.auxiliary_head['segmentation'][0].num_classes == 7
    first, second = model.auxiliary_head['depth']
    second.load_state_dict(first.state_dict())
    losses, _ = compute_losses(model)
    names = ['depth.aux_0_loss_map', 'depth.aux_1_loss_map', 'segmentation.aux_loss_ce']
    assert sorted(key for key in losses if 'aux' in key and 'loss' in key) == names
    torch.testing.assert_close(0.4 * losses['depth.aux_0_loss_map'], losses['depth.aux_1_loss_map'])


@pytest.mark.parametrize('config', OTHER_HEADS, ids=lambda config: config['type'])
def test_any_head_serves_for_any_task(config):
    head = {**{key: HEAD[key] for key in ('in_channels', 'channels', 'num_classes')}, **config}
    heads = {task: {**HEADS[task], 'head': head} for task in ('depth', 'normal')}
    model = build_model(heads={'segmentation': head, **heads})
    losses, _ = compute_losses(model)
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    for task in ('depth', 'normal'):
        assert all(p.grad.any() for p in model.decode_head[task].head.conv_seg.parameters())
    (result,) = model.eval().test_step(make_batch(count=1))
    assert result.pred_depth_map.data.shape == (1, *SIZE)
    assert result.pred_normal_map.data.shape == (3, *SIZE)


def test_binary_segmentation_has_a_threshold():
    head = {**HEAD, 'num_classes': 2, 'out_channels': 1, 'threshold': 0.6}
    head['loss_decode'] = {'type': 'CrossEntropyLoss', 'use_sigmoid': True}
    model = build_model(heads={'segmentation': head, 'depth': HEADS['depth']}).eval()
    (result,) = model.test_step(make_batch(count=1))
    assert torch.equal(result.pred_sem_seg.data == 1, result.seg_logits.data > 0.6)


def test_tasks_choose_heads():
    auxiliary = {'segmentation': HEAD, 'depth': HEADS['depth']}
    model = build_model(tasks=['depth'], auxiliary_heads=auxiliary)
    losses, _ = compute_losses(model)
    assert set(losses) == {'depth.loss_abs', 'depth.aux_loss_abs'}
    (result,) = model.eval().test_step(make_batch(count=1))
    assert [key for key in result.keys() if key.startswith('pred')] == ['pred_depth_map']  # noqa: SIM118


def test_order_of_the_heads_is_not_that_of_the_config():
    """A resumed run may read its config sorted; an optimizer's state goes by the order."""
    in_order = dict(sorted(HEADS.items()))
    assert list(in_order) != list(HEADS)
    models = [build_model(heads=heads) for heads in (HEADS, in_order)]
    assert list(models[0].state_dict()) == list(models[1].state_dict())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'heads': {'edges': HEAD}}, "Found `heads = 'edges'`"),
        ({'heads': {'depth': HEAD}}, 'should have a `MapHead` of its task for depth'),
        ({'heads': {'depth': HEADS['normal']}}, "for depth. Found `heads = 'NormalHead'"),
        ({'heads': {'depth': {**HEADS['depth'], 'task': 'x'}}}, "Found `task = 'x'`"),
        ({'tasks': ['normals']}, r"Found `tasks = \['normals'\]`"),
        ({'tasks': []}, 'at least one'),
        ({'auxiliary_heads': {'flow': HEAD}}, "Found `heads = 'flow'`"),
        ({'heads': {**HEADS, 'segmentation': {**HEAD, 'align_corners': True}}}, 'align_corners'),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build_model(**options)


def test_missing_truth_is_named():
    batch = make_batch()
    del batch['data_samples'][1].gt_depth_map
    with pytest.raises(ValueError, match='should have `gt_depth_map`'):
        compute_losses(build_model(), batch)


def test_targets_are_padded_with_nothing():
    model = build_model(data_preprocessor={'type': 'MTLDataPreProcessor', 'size': (40, 64)})
    before = make_batch(count=1)
    _, batch = compute_losses(model, copy.deepcopy(before))
    assert batch['inputs'].shape == (1, 3, 40, 64)
    (sample,), (original,) = batch['data_samples'], before['data_samples']
    for name, nothing in (('gt_sem_seg', 255), ('gt_depth_map', 0), ('gt_normal_map', 0)):
        padded = F.pad(original.get(name).data, (0, 16, 0, 8), value=nothing)
        assert torch.equal(sample.get(name).data, padded)


@pytest.mark.parametrize('size', [(32, 48), (37, 50)])
def test_predictions_have_the_original_size(size):
    batch = make_batch(size)
    for sample in batch['data_samples']:
        sample.set_metainfo({'ori_shape': (61, 83)})
    channels = {'seg_logits': NUM_CLASSES, 'pred_sem_seg': 1, 'pred_depth_map': 1}
    for result in build_model().eval().test_step(batch):
        for name, count in channels.items():
            assert result.get(name).data.shape == (count, 61, 83)
        length = result.pred_normal_map.data.norm(dim=0)
        torch.testing.assert_close(length, torch.ones(61, 83))


def test_padding_is_removed():
    preprocessor = {'type': 'MTLDataPreProcessor', 'test_cfg': {'size_divisor': 32}}
    padded = build_model(data_preprocessor=preprocessor).eval()
    (result,) = padded.test_step(make_batch((30, 40), 1))
    assert result.pred_depth_map.data.shape == (1, 30, 40)
    maps = torch.arange(32.0)[:, None].expand(32, 64).repeat(1, 8, 1, 1)
    sample = make_sample((30, 40), img_padding_size=(0, 24, 0, 2))
    padded.postprocess_result(maps, [sample])
    torch.testing.assert_close(sample.pred_depth_map.data[0, :, 0], torch.arange(30.0))


@pytest.mark.parametrize(('direction', 'axis'), [('horizontal', 0), ('vertical', 1)])
def test_flips_are_undone(direction, axis):
    """The maps come back mirrored; of the normals, the component across the mirror is negated."""
    maps = F.normalize(torch.randn(1, NUM_CLASSES + 4, *SIZE), dim=1)
    sample = make_sample(flip=True, flip_direction=direction)
    build_model().postprocess_result(maps, [sample])
    logits, depth, normal = maps[0].flip(-1 - axis).split([NUM_CLASSES, 1, 3])
    torch.testing.assert_close(sample.seg_logits.data, logits)
    torch.testing.assert_close(sample.pred_depth_map.data, depth)
    normal[axis] *= -1
    torch.testing.assert_close(sample.pred_normal_map.data, F.normalize(normal, dim=0))


@torch.no_grad()
def test_windows_are_averaged():
    windows = {'mode': 'slide', 'crop_size': (32, 32), 'stride': (16, 16)}
    model = build_model(test_cfg=windows).eval()
    image = torch.rand(1, 3, 32, 48)
    found = model.inference(image, [{'ori_shape': SIZE, 'img_shape': SIZE}])
    left, right = (
        model.encode_decode(image[..., start : start + 32], [{'img_shape': torch.Size((32, 32))}])
        for start in (0, 16)
    )
    torch.testing.assert_close(found[..., :16], left[..., :16])
    torch.testing.assert_close(found[..., 16:32], (left[..., 16:] + right[..., :16]) / 2)
