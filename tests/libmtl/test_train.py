"""The training tool, from its command line to the run folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from go4align_plugins.libmtl.train import main

from .. import SHARED
from .training import arguments, entries, train_in_parts


def test_run_folder(rooms, tmp_path):
    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--GO4Align_step_size', '0.01')) == 0
    config = json.loads((out / 'config.json').read_text())
    assert config['tasks'] == ['segmentation', 'depth', 'normal']
    assert config['weight_args']['GO4Align_step_size'] == 0.01
    assert config['image_size'] == [32, 48]
    assert config['num_frames'] == {'train': 12, 'val': 4}
    assert config['versions']['torch'] == torch.__version__.split('+')[0]
    found = entries(out)
    assert [entry['epoch'] for entry in found] == [0, 1, 2]
    last = found[-1]
    assert set(last) == {'epoch', 'train', 'test', 'weights', 'groups'}
    assert set(last['test']['metrics']['normal']) == {'mean', 'median', '<11.25', '<22.5', '<30'}
    assert set(last['weights']) == {'segmentation', 'depth', 'normal'}
    assert all(sum(shares) == pytest.approx(1) for shares in last['groups'].values())
    assert (out / 'last.pt').exists()
    assert not list(out.glob('*.part'))


@pytest.mark.parametrize(
    ('weighting', 'options'),
    [
        ('GO4Align', ['--augment', '--GO4Align_step_size', '0.1']),
        ('DWA', []),
        ('UW', ['--lr', '1e-3']),
        ('PCGrad', []),
        ('RLW', ['--workers', '2']),
        ('GradVac', ['--optim', 'sgd', '--scheduler', 'step', '--step_size', '1']),
        ('AGRM_DWA', ['--AGRM_num_groups', '2']),
        ('AGRM_CAGrad', ['--calpha', '0.3']),
    ],
)
@pytest.mark.integration
def test_resumed_run_equals_an_uninterrupted_one(rooms, tmp_path, weighting, options):
    train_in_parts(rooms, tmp_path, *options, weighting=weighting)


def test_grouped_strategy_records_its_groups(rooms, tmp_path):
    out = tmp_path / 'run'
    options = ['--calpha', '0.3', '--epochs', '1']
    assert main(arguments(rooms, out, *options, weighting='AGRM_CAGrad')) == 0
    config = json.loads((out / 'config.json').read_text())
    assert config['weight_args'] == {
        'calpha': 0.3, 'rescale': 1, 'AGRM_num_groups': 2, 'AGRM_grouping': 'exact'
    }  # fmt: skip
    groups = entries(out)[0]['groups']
    assert all(len(shares) == 2 and sum(shares) == pytest.approx(1) for shares in groups.values())


def test_single_task_baseline(rooms, tmp_path):
    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--tasks', 'depth', '--epochs', '1', weighting='EW')) == 0
    assert set(entries(out)[0]['test']['metrics']) == {'depth'}


@pytest.mark.integration
@pytest.mark.parametrize(
    ('arch', 'backbone'),
    [('MTAN', 'segnet-small'), *((a, 'resnet18') for a in ('HPS', 'MTAN', 'Cross_stitch'))],
)
def test_architectures(rooms, tmp_path, arch, backbone):
    options = ['--arch', arch, '--backbone', backbone, '--no-pretrained', '--epochs', '1']
    assert main(arguments(rooms, tmp_path / 'run', *options, weighting='CAGrad')) == 0
    weights = entries(tmp_path / 'run')[0]['weights']
    assert all(np.isfinite(value) for value in weights.values())


def test_first_batches_are_augmented_differently_in_every_epoch(rooms):
    from go4align_plugins.data import get_benchmark
    from go4align_plugins.libmtl.data import build_loaders, set_epoch

    loader = build_loaders(get_benchmark('rooms'), rooms, batch_size=12, augmented=True).train
    images = []
    for epoch in (0, 1, 0):
        set_epoch(loader, epoch)
        images.append(next(iter(loader))[0])
    assert torch.equal(images[0], images[2])
    assert not torch.equal(images[0], images[1])
    assert len({image.numpy().tobytes() for image in images[0]}) == 12


def test_existing_run_is_not_overwritten(rooms, tmp_path, capsys):
    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--epochs', '1')) == 0
    before = (out / 'metrics.jsonl').read_text()
    assert main(arguments(rooms, out, '--epochs', '1')) == 2
    assert 'Add --resume to go on with it' in capsys.readouterr().err
    assert main(arguments(rooms, out, '--resume', '--seed', '1')) == 2
    error = 'Parameter `seed` should be as in the run that is resumed: `0`. Found `1`.'
    assert error in capsys.readouterr().err
    assert (out / 'metrics.jsonl').read_text() == before


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--weighting', 'GO4All'], '`weighting` should be one of'),
        (['--weighting', 'AGRM_GradDrop'], 'Found `AGRM_GradDrop`: it drops single entries'),
        (['--weighting', 'AGRM_EW', '--AGRM_num_groups', '4'], 'should be between 1 and 3'),
        (['--weighting', 'MOML'], '`weighting` should not be one of MOML, FORUM, AutoLambda'),
        (['--arch', 'HSP'], '`architecture` should be one of'),
        (['--tasks', 'deep'], '`tasks` should name tasks of rooms: segmentation, depth, normal'),
        (['--epochs', '0'], '`epochs` should be at least 1. Found `epochs = 0`'),
        (['--batch-size', '13'], '`batch_size` should be at most 12'),
        (['--rep_grad'], '`rep_grad` should be False with GO4Align'),
        (['--GO4Align_num_groups', '4'], '`num_groups` should be between 1 and 3'),
        (['--data', 'nowhere'], 'python tools/prepare_data.py rooms --out nowhere'),
    ],
)
def test_bad_options(rooms, tmp_path, capsys, options, message):
    assert main(arguments(rooms, tmp_path / 'run', *options)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'run').exists()


def test_broken_frame_is_named_while_training(rooms, tmp_path, capsys):
    data = tmp_path / 'data'
    shutil.copytree(rooms, data)
    depth = data / 'train' / 'depth' / '5.npy'
    array = np.load(depth)
    array[3, 4] = np.nan
    np.save(depth, array)
    for workers in '01':
        assert main(arguments(data, tmp_path / workers, '--workers', workers)) == 2
        (message,) = capsys.readouterr().err.strip().splitlines()
        assert message.startswith(f'train_libmtl.py: error: {depth}: depth should be finite')


@pytest.mark.integration
@pytest.mark.skipif(not (SHARED / 'data' / 'nyuv2').exists(), reason='needs ../shared/data/nyuv2')
def test_real_frames(tmp_path):
    data = tmp_path / 'nyuv2'
    unpack = SHARED / 'data' / 'nyuv2' / 'unpack.py'
    subprocess.run([sys.executable, str(unpack), str(data), '16'], check=True)
    options = ['--dataset', 'nyuv2', '--epochs', '2', '--lr', '3e-3']
    assert main(arguments(data, tmp_path / 'run', *options)) == 0
    first, last = entries(tmp_path / 'run')
    assert last['train']['loss']['depth'] < first['train']['loss']['depth']
