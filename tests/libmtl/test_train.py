"""The training tool, from its command line to the run folder."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from go4align_plugins.benchmarks.layouts import FrameFolder
from go4align_plugins.libmtl.train import main

from .. import ROOT, SHARED, TOOLS

TOOL = TOOLS / 'train_libmtl.py'


def arguments(data: Path, out: Path, *options: str, weighting: str = 'GO4Align') -> list[str]:
    return [
        '--dataset', 'rooms', '--data', str(data), '--out', str(out), '--weighting', weighting,
        '--epochs', '3', '--batch-size', '4', *options,
    ]  # fmt: skip


def entries(folder: Path) -> list[dict]:
    lines = (folder / 'metrics.jsonl').read_text().splitlines()
    found = [json.loads(line) for line in lines]
    for entry in found:
        del entry['seconds']
    return found


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
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    assert main(arguments(rooms, whole, *options, weighting=weighting)) == 0
    first = [*arguments(rooms, parts, *options, weighting=weighting), '--epochs', '1']
    assert main(first) == 0
    torch.manual_seed(99)
    assert main([*arguments(rooms, parts, *options, weighting=weighting), '--resume']) == 0
    assert entries(parts) == entries(whole)
    saved = [torch.load(folder / 'last.pt')['model'] for folder in (whole, parts)]
    for name, value in saved[0].items():
        assert torch.equal(value, saved[1][name]), name


@pytest.mark.integration
def test_killed_in_mid_epoch_and_resumed(rooms, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    options = ['--epochs', '12', '--augment']
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, str(TOOL)]
    subprocess.run(
        [*command, *arguments(rooms, whole, *options)], check=True, env=environment, timeout=300
    )
    process = subprocess.Popen([*command, *arguments(rooms, killed, *options)], env=environment)
    metrics = killed / 'metrics.jsonl'
    deadline = time.monotonic() + 300
    while not (metrics.exists() and metrics.read_text().count('\n') >= 3):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 3 <= len(metrics.read_text().splitlines()) < 12
    with metrics.open('a') as file:
        file.write('{"epoch": 9, "tr')
    subprocess.run(
        [*command, *arguments(rooms, killed, *options), '--resume'],
        check=True, env=environment, timeout=300,
    )  # fmt: skip
    assert entries(killed) == entries(whole)


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
    [
        ('MTAN', 'segnet-small'),
        ('HPS', 'resnet18'),
        ('MTAN', 'resnet18'),
        ('Cross_stitch', 'resnet18'),
    ],
)
def test_architectures(rooms, tmp_path, arch, backbone):
    options = ['--arch', arch, '--backbone', backbone, '--no-pretrained', '--epochs', '1']
    assert main(arguments(rooms, tmp_path / 'run', *options, weighting='CAGrad')) == 0
    weights = entries(tmp_path / 'run')[0]['weights']
    assert all(np.isfinite(value) for value in weights.values())


def test_first_batches_are_augmented_differently_in_every_epoch(rooms):
    from go4align_plugins.benchmarks import get_benchmark
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


def test_a_run_that_was_moved_goes_on(rooms, tmp_path):
    assert main(arguments(rooms, tmp_path / 'run', '--epochs', '1')) == 0
    moved = (tmp_path / 'run').rename(tmp_path / 'moved')
    assert main(arguments(rooms, moved, '--epochs', '2', '--resume')) == 0
    assert [entry['epoch'] for entry in entries(moved)] == [0, 1]


def test_checkpoint_with_code_in_it_is_refused(rooms, tmp_path, capsys):
    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / 'attacked'),))

    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--epochs', '1')) == 0
    torch.save({'epoch': 0, 'model': Attack()}, out / 'last.pt')
    assert main(arguments(rooms, out, '--resume')) == 2
    assert 'should be a checkpoint of this tool' in capsys.readouterr().err
    assert not (tmp_path / 'attacked').exists()


def test_broken_checkpoint_is_named(rooms, tmp_path, capsys):
    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--epochs', '1')) == 0
    whole = (out / 'last.pt').read_bytes()
    (out / 'last.pt').write_bytes(whole[: len(whole) // 2])
    assert main(arguments(rooms, out, '--resume')) == 2
    assert f'{out / "last.pt"}: should be a checkpoint of this tool' in capsys.readouterr().err


def test_a_flipped_bit_of_a_checkpoint_is_an_error(rooms, tmp_path, capsys):
    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--epochs', '1')) == 0
    content = bytearray((out / 'last.pt').read_bytes())
    content[len(content) // 2] ^= 1
    (out / 'last.pt').write_bytes(content)
    assert main(arguments(rooms, out, '--resume')) == 2
    assert f'{out / "last.pt"}: should be a checkpoint of this tool' in capsys.readouterr().err


def test_full_disk_is_an_error_and_the_run_goes_on(rooms, tmp_path, capsys):
    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--epochs', '1')) == 0
    (out / 'last.pt.part').symlink_to('/dev/full')
    assert main(arguments(rooms, out, '--resume')) == 2
    error = capsys.readouterr().err
    assert f"No space left on device: '{out / 'last.pt'}'" in error
    assert 'Make room, or choose another folder; then go on by --resume' in error
    assert main(arguments(rooms, out, '--resume')) == 0
    assert [entry['epoch'] for entry in entries(out)] == [0, 1, 2]


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
    subprocess.run(['cp', '-r', str(rooms), str(data)], check=True)
    depth = data / 'train' / 'depth' / '5.npy'
    array = np.load(depth)
    array[3, 4] = np.nan
    np.save(depth, array)
    for workers in '01':
        assert main(arguments(data, tmp_path / workers, '--workers', workers)) == 2
        (said,) = capsys.readouterr().err.strip().splitlines()
        assert said.startswith(f'train_libmtl.py: error: {depth}: depth should be finite')


def test_a_killed_worker_is_an_error_and_the_run_goes_on(rooms, tmp_path, capsys, monkeypatch):
    whole, out = tmp_path / 'whole', tmp_path / 'run'
    assert main(arguments(rooms, whole)) == 0
    read = FrameFolder.read

    def read_or_die(self, index):
        if multiprocessing.parent_process() is not None and (out / 'last.pt').exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return read(self, index)

    monkeypatch.setattr(FrameFolder, 'read', read_or_die)
    capsys.readouterr()
    assert main(arguments(rooms, out, '--workers', '1')) == 2
    said = capsys.readouterr().err
    assert 'Use fewer workers; then go on by --resume. What is finished is kept.' in said
    assert 'Traceback' not in said
    assert entries(out) == entries(whole)[:1]
    assert main(arguments(rooms, out, '--resume')) == 0
    assert entries(out) == entries(whole)


def test_interrupt_says_how_to_go_on(rooms, tmp_path, capsys, monkeypatch):
    from go4align_plugins.libmtl import loop

    save = loop.checkpoint.save_atomically

    def interrupt(*state):
        save(*state)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.checkpoint, 'save_atomically', interrupt)
    assert main(arguments(rooms, tmp_path / 'run')) == 130
    assert '--resume' in capsys.readouterr().err
    monkeypatch.undo()
    assert main([*arguments(rooms, tmp_path / 'run'), '--resume']) == 0
    assert [entry['epoch'] for entry in entries(tmp_path / 'run')] == [0, 1, 2]


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
