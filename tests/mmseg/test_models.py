"""The multi-task segmentor: losses by hand, maps at the original size, any head, clear errors."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmseg  # noqa: F401, I001  (mends what importing mmseg needs)

from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from go4align_plugins.measures import depth_loss, normal_loss, segmentation_loss
from go4align_plugins.mmseg.models import MultiTaskSegmentor

SIZE = (32, 48)
NUM_CLASSES = 4
HEAD = {
    'type': 'FCNHead',
    'in_channels': 4,
    'channels': 4,
    'num_convs': 1,
    'concat_input': False,
    'dropout_ratio': 0,
    'num_classes': NUM_CLASSES,
    'loss_decode': {'type': 'CrossEntropyLoss', 'avg_non_ignore': True},
}
HEADS = {
    'segmentation': HEAD,
    'depth': {'type': 'DepthHead', 'head': HEAD},
    'normal': {'type': 'NormalHead', 'head': HEAD},
}
# One of each kind: one map, several maps in training, a map and something else.
OTHER_HEADS = [
    {'type': 'FCNHead', 'num_convs': 2},
    {'type': 'ASPPHead', 'dilations': (1, 2)},
    {'type': 'PSPHead', 'pool_scales': (1, 2)},
    {
        'type': 'DepthwiseSeparableASPPHead',
        'dilations': (1, 2),
        'c1_in_channels': 0,
        'c1_channels': 0,
    },
    {'type': 'DAHead', 'pam_channels': 2},
    {'type': 'EncHead', 'in_channels': [4], 'in_index': [0]},
    {'type': 'SegformerHead', 'in_channels': [4], 'in_index': [0]},
    {'type': 'UPerHead', 'in_channels': [4], 'in_index': [0], 'pool_scales': (1, 2)},
]


def build(**options) -> MultiTaskSegmentor:
    torch.manual_seed(0)
    init_default_scope('mmseg')
    config = {
        'type': 'MultiTaskSegmentor',
        'data_preprocessor': {'type': 'MTLDataPreProcessor', 'size_divisor': 16},
        'backbone': {'type': 'MTLSegNet', 'channels': (4, 4), 'convolutions': (1, 1)},
        'heads': HEADS,
        'train_cfg': {},
        'test_cfg': {'mode': 'whole'},
        **options,
    }
    return MODELS.build(ConfigDict(copy.deepcopy(config)))


def make_sample(size=SIZE, seed=0, **meta) -> SegDataSample:
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, NUM_CLASSES, (1, *size), generator=generator)
    label[:, 0] = 255
    depth = torch.rand((1, *size), generator=generator) + 1
    depth[:, 1] = 0
    normal = F.normalize(torch.randn((3, *size), generator=generator), dim=0)
    normal[:, :, 2] = 0
    fields = {'gt_sem_seg': label, 'gt_depth_map': depth, 'gt_normal_map': normal}
    sample = SegDataSample(metainfo={'ori_shape': size, 'img_shape': size, **meta})
    sample.set_data({name: PixelData(data=data) for name, data in fields.items()})
    return sample


def make_batch(size=SIZE, count=2):
    return {
        'inputs': [torch.rand(3, *size) * 255 for _ in range(count)],
        'data_samples': [make_sample(size, seed) for seed in range(count)],
    }


def compute_losses(model, batch=None):
    batch = model.data_preprocessor(batch or make_batch(), training=True)
    return model(**batch, mode='loss'), batch


def test_losses_by_hand():
    """Heads that predict a constant: 3 m where 1 m is true, and the opposite of a true normal."""
    model = build()
    for task, constant in (('depth', [3.0]), ('normal', [0.0, 0.0, 2.0])):
        layer = model.decode_head[task].head.conv_seg
        torch.nn.init.zeros_(layer.weight)
        layer.bias.data = torch.tensor(constant)
    batch = make_batch()
    for sample in batch['data_samples']:
        sample.gt_depth_map.data[:, 2:] = 1
        sample.gt_depth_map.data[:, :2] = 0
        sample.gt_normal_map.data[:] = 0
        sample.gt_normal_map.data[2, :, 5] = -1
    losses, _ = compute_losses(model, batch)
    assert losses['depth.loss_abs'].item() == pytest.approx(2)
    assert losses['normal.loss_cos'].item() == pytest.approx(2)


def test_losses_are_those_of_both_hosts():
    model = build().eval()
    losses, batch = compute_losses(model)
    truth = {
        name: torch.stack([sample.get(name).data for sample in batch['data_samples']])
        for name in ('gt_sem_seg', 'gt_depth_map', 'gt_normal_map')
    }
    label = truth['gt_sem_seg'][:, 0]
    maps = model(batch['inputs'], mode='tensor')
    expected = {
        'segmentation.loss_ce': segmentation_loss(
            maps['segmentation'], torch.where(label == 255, -1, label)
        ),
        'depth.loss_abs': depth_loss(maps['depth'], truth['gt_depth_map']),
        'normal.loss_cos': normal_loss(maps['normal'], truth['gt_normal_map']),
    }
    assert {key for key in losses if 'loss' in key} == set(expected)
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value)


def test_auxiliary_losses_belong_to_their_tasks():
    depth = {'type': 'DepthHead', 'head': HEAD, 'loss_weight': 0.4}
    losses, _ = compute_losses(build(auxiliary_heads={'segmentation': HEAD, 'depth': [depth] * 2}))
    assert {key for key in losses if 'aux' in key and 'loss' in key} == {
        'segmentation.aux_loss_ce',
        'depth.aux_0_loss_abs',
        'depth.aux_1_loss_abs',
    }


def test_loss_weight_scales_the_loss():
    plain = build().decode_head['depth']
    weighted = build(heads={'depth': {**HEADS['depth'], 'loss_weight': 0.4}}).decode_head['depth']
    weighted.load_state_dict(plain.state_dict())
    features = [torch.rand(1, 4, *SIZE)]
    losses = [head.eval().loss(features, [make_sample()], {}) for head in (plain, weighted)]
    torch.testing.assert_close(0.4 * losses[0]['loss_abs'], losses[1]['loss_abs'])


@pytest.mark.parametrize('config', OTHER_HEADS, ids=lambda config: config['type'])
def test_any_head_serves_for_any_task(config):
    head = {**{key: HEAD[key] for key in ('in_channels', 'channels', 'num_classes')}, **config}
    heads = {
        'segmentation': head,
        'depth': {'type': 'DepthHead', 'head': head},
        'normal': {'type': 'NormalHead', 'head': head},
    }
    model = build(heads=heads)
    losses, _ = compute_losses(model)
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    for task in ('depth', 'normal'):
        gradients = [p.grad for p in model.decode_head[task].head.conv_seg.parameters()]
        assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
    (result,) = model.eval().test_step(make_batch(count=1))
    assert result.pred_depth_map.data.shape == (1, *SIZE)
    assert result.pred_normal_map.data.shape == (3, *SIZE)


def test_binary_segmentation_has_a_threshold():
    head = {**HEAD, 'num_classes': 2, 'out_channels': 1, 'threshold': 0.6}
    head['loss_decode'] = {'type': 'CrossEntropyLoss', 'use_sigmoid': True}
    model = build(heads={'segmentation': head, 'depth': HEADS['depth']}).eval()
    (result,) = model.test_step(make_batch(count=1))
    found = result.pred_sem_seg.data == 1
    assert torch.equal(found, result.seg_logits.data > 0.6)


def test_tasks_choose_heads():
    model = build(tasks=['depth'], auxiliary_heads={'segmentation': HEAD, 'depth': HEADS['depth']})
    losses, _ = compute_losses(model)
    assert set(losses) == {'depth.loss_abs', 'depth.aux_loss_abs'}
    (result,) = model.eval().test_step(make_batch(count=1))
    assert {key for key in result.keys() if key.startswith('pred')} == {'pred_depth_map'}  # noqa: SIM118


def test_order_of_the_heads_is_not_that_of_the_config():
    """A resumed run may read its config sorted; an optimizer's state goes by the order."""
    sorted_heads = dict(sorted(HEADS.items()))
    assert list(sorted_heads) != list(HEADS)
    names = [[name for name, _ in build(heads=h).named_parameters()] for h in (HEADS, sorted_heads)]
    assert names[0] == names[1]


