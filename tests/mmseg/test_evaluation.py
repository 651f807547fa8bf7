"""The metrics by hand, as on LibMTL's side, and over ranks; delta_m against any baseline."""

from __future__ import annotations

import importlib.util
import json
import math
import os

import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmengine  # noqa: F401, I001  (mends what importing mmseg needs)

from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import EVALUATOR, METRICS
from mmseg.structures import SegDataSample

from go4align_plugins.benchmarks import get_benchmark
from go4align_plugins.measures import build_metric, delta_m
from go4align_plugins.mmseg.evaluation import (
    MTLDeltaM,
    MTLDepthMetric,
    MTLNormalMetric,
    MTLSegmentationMetric,
)

NYUV2 = get_benchmark('nyuv2')
META = {'classes': NYUV2.class_names, 'benchmark': 'nyuv2', 'tasks': NYUV2.task_names}
METRIC_TYPES = [{'type': f'MTL{task}Metric'} for task in ('Segmentation', 'Depth', 'Normal')]
FIELDS = {
    'segmentation': ('pred_sem_seg', 'gt_sem_seg'),
    'depth': ('pred_depth_map', 'gt_depth_map'),
    'normal': ('pred_normal_map', 'gt_normal_map'),
}
init_default_scope('mmseg')


def sample_of(**maps):
    sample = SegDataSample()
    sample.set_data({name: PixelData(data=torch.as_tensor(data)) for name, data in maps.items()})
    return sample


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


def test_logits_serve_as_well():
    batch = frames(2)
    with_classes = samples_of(batch)
    del batch['pred_sem_seg']
    scores = [
        evaluate(MTLSegmentationMetric(), *samples, classes=META['classes'])
        for samples in (with_classes, samples_of(batch))
    ]
    assert scores[0] == scores[1]


def test_depth_by_hand():
    sample = sample_of(pred_depth_map=[[[1.0, 4.0, 9.0]]], gt_depth_map=[[[2.0, 3.0, 0.0]]])
    scores = evaluate(MTLDepthMetric(), sample)
    assert scores == pytest.approx({'depth/abs_err': 1.0, 'depth/rel_err': (1 / 2 + 1 / 3) / 2})


def test_normal_by_hand():
    # Angles of 0, 20 and 90 degrees; the last pixel has no normal.
    angle = math.radians(20)
    predicted = torch.tensor(
        [[0, 0, -2], [0, math.sin(angle), -math.cos(angle)], [1, 0, 0], [1, 1, 1]]
    )
    true = torch.tensor([[0.0, 0, -1], [0, 0, -1], [0, 0, -1], [0, 0, 0]])
    sample = sample_of(pred_normal_map=predicted.T[:, None], gt_normal_map=true.T[:, None])
    scores = evaluate(MTLNormalMetric(), sample)
    assert scores == pytest.approx(
        {
            'normal/mean': 110 / 3, 'normal/median': 20,
            'normal/<11.25': 1 / 3, 'normal/<22.5': 2 / 3, 'normal/<30': 2 / 3,
        },
        abs=1e-5,
    )  # fmt: skip


def test_sums_not_means_of_frames():
    few = sample_of(pred_depth_map=[[[1.0, 0, 0, 0]]], gt_depth_map=[[[2.0, 0, 0, 0]]])
    many = sample_of(pred_depth_map=[[[5.0] * 4]], gt_depth_map=[[[2.0] * 4]])
    scores = evaluate(MTLDepthMetric(), few, many)
    assert scores['depth/abs_err'] == pytest.approx((1 + 4 * 3) / 5)


def gather_measures(task, batches):
    metric = build_metric(task)
    for prediction, target in batches:
        metric.update(prediction, target)
    return list(metric.compute().values())


def gather_libmtl(task, batches):
    if importlib.util.find_spec('LibMTL') is None:
        pytest.skip('LibMTL is not installed')
    from go4align_plugins.libmtl.tasks import DenseMetric

    metric = DenseMetric(task)
    for prediction, target in batches:
        metric.update_fun(prediction, target)
    return metric.score_fun()


