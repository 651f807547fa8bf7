"""The metrics by hand, as on LibMTL's side, and any other task's."""

from __future__ import annotations

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmseg.registry import METRICS

from go4align_plugins.data import get_benchmark
from go4align_plugins.mmseg.evaluation import (
    MTLDepthMetric,
    MTLMetric,
    MTLSegmentationMetric,
)

from .toys import sample_of

NYUV2 = get_benchmark('nyuv2')
META = {'classes': NYUV2.class_names, 'benchmark': 'nyuv2', 'tasks': NYUV2.task_names}
METRIC_TYPES = [{'type': f'MTL{task}Metric'} for task in ('Segmentation', 'Depth', 'Normal')]


def evaluate(metric, *samples, classes=('a', 'b', 'c')):
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = {'classes': classes}
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


def frames(count, seed=0, size=(9, 7)):
    """Random predictions and truths of the three tasks as tensors of a batch."""
    generator = torch.Generator().manual_seed(seed)
    batch = {
        'seg_logits': torch.randn(count, 13, *size, generator=generator),
        'gt_sem_seg': torch.randint(-1, 13, (count, 1, *size), generator=generator),
        'pred_depth_map': torch.rand(count, 1, *size, generator=generator),
        'gt_depth_map': torch.rand(count, 1, *size, generator=generator) * 8 - 1,
        'pred_normal_map': torch.randn(count, 3, *size, generator=generator),
        'gt_normal_map': torch.randn(count, 3, *size, generator=generator),
    }
    batch['gt_depth_map'].clamp_(min=0)
    batch['gt_normal_map'] /= batch['gt_normal_map'].norm(dim=1, keepdim=True)
    batch['gt_normal_map'][:, :, 0] = 0
    batch['pred_sem_seg'] = batch['seg_logits'].argmax(1, keepdim=True)
    return batch


def samples_of(batch):
    """As mmseg has them: a sample each, 255 for no label."""
    maps = {**batch, 'gt_sem_seg': batch['gt_sem_seg'].where(batch['gt_sem_seg'] >= 0, 255)}
    count = len(batch['gt_sem_seg'])
    return [sample_of(**{name: data[i] for name, data in maps.items()}) for i in range(count)]


def test_segmentation_by_hand():
    sample = sample_of(pred_sem_seg=[[[0, 0, 1, 1]]], gt_sem_seg=[[[0, 1, 1, 255]]])
    scores = evaluate(MTLSegmentationMetric(), sample)
    # Class 0: 1 of 2; class 1: 1 of 2; class 2 does not occur.
    assert scores == pytest.approx({'segmentation/mIoU': 0.5, 'segmentation/pixAcc': 2 / 3})


@pytest.mark.parametrize('metric', [MTLDepthMetric(), MTLMetric(task='depth')])
def test_depth_by_hand(metric):
    sample = sample_of(pred_depth_map=[[[1.0, 4.0, 9.0]]], gt_depth_map=[[[2.0, 3.0, 0.0]]])
    scores = evaluate(metric, sample)
    assert scores == pytest.approx({'depth/abs_err': 1.0, 'depth/rel_err': (1 / 2 + 1 / 3) / 2})


@pytest.mark.parametrize('task', NYUV2.tasks, ids=lambda task: task.name)
def test_values_are_those_of_libmtl_side(task):
    batch = frames(5)
    prediction, target = (batch[f'{prefix}_{task.kind.field}'] for prefix in ('pred', 'gt'))
    if task.kind.has_classes:
        prediction, target = batch['seg_logits'], target[:, 0]
    expected = task.kind.metric(task, 1.0)
    for batches in zip(prediction.split(3), target.split(3)):
        expected.update(*batches)
    metric = METRICS.build({'type': f'MTL{task.name.title()}Metric'})
    found = evaluate(metric, *samples_of(batch), classes=META['classes'])
    assert list(found) == [f'{task.name}/{metric.name}' for metric in task.metrics]
    assert list(found.values()) == pytest.approx(list(expected.compute().values()), rel=1e-9)


@pytest.mark.parametrize(
    ('task', 'maps', 'message'),
    [
        ('depth', {'gt_depth_map': (1, 4, 4)}, 'should hold `pred_depth_map`'),
        ('depth', {'pred_depth_map': (1, 4, 4)}, 'should hold `gt_depth_map`'),
        (
            'depth',
            {'gt_depth_map': (1, 4, 4), 'pred_depth_map': (1, 8, 8)},
            'should have the shape of its target',
        ),
        (
            'segmentation',
            {'gt_sem_seg': (1, 4, 4), 'pred_sem_seg': (1, 8, 8)},
            'should have the shape of its target',
        ),
        (
            'segmentation',
            {'gt_sem_seg': (1, 4, 4), 'pred_sem_seg': (1, 4, 4)},
            'be 3 in the head, as in the data set. Found `num_classes = 4`',
        ),
        ('depths', {}, "Found `task = 'depths'`"),
    ],
)
def test_maps_that_do_not_fit(task, maps, message):
    sample = sample_of(**{name: torch.full(shape, 3) for name, shape in maps.items()})
    with pytest.raises(ValueError) as caught:
        evaluate(MTLMetric(task=task), sample)
    assert message in str(caught.value)
