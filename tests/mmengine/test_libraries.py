"""Unchanged models of OpenMMLab's libraries train: mmpretrain's and mmseg's."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from .. import ROOT
from .toys import assert_weights_follow, read_log, train

# Few and small pictures, no pretrained weights to download, no validation.
SEGFORMER = """
_base_ = ['mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py']
custom_imports = dict(imports=['go4align_plugins.mmengine'], allow_failed_imports=False)
custom_hooks = [dict(type='GO4AlignHook', tasks=dict(main=['decode.*'], auxiliary=['aux*']))]
aux = dict(
    type='FCNHead', channels=8, num_convs=1, concat_input=False, num_classes=150,
    norm_cfg=dict(type='BN'), loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4))
model = dict(
    data_preprocessor=dict(size=(64, 64)),
    backbone=dict(init_cfg=None),
    decode_head=dict(channels=16, norm_cfg=dict(type='BN')),
    auxiliary_head=[
        dict(in_channels=64, in_index=1, **aux),
        dict(in_channels=160, in_index=2, **aux)])
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{data}', data_prefix=dict(img_path='images', seg_map_path='labels'),
        pipeline=pipeline))
train_cfg = dict(max_iters=4, val_interval=10)
val_cfg = val_dataloader = val_evaluator = None
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
log_processor = dict(window_size=1)
randomness = dict(seed=0)
"""


def needs(package):
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f'{package} is not installed')


class TwoLabels(Dataset):
    """Noise with one label for each of two tasks; the second batch has none for `colour`."""

    metainfo: dict = {}

    def __len__(self):
        return 6

    def __getitem__(self, index):
        from mmpretrain.structures import DataSample, MultiTaskDataSample

        sample = MultiTaskDataSample()
        sample.set_field(DataSample().set_gt_label(index % 3), 'shape')
        if index not in (2, 3):
            sample.set_field(DataSample().set_gt_label(index % 2), 'colour')
        image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(index))
        return {'inputs': image, 'data_samples': sample}


MULTI_TASK = {
    'type': 'ImageClassifier',
    'backbone': {'type': 'ResNet', 'depth': 18},
    'neck': {'type': 'GlobalAveragePooling'},
    'head': {
        'type': 'MultiTaskHead',
        'in_channels': 512,
        'task_heads': {
            'shape': {'type': 'LinearClsHead', 'num_classes': 3},
            'colour': {'type': 'LinearClsHead', 'num_classes': 2},
        },
    },
}


@needs('mmpretrain')
@pytest.mark.integration
def test_multi_task_head_of_mmpretrain_trains(tmp_path):
    from mmpretrain.utils import register_all_modules

    register_all_modules()
    sampler = {'type': 'DefaultSampler', 'shuffle': False}
    train(
        tmp_path,
        model=MULTI_TASK,
        train_dataloader={'dataset': TwoLabels(), 'batch_size': 2, 'sampler': sampler},
        train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={
            'type': 'GO4AlignOptimWrapper',
            'optimizer': {'type': 'SGD', 'lr': 0.01},
            'tasks': {'shape': ['shape_*'], 'colour': ['colour_*']},
        },
        default_scope='mmpretrain',
        log_processor={'window_size': 1},
    )
    log = read_log(tmp_path)
    assert [line['weight/colour'] > 0 for line in log] == [True, False, True]
    assert_weights_follow(log, {'shape': ['shape_loss'], 'colour': ['colour_loss']})


@needs('mmseg')
@pytest.mark.integration
def test_mmsegs_own_tool_trains_and_resumes(tmp_path):
    image = pytest.importorskip('PIL.Image')
    generator = np.random.default_rng(0)
    for name, suffix, channels in (('images', 'jpg', (3,)), ('labels', 'png', ())):
        (tmp_path / name).mkdir()
        for number in range(4):
            pixels = generator.integers(0, 150, (64, 64, *channels), dtype=np.uint8)
            image.fromarray(pixels).save(tmp_path / name / f'{number}.{suffix}')
    config, work_dir = tmp_path / 'segformer.py', tmp_path / 'run'
    config.write_text(SEGFORMER.replace('{data}', tmp_path.as_posix()))
    package = Path(importlib.util.find_spec('mmseg').origin).parent
    command = [sys.executable, package / '.mim/tools/train.py', config, '--work-dir', work_dir]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    for options in ([], ['--resume', '--cfg-options', 'train_cfg.max_iters=6']):
        done = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
    log = read_log(work_dir)
    assert [line['iter'] for line in log] == [1, 2, 3, 4, 5, 6]
    tasks = {'main': ['decode.loss_ce'], 'auxiliary': ['aux_0.loss_ce', 'aux_1.loss_ce']}
    assert_weights_follow(log, tasks)
