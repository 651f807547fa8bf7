"""The training tool, from its command line to the run folder; also stopped at any moment."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder
from go4align_plugins.libmtl import checkpoint
from go4align_plugins.libmtl.data import build_loaders, set_epoch
from go4align_plugins.libmtl.train import build_parser, main, resolve

from .. import ROOT, TOOLS
from .conftest import arguments, entries, resume, train_in_parts

AGRM_OPTIONS = {'AGRM_num_groups': 5, 'AGRM_grouping': 'exact'}


def test_run_folder(run):
    config = json.loads((run / 'config.json').read_text())
    assert config['tasks'] == ['segmentation', 'depth', 'normal']
    assert config['weight_args']['GO4Align_step_size'] == 0.01
    assert config['image_size'] == [32, 48]
    assert config['num_frames'] == {'train': 12, 'val': 4}
    assert config['versions']['torch'] == torch.__version__.split('+')[0]
    (entry,) = entries(run)
    assert set(entry) == {'epoch', 'train', 'test', 'weights', 'groups'}
    assert set(entry['test']['metrics']['normal']) == {'mean', 'median', '<11.25', '<22.5', '<30'}
    assert set(entry['weights']) == {'segmentation', 'depth', 'normal'}
    assert all(sum(shares) == pytest.approx(1) for shares in entry['groups'].values())
    assert {path.name for path in run.iterdir()} == {'config.json', 'metrics.jsonl', 'last.pt'}


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('qm9 --protocol paper', {'epochs': 300, 'batch_size': 120, 'backbone': 'mpnn'}),
        ('celeba --protocol paper', {'epochs': 15, 'scheduler_param': None}),
        ('cityscapes --protocol libmtl', {'batch_size': 64, 'pretrained': True}),
        ('rooms --tasks depth --seed 3', {'tasks': ['depth'], 'out': 'runs/rooms/STL-depth-3'}),
        ('rooms --lr 0.5', {'optim_param': {'optim': 'adam', 'lr': 0.5, 'weight_decay': 0.0}}),
        ('qm9 --weighting AGRM_DWA --T 3', {'weight_args': {'T': 3.0, **AGRM_OPTIONS}}),
    ],
)
def test_options_of_a_run(line, expected):
    config = resolve(*build_parser().parse_known_args(['--dataset', *line.split()]))
    assert {name: config[name] for name in expected} == expected


@pytest.mark.parametrize(
    ('weighting', 'options'),
    [
        ('GO4Align', ['--augment', '--GO4Align_step_size', '0.1']),
        ('DWA', []),
        ('UW', ['--lr', '1e-3']),
        ('RLW', ['--workers', '2']),
        ('GradVac', ['--optim', 'sgd', '--scheduler', 'step', '--step_size', '1']),
        ('AGRM_DWA', ['--AGRM_num_groups', '2']),
        ('AGRM_CAGrad', ['--calpha', '0.3', '--tasks', 'depth', 'normal']),
    ],
)
@pytest.mark.integration
def test_resumed_run_equals_an_uninterrupted_one(rooms, tmp_path, weighting, options):
    train_in_parts(rooms, tmp_path, *options, weighting=weighting)


@pytest.mark.integration
@pytest.mark.parametrize(
    ('arch', 'backbone'),
    [('MTAN', 'segnet-small'), *((a, 'resnet18') for a in ('HPS', 'MTAN', 'Cross_stitch'))],
)
def test_architectures(rooms, tmp_path, arch, backbone):
    options = ['--arch', arch, '--backbone', backbone, '--no-pretrained', '--epochs', '1']
    assert main(arguments(rooms, tmp_path / 'run', *options, weighting='CAGrad')) == 0
    assert np.isfinite(list(entries(tmp_path / 'run')[0]['weights'].values())).all()


def test_first_batches_are_augmented_differently_in_every_epoch(rooms):
    loader = build_loaders(get_benchmark('rooms'), rooms, batch_size=12, augmented=True).train
    images = []
    for epoch in (0, 1, 0):
        set_epoch(loader, epoch)
        images.append(next(iter(loader))[0])
    assert torch.equal(images[0], images[2])
    assert not torch.equal(images[0], images[1])
    assert len({image.numpy().tobytes() for image in images[0]}) == 12


def test_existing_run_is_not_overwritten(rooms, run, capsys):
    before = (run / 'metrics.jsonl').read_text()
    assert main(arguments(rooms, run)) == 2
    assert 'Add --resume to go on with it' in capsys.readouterr().err
    assert resume(rooms, run, '--seed', '1') == 2
    error = 'Parameter `seed` should be as in the run that is resumed: `0`. Found `1`.'
    assert error in capsys.readouterr().err
    assert (run / 'metrics.jsonl').read_text() == before


CELEBA, QM9 = ['--dataset', 'celeba'], ['--dataset', 'qm9']


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
        (['--scheduler', 'plateau'], '`scheduler` should not be plateau for rooms'),
        ([*CELEBA, '--arch', 'MTAN'], "`arch` should be HPS for celeba. Found `arch = 'MTAN'`"),
        ([*CELEBA, '--backbone', 'mpnn'], '`backbone` should be one of cnn-small, cnn for celeba'),
        ([*CELEBA, '--augment'], '`augment` should be False for celeba. Found `augment = True`'),
        ([*CELEBA, '--protocol', 'libmtl'], 'should be one of small, paper for celeba'),
        (QM9, 'prepare_data.py download qm9'),
    ],
)
def test_bad_options(rooms, tmp_path, capsys, options, message):
    assert main(arguments(rooms, tmp_path / 'run', *options)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'run').exists()


def test_broken_frame_is_named_while_training(rooms, tmp_path, capsys):
    data = shutil.copytree(rooms, tmp_path / 'data')
    depth = data / 'train' / 'depth' / '5.npy'
    array = np.load(depth)
    array[3, 4] = np.nan
    np.save(depth, array)
    for workers in '01':
        assert main(arguments(data, tmp_path / workers, '--workers', workers)) == 2
        (message,) = capsys.readouterr().err.strip().splitlines()
        assert message.startswith(f'train_libmtl.py: error: {depth}: depth should be finite')


@pytest.mark.integration
def test_killed_in_mid_epoch_and_resumed(rooms, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    options = ['--epochs', '12', '--augment']
    assert main(arguments(rooms, whole, *options)) == 0
    command = [sys.executable, str(TOOLS / 'train_libmtl.py'), *arguments(rooms, killed, *options)]
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    metrics = killed / 'metrics.jsonl'
    while not (metrics.exists() and metrics.read_text().count('\n') >= 3):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    with metrics.open('a') as file:
        file.write('{"epoch": 9, "tr')
    assert main([*arguments(rooms, killed, *options), '--resume']) == 0
    assert entries(killed) == entries(whole)


def test_damaged_checkpoint_is_refused(rooms, run, capsys):
    last = run / 'last.pt'
    whole = last.read_bytes()
    middle = len(whole) // 2
    for damaged in (
        whole[:middle],
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    ):
        last.write_bytes(damaged)
        assert resume(rooms, run) == 2
        assert f'{last}: should be a checkpoint of this tool' in capsys.readouterr().err


def test_full_disk_is_an_error_and_the_run_goes_on(rooms, run, capsys):
    (run / 'last.pt.part').symlink_to('/dev/full')
    assert resume(rooms, run) == 2
    error = capsys.readouterr().err
    assert f"No space left on device: '{run / 'last.pt'}'" in error
    assert 'Make room, or choose another folder; then go on by --resume' in error
    assert resume(rooms, run) == 0
    assert [entry['epoch'] for entry in entries(run)] == [0, 1, 2]


def test_a_killed_worker_is_an_error_and_the_run_goes_on(rooms, run, capsys, monkeypatch):
    before = entries(run)
    read = FrameFolder.read

    def read_or_die(self, index):
        if multiprocessing.parent_process() is not None and index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(self, index)

    monkeypatch.setattr(FrameFolder, 'read', read_or_die)
    assert resume(rooms, run, '--workers', '1') == 2
    error = capsys.readouterr().err
    assert 'Use fewer workers; then go on by --resume. What is finished is kept.' in error
    assert 'Traceback' not in error
    assert entries(run) == before
    assert resume(rooms, run, '--epochs', '2') == 0
    assert [entry['epoch'] for entry in entries(run)] == [0, 1]


def test_interrupt_says_how_to_go_on(rooms, run, capsys, monkeypatch):
    save = checkpoint.save

    def interrupt(*state):
        save(*state)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, 'save', interrupt)
    assert resume(rooms, run) == 130
    assert f'--out {run}' in capsys.readouterr().err.splitlines()[-1]
    monkeypatch.undo()
    assert resume(rooms, run) == 0
    assert [entry['epoch'] for entry in entries(run)] == [0, 1, 2]
