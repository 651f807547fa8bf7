"""The metrics, as on LibMTL's side, and delta_m against any baseline; mistakes show early."""

from __future__ import annotations

import json
import os

import pytest
import torch
import torch.multiprocessing as mp
from mmseg.registry import EVALUATOR
from torch import distributed

from go4align_plugins.data import get_benchmark
from go4align_plugins.mmseg.evaluation.metrics import load_baseline

from .toys import sample_of

NYUV2 = get_benchmark('nyuv2')
META = {'classes': NYUV2.class_names, 'benchmark': 'nyuv2', 'tasks': NYUV2.task_names}
METRIC_TYPES = [{'type': f'MTL{task}Metric'} for task in ('Segmentation', 'Depth', 'Normal')]


def build(kind='MTLDeltaM', meta=META, metrics=METRIC_TYPES, **options):
    evaluator = EVALUATOR.build({'type': kind, 'metrics': metrics, **options})
    evaluator.dataset_meta = meta
    return evaluator


def evaluate(samples, *args, **options):
    evaluator = build(*args, **options)
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


@pytest.mark.parametrize('task', NYUV2.tasks, ids=lambda task: task.name)
def test_values_are_those_of_libmtl_side(task):
    batch = frames(5)
    prediction, target = (batch[f'{prefix}_{task.kind.field}'] for prefix in ('pred', 'gt'))
    if task.kind.has_classes:
        prediction, target = batch['seg_logits'], target[:, 0]
    expected = task.kind.metric(task, 1.0)
    for batches in zip(prediction.split(3), target.split(3)):
        expected.update(*batches)
    own = {'type': f'MTL{task.name.title()}Metric'}
    for metric in (own, {'type': 'MTLMetric', 'task': task.name}):
        found = evaluate(samples_of(batch), 'Evaluator', metrics=[metric])
        assert list(found) == [f'{task.name}/{metric.name}' for metric in task.metrics]
        assert list(found.values()) == pytest.approx(list(expected.compute().values()), rel=1e-9)


@pytest.mark.parametrize(
    ('task', 'shapes', 'message'),
    [
        ('depth', {'gt_depth_map': 4}, 'should hold `pred_depth_map`'),
        ('depth', {'pred_depth_map': 4}, 'should hold `gt_depth_map`'),
        ('depth', {'gt_depth_map': 4, 'pred_depth_map': 8}, 'should have the shape of its target'),
        ('segmentation', {'gt_sem_seg': 4, 'pred_sem_seg': 8}, 'have the shape of its target'),
        (
            'segmentation',
            {'gt_sem_seg': 4, 'pred_sem_seg': 4},
            'be 13 in the head, as in the data set. Found `num_classes = 14`',
        ),
        ('depths', {}, "Found `task = 'depths'`"),
    ],
)
def test_maps_that_do_not_fit(task, shapes, message):
    sample = sample_of(**{name: torch.full((1, 4, size), 13) for name, size in shapes.items()})
    with pytest.raises(ValueError) as caught:
        evaluate([sample], 'Evaluator', metrics=[{'type': 'MTLMetric', 'task': task}])
    assert message in str(caught.value)


def test_delta_m_by_hand():
    meta = {'classes': ('a',) * 7, 'benchmark': 'cityscapes', 'tasks': ('depth',)}
    baseline = {'depth': {'abs_err': 2.0, 'rel_err': 0.5}}
    sample = sample_of(pred_depth_map=[[[5.0, 9.0]]], gt_depth_map=[[[4.0, 0.0]]])
    scores = evaluate([sample], meta=meta, metrics=METRIC_TYPES[1:2], baseline=baseline)
    # 1 in place of 2, 0.25 in place of 0.5: half the error in both.
    assert scores == pytest.approx({'depth/abs_err': 1, 'depth/rel_err': 0.25, 'delta_m': -50})


def write_run(folder, task, values, epochs=12):
    """A run folder whose last 10 epochs average to the values."""
    folder.mkdir()
    with (folder / 'metrics.jsonl').open('w') as file:
        for epoch in range(epochs):
            offset = epoch - 6.5 if epoch > 1 else 99
            metrics = {task: {name: value + offset for name, value in values.items()}}
            file.write(json.dumps({'epoch': epoch, 'test': {'metrics': metrics}}) + '\n')
    return str(folder)


def test_baselines_from_files(tmp_path):
    single_task = NYUV2.single_task
    path = tmp_path / 'edited.json'
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(single_task).encode())
    assert load_baseline(path, NYUV2) == single_task
    runs = [write_run(tmp_path / task, task, single_task[task]) for task in single_task]
    samples = samples_of(frames(2))
    baselines = ('published', str(path), runs)
    values = [evaluate(samples, baseline=each)['delta_m'] for each in baselines]
    assert values[0] == values[1] == pytest.approx(values[2], rel=1e-9)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'meta': {**META, 'benchmark': 'rooms'}}, 'none are published for rooms'),
        ({'meta': {**META, 'classes': 'ab'}}, 'be the 13 of nyuv2 for the published baseline'),
        ({'baseline': {'depth': {'abs_err': 1.0}}}, 'segmentation/pixAcc, depth/rel_err, normal/'),
        ({'baseline': 'runs/nothing'}, 'runs/nothing: should hold tasks, their metrics and values'),
        ({'metrics': METRIC_TYPES[:2]}, 'have one for normal: `dict(type="MTLMetric", task='),
        ({'meta': {'classes': ('a', 'b')}}, 'should be of this package'),
    ],
)
def test_mistakes_show_before_training(options, message):
    with pytest.raises(ValueError) as caught:
        build(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('metrics.jsonl', b'{"test": {}}\n', 'should hold test metrics'),
        ('metrics.jsonl', b'nonsense\n', 'should hold test metrics in every line, as JSON'),
        ('a.json', b'{"depth": {"abs_err": {}}}', 'should hold tasks, their metrics and values'),
        ('a.json', b'<html>', 'should hold tasks, .* Found: a web page'),
        ('a.json', b'version https://git-lfs', 'should hold tasks, .* Found: a pointer'),
    ],
)
def test_broken_baselines(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'{name}: {message}'):
        load_baseline(path if name == 'a.json' else tmp_path, NYUV2)


def _evaluate_on_rank(rank, folder):
    os.chdir(folder)
    store = f'file://{folder}/store'
    distributed.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    evaluator = build(baseline=NYUV2.single_task)
    samples = samples_of(frames(5))
    # As mmengine's sampler deals them: in turn, and the first again to make the shares equal.
    evaluator.process([*samples, samples[0]][rank::2])
    (folder / f'{rank}.json').write_text(json.dumps(evaluator.evaluate(5)))
    distributed.destroy_process_group()


def test_two_ranks_evaluate_as_one(tmp_path):
    mp.start_processes(_evaluate_on_rank, (tmp_path,), nprocs=2, start_method='fork')
    scores = evaluate(samples_of(frames(5)), baseline=NYUV2.single_task)
    for rank in range(2):
        found = json.loads((tmp_path / f'{rank}.json').read_text())
        assert found == pytest.approx(scores, rel=1e-12)