@pytest.mark.parametrize('gather', [gather_measures, gather_libmtl])
@pytest.mark.parametrize('task', NYUV2.tasks, ids=lambda task: task.name)
def test_values_are_those_of_libmtl_side(task, gather):
    batch = frames(5)
    prediction, target = (batch[name] for name in FIELDS[task.name])
    if task.name == 'segmentation':
        prediction, target = batch['seg_logits'], target[:, 0]
    values = gather(task, zip(prediction.split(3), target.split(3)))
    found = evaluate(
        METRICS.build({'type': f'MTL{task.name.title()}Metric'}),
        *samples_of(batch),
        classes=META['classes'],
    )
    assert list(found) == [f'{task.name}/{metric.name}' for metric in task.metrics]
    assert list(found.values()) == pytest.approx(values, rel=0, abs=1e-6)


def test_each_evaluation_begins_anew():
    metric = MTLDepthMetric()
    first, second = (samples_of(frames(2, seed)) for seed in (0, 1))
    evaluate(metric, *first)
    assert evaluate(metric, *second) == evaluate(MTLDepthMetric(), *second)


def test_nothing_labelled_is_nan():
    batch = frames(1)
    batch['gt_sem_seg'][:] = -1
    batch['gt_depth_map'][:] = batch['gt_normal_map'][:] = 0
    for metric in (MTLSegmentationMetric(), MTLDepthMetric(), MTLNormalMetric()):
        scores = evaluate(metric, *samples_of(batch), classes=META['classes'])
        assert all(math.isnan(value) for value in scores.values())


@pytest.mark.parametrize(
    ('metric', 'maps', 'message'),
    [
        (MTLDepthMetric, {'gt_depth_map': (1, 4, 4)}, 'should hold `pred_depth_map`'),
        (MTLDepthMetric, {'pred_depth_map': (1, 4, 4)}, 'should hold `gt_depth_map`'),
        (MTLNormalMetric, {'gt_normal_map': (3, 4, 4)}, 'should hold `pred_normal_map`'),
        (MTLSegmentationMetric, {'gt_sem_seg': (1, 4, 4)}, 'should hold `seg_logits`'),
        (
            MTLDepthMetric,
            {'gt_depth_map': (1, 4, 4), 'pred_depth_map': (1, 8, 8)},
            'should have the shape of its target',
        ),
        (
            MTLSegmentationMetric,
            {'gt_sem_seg': (1, 4, 4), 'pred_sem_seg': (1, 8, 8)},
            'should have the shape of its target',
        ),
        (
            MTLSegmentationMetric,
            {'gt_sem_seg': (1, 4, 4), 'seg_logits': (19, 4, 4)},
            '3 classes of the data set. Found 19',
        ),
    ],
)  # fmt: skip
def test_maps_that_do_not_fit(metric, maps, message):
    sample = sample_of(**{name: torch.zeros(shape) for name, shape in maps.items()})
    with pytest.raises(ValueError) as caught:
        evaluate(metric(), sample)
    assert message in str(caught.value)


def test_class_beyond_those_of_the_data():
    sample = sample_of(pred_sem_seg=[[[3]]], gt_sem_seg=[[[0]]])
    with pytest.raises(ValueError, match=r'3 classes of the data set\. Found 4'):
        evaluate(MTLSegmentationMetric(), sample)


def build_delta_m(baseline, meta=META, metrics=None):
    config = {
        'type': 'MTLDeltaM',
        'metrics': METRIC_TYPES if metrics is None else metrics,
        'baseline': baseline,
    }
    evaluator = EVALUATOR.build(config)
    evaluator.dataset_meta = meta
    return evaluator


def test_delta_m_by_hand():
    meta = {'classes': ('a',) * 7, 'benchmark': 'cityscapes', 'tasks': ('depth',)}
    baseline = {'depth': {'abs_err': 2.0, 'rel_err': 0.5}}
    evaluator = build_delta_m(baseline, meta, [{'type': 'MTLDepthMetric'}])
    evaluator.process([sample_of(pred_depth_map=[[[5.0]]], gt_depth_map=[[[4.0]]])])
    scores = evaluator.evaluate(1)
    # 1 in place of 2, 0.25 in place of 0.5: half the error in both.
    assert scores == pytest.approx({'depth/abs_err': 1, 'depth/rel_err': 0.25, 'delta_m': -50})


