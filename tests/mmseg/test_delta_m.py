"""delta_m against any baseline: by hand, published, from files; mistakes show early."""

from __future__ import annotations

import json
import os

import pytest
import torch.multiprocessing as mp
from torch import distributed

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmengine  # noqa: F401, I001  (mends what importing mmseg needs)

from mmseg.registry import EVALUATOR

from go4align_plugins.measures import delta_m
from go4align_plugins.mmseg.evaluation import MTLDeltaM
from go4align_plugins.mmseg.evaluation.baselines import load_baseline

from .test_evaluation import META, METRIC_TYPES, NYUV2, frames, sample_of, samples_of


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


@pytest.mark.parametrize('content', [b'\xe0', b'{"depth": {"abs_err": {}}}', b'[1]'])
def test_broken_baseline_files(tmp_path, content):
    (tmp_path / 'baseline.json').write_bytes(content)
    with pytest.raises(ValueError, match=r'baseline\.json: should '):
        build_delta_m(str(tmp_path / 'baseline.json'))


def test_baselines_that_were_edited_or_are_none(tmp_path):
    path = tmp_path / 'baseline.json'
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(NYUV2.single_task).encode())
    assert load_baseline(path, NYUV2) == NYUV2.single_task
    for content, found in ((b'<html>', 'a web page'), (b'version https://git-lfs', 'a pointer')):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf'baseline\.json: should hold JSON. Found: {found}'):
            load_baseline(path, NYUV2)


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
