"""A fourth dense task: its rules are said once in `tasks.py`, its head and metrics in a config."""

from __future__ import annotations

import json

import numpy as np
import pytest

from .. import ROOT
from .frames import make_frame, write_frame
from .test_tools_mmseg import run

# As one would add it to `tasks.py` and to a benchmark, before anything else is imported.
TOOL = """
import sys
from dataclasses import replace

from go4align_plugins import data, measures, tasks

EDGE = tasks.MapKind(
    'edge', measures.depth_loss, lambda *_: measures.DepthMetric(), folder='edge',
    array='gt_edge_map', field='edge_map', shapes=((),), channels=1, colours='scale',
)
tasks.MAPS['edge'] = EDGE
edge = tasks.Task('edge', 1, (tasks.Metric('abs_err', False, 'share'),), EDGE)
rooms = data.BENCHMARKS['rooms']
data.BENCHMARKS['rooms'] = replace(rooms, tasks=(*rooms.tasks, edge))

from go4align_plugins.mmseg.apis import test, train

assert train.main([*sys.argv[1:], '--work-dir', 'run']) == 0
assert test.main([*sys.argv[1:], 'run/epoch_1.pth', '--show-dir', 'pictures']) == 0
"""
CONFIG = f"""
_base_ = '{ROOT}/configs/segnet/segnet-small_go4align_rooms-96x128.py'
tasks = ['segmentation', 'depth', 'edge']
edge = dict(type='MapHead', task='edge', head=_base_.head)
model = dict(tasks=tasks, heads=dict(edge=edge))
pipeline = [
    dict(type='LoadMTLFrame'), dict(type='MTLScaleCrop', scales=[1.5]),
    dict(type='MTLRandomFlip', prob=1.0), dict(type='PackMTLInputs')]
data = dict(data_root='.', tasks=tasks, pipeline=pipeline)
train_dataloader = dict(batch_size=2, num_workers=0, dataset=data)
val_dataloader = dict(num_workers=0, dataset=data)
test_dataloader = val_dataloader
val_evaluator = dict(
    baseline=dict(edge=dict(abs_err=0.5)),
    metrics=[*_base_.val_evaluator.metrics[:2], dict(type='MTLMetric', task='edge')])
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1)
"""


@pytest.mark.integration
def test_edges_are_learned_beside_the_tasks_of_a_benchmark(tmp_path):
    for split, index in (('train', 0), ('train', 1), ('val', 0)):
        frame = make_frame(index, (64, 64))
        del frame['normal']
        edge = (np.diff(frame['label'], axis=1, prepend=0) != 0).astype(np.float32)
        write_frame(tmp_path, split, index, {**frame, 'edge': edge})
    (tmp_path / 'config.py').write_text(CONFIG)
    (tmp_path / 'tool.py').write_text(TOOL)
    said = run(tmp_path / 'tool.py', 'config.py', cwd=tmp_path)
    (entry,) = map(json.loads, (tmp_path / 'run/metrics.jsonl').open())
    assert set(entry['weights']) == {'segmentation', 'depth', 'edge'}
    assert 0 < entry['train']['loss']['edge'] < 10
    assert 'abs_err' in entry['test']['metrics']['edge']
    assert 'delta_m' in said
    assert list(tmp_path.glob('**/vis_image/*.png'))