def test_delta_m_against_the_published_results():
    evaluator = build_delta_m('published')
    evaluator.process(samples_of(frames(3)))
    scores = evaluator.evaluate(3)
    columns = [(task.name, metric) for task in NYUV2.tasks for metric in task.metrics]
    expected = delta_m(
        [scores[f'{task}/{metric.name}'] for task, metric in columns],
        [NYUV2.single_task[task][metric.name] for task, metric in columns],
        [metric.higher_is_better for _, metric in columns],
    )
    assert len(columns) == 9
    assert scores['delta_m'] == expected


def write_run(folder, task, values, epochs=12):
    """A run folder whose last 10 epochs average to the values."""
    folder.mkdir()
    entries = [
        {'epoch': epoch, 'test': {'metrics': {task: {
            name: value + (epoch - 6.5 if epoch > 1 else 99) for name, value in values.items()
        }}}}
        for epoch in range(epochs)
    ]  # fmt: skip
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(entry) + '\n' for entry in entries))
    return str(folder)


def test_baselines_from_files(tmp_path):
    single_task = NYUV2.single_task
    (tmp_path / 'stl.json').write_text(json.dumps(single_task))
    runs = [write_run(tmp_path / task, task, single_task[task]) for task in single_task]
    values = []
    for baseline in (single_task, str(tmp_path / 'stl.json'), runs):
        evaluator = build_delta_m(baseline)
        evaluator.process(samples_of(frames(2)))
        values.append(evaluator.evaluate(2)['delta_m'])
    assert values[0] == values[1] == pytest.approx(values[2], rel=1e-9)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'baseline': 'published', 'meta': {**META, 'benchmark': 'rooms'}},
            'none are published for rooms',
        ),
        (
            {'baseline': 'published', 'meta': {**META, 'classes': META['classes'][:5]}},
            'which is for the 13 classes of nyuv2. Found 5 classes',
        ),
        (
            {'baseline': {'depth': {'abs_err': 1.0}}},
            'Missing: segmentation/mIoU, segmentation/pixAcc, depth/rel_err, normal/mean',
        ),
        ({'baseline': 'runs/nothing'}, 'runs/nothing: should be a JSON file or a run folder'),
        (
            {'baseline': 'published', 'metrics': METRIC_TYPES[:2]},
            'Missing: `MTLNormalMetric`',
        ),
        (
            {'baseline': 'published', 'meta': {'classes': ('a', 'b')}},
            'should be used with a data set of this package',
        ),
    ],
)  # fmt: skip
def test_mistakes_show_before_training(options, message):
    with pytest.raises(ValueError) as caught:
        build_delta_m(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize('text', ['', '{"test": {}}\n', 'nonsense\n'])
def test_broken_baselines(tmp_path, text):
    (tmp_path / 'metrics.jsonl').write_text(text)
    with pytest.raises(ValueError, match=r'metrics\.jsonl: should hold'):
        build_delta_m(str(tmp_path))


def _evaluate_on_rank(rank, folder):
    os.chdir(folder)
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    evaluator = build_delta_m(NYUV2.single_task)
    samples = samples_of(frames(5))
    # As mmengine's sampler deals them: in turn, and the first again to make the shares equal.
    evaluator.process([*samples, samples[0]][rank::2])
    (folder / f'{rank}.json').write_text(json.dumps(evaluator.evaluate(5)))
    distributed.destroy_process_group()


def test_two_ranks_evaluate_as_one(tmp_path):
    mp.start_processes(_evaluate_on_rank, (tmp_path,), nprocs=2, start_method='fork')
    evaluator = MTLDeltaM(METRIC_TYPES, NYUV2.single_task)
    evaluator.dataset_meta = META
    evaluator.process(samples_of(frames(5)))
    expected = evaluator.evaluate(5)
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == pytest.approx(
            expected, rel=1e-12
        )
