"""delta_m against any baseline: by hand, published, from files; mistakes show early."""

from __future__ import annotations

import json
import os

import pytest
import torch.multiprocessing as mp
from mmseg.registry import EVALUATOR
from torch import distributed

from go4align_plugins.mmseg.evaluation.delta_m import load_baseline

from .test_evaluation import META, METRIC_TYPES, NYUV2, frames, samples_of
from .toys import sample_of


def build_delta_m(baseline, meta=META, metrics=METRIC_TYPES):
    config = {'type': 'MTLDeltaM', 'metrics': metrics, 'baseline': baseline}
    evaluator = EVALUATOR.build(config)
    evaluator.dataset_meta = meta
    return evaluator


def evaluate(baseline, count):
    evaluator = build_delta_m(baseline)
    evaluator.process(samples_of(frames(count)))
    return evaluator.evaluate(count)


def test_delta_m_by_hand():
    meta = {'classes': ('a',) * 7, 'benchmark': 'cityscapes', 'tasks': ('depth',)}
    baseline = {'depth': {'abs_err': 2.0, 'rel_err': 0.5}}
    evaluator = build_delta_m(baseline, meta, [{'type': 'MTLDepthMetric'}])
    evaluator.process([sample_of(pred_depth_map=[[[5.0]]], gt_depth_map=[[[4.0]]])])
    scores = evaluator.evaluate(1)
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
    values = [evaluate(each, 2)['delta_m'] for each in ('published', str(path), runs)]
    assert values[0] == values[1] == pytest.approx(values[2], rel=1e-9)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'meta': {**META, 'benchmark': 'rooms'}}, 'none are published for rooms'),
        (
            {'meta': {**META, 'classes': META['classes'][:5]}},
            'should be the 13 of nyuv2 for the published baseline',
        ),
        (
            {'baseline': {'depth': {'abs_err': 1.0}}},
            'every metric of the tasks, segmentation/mIoU, segmentation/pixAcc, depth/rel_err',
        ),
        ({'baseline': 'runs/nothing'}, 'runs/nothing: should hold tasks, their metrics and values, as JSON. Found: FileNotF'),
        ({'metrics': METRIC_TYPES[:2]}, 'have one for normal: `dict(type="MTLMetric", task='),
        ({'meta': {'classes': ('a', 'b')}}, 'should be of this package'),
    ],
)
def test_mistakes_show_before_training(options, message):
    with pytest.raises(ValueError) as caught:
        build_delta_m(**{'baseline': 'published', **options})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('metrics.jsonl', b'{"test": {}}\n', 'should hold test metrics'),
        ('metrics.jsonl', b'nonsense\n', 'should hold test metrics in every line, as JSON'),
        ('a.json', b'{"depth": {"abs_err": {}}}', 'should hold tasks, their metrics and values'),
        ('a.json', b'[1]', 'should hold tasks, their metrics and values'),
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
    evaluator = build_delta_m(NYUV2.single_task)
    samples = samples_of(frames(5))
    # As mmengine's sampler deals them: in turn, and the first again to make the shares equal.
    evaluator.process([*samples, samples[0]][rank::2])
    (folder / f'{rank}.json').write_text(json.dumps(evaluator.evaluate(5)))
    distributed.destroy_process_group()


def test_two_ranks_evaluate_as_one(tmp_path):
    mp.start_processes(_evaluate_on_rank, (tmp_path,), nprocs=2, start_method='fork')
    expected = pytest.approx(evaluate(NYUV2.single_task, 5), rel=1e-12)
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == expected
