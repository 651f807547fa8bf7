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
from toys import make_runner, read_log

from go4align_plugins import GO4Align

ROOT = Path(__file__).parents[2]

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
    dataset=dict(
        data_root='{data}', pipeline=pipeline,
        data_prefix=dict(img_path='images', seg_map_path='labels')))
train_cfg = dict(max_iters=4, val_interval=10)
val_cfg = val_dataloader = val_evaluator = None
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2))
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


@needs('mmpretrain')
@pytest.mark.integration
def test_multi_task_head_of_mmpretrain_trains(tmp_path):
    from mmpretrain.utils import register_all_modules

    register_all_modules()
    heads = {
        'shape': {'type': 'LinearClsHead', 'num_classes': 3},
        'colour': {'type': 'LinearClsHead', 'num_classes': 2},
    }
    make_runner(
        tmp_path,
        model={
            'type': 'ImageClassifier',
            'backbone': {'type': 'ResNet', 'depth': 18},
            'neck': {'type': 'GlobalAveragePooling'},
            'head': {'type': 'MultiTaskHead', 'in_channels': 512, 'task_heads': heads},
        },
        train_dataloader={
            'dataset': TwoLabels(),
            'batch_size': 2,
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        },
        train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={
            'type': 'GO4AlignOptimWrapper',
            'optimizer': {'type': 'SGD', 'lr': 0.01},
            'tasks': {'shape': ['shape_*'], 'colour': ['colour_*']},
        },
        default_scope='mmpretrain',
        log_processor={'window_size': 1},
    ).train()
    log = read_log(tmp_path)
    assert [line['weight/colour'] > 0 for line in log] == [True, False, True]
    assert_weights_follow(log, {'shape': ['shape_loss'], 'colour': ['colour_loss']})


def assert_weights_follow(log, tasks):
    """The logged weights are those of `GO4Align` fed with the logged losses."""
    weighting = GO4Align(len(tasks))
    for line in log:
        weights = weighting(
            torch.tensor([sum(line[key] for key in keys) for keys in tasks.values()])
        )
        logged = torch.tensor([line[f'weight/{name}'] for name in tasks])
        torch.testing.assert_close(logged, weights, rtol=1e-5, atol=0)


@pytest.fixture
def segformer(tmp_path):
    """The config of a SegFormer with auxiliary heads, and four pictures for it."""
    image = pytest.importorskip('PIL.Image')
    generator = np.random.default_rng(0)
    for name, shape in (('images', (64, 64, 3)), ('labels', (64, 64))):
        (tmp_path / name).mkdir()
        for number in range(4):
            pixels = generator.integers(0, 150, shape, dtype=np.uint8)
            suffix = 'jpg' if name == 'images' else 'png'
            image.fromarray(pixels).save(tmp_path / name / f'{number}.{suffix}')
    config = tmp_path / 'segformer.py'
    config.write_text(SEGFORMER.replace('{data}', tmp_path.as_posix()))
    return config


@needs('mmseg')
@pytest.mark.integration
def test_mmsegs_own_tool_trains_and_resumes(tmp_path, segformer):
    package = Path(importlib.util.find_spec('mmseg').origin).parent
    command = [sys.executable, str(package / '.mim' / 'tools' / 'train.py'), str(segformer)]
    command += ['--work-dir', str(tmp_path / 'run')]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    more = ['--resume', '--cfg-options', 'train_cfg.max_iters=6']
    for options in ([], more):
        done = subprocess.run(
            command + options, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
    log = read_log(tmp_path / 'run')
    assert [line['iter'] for line in log] == [1, 2, 3, 4, 5, 6]
    tasks = {'main': ['decode.loss_ce'], 'auxiliary': ['aux_0.loss_ce', 'aux_1.loss_ce']}
    assert_weights_follow(log, tasks)