def test_num_classes_is_that_of_all_segmentation_heads():
    model = build(num_classes=7, auxiliary_heads={'segmentation': HEAD})
    assert model.decode_head['segmentation'].num_classes == 7
    assert model.auxiliary_head['segmentation'][0].num_classes == 7
    assert model.num_classes == 7


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'heads': {'edges': HEAD}}, 'Found `edges`'),
        ({'heads': {'depth': HEAD}}, 'should have a `DepthHead` for depth'),
        ({'tasks': ['normals']}, r"Found `tasks = \['normals'\]`"),
        ({'tasks': []}, 'at least one'),
        ({'auxiliary_heads': {'flow': HEAD}}, 'Found `flow`'),
        (
            {'heads': {**HEADS, 'segmentation': {**HEAD, 'align_corners': True}}},
            'align_corners',
        ),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_missing_truth_is_named():
    batch = make_batch()
    del batch['data_samples'][1].gt_depth_map
    with pytest.raises(ValueError, match='should have `gt_depth_map`'):
        compute_losses(build(), batch)


def test_targets_are_padded_with_nothing():
    model = build(data_preprocessor={'type': 'MTLDataPreProcessor', 'size': (40, 64)})
    before = make_batch(count=1)
    _, batch = compute_losses(model, copy.deepcopy(before))
    assert batch['inputs'].shape == (1, 3, 40, 64)
    (sample,), (original,) = batch['data_samples'], before['data_samples']
    for name, nothing in (('gt_sem_seg', 255), ('gt_depth_map', 0), ('gt_normal_map', 0)):
        data = sample.get(name).data
        assert torch.equal(data[:, :32, :48], original.get(name).data)
        assert (data[:, 32:] == nothing).all()
        assert (data[:, :, 48:] == nothing).all()


def test_unlabelled_batch_is_an_absent_task():
    batch = make_batch()
    for sample in batch['data_samples']:
        sample.gt_depth_map.data.zero_()
    losses, _ = compute_losses(build(), batch)
    assert losses['depth.loss_abs'].item() == 0
