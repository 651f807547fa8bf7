"""The training tool when it is killed, interrupted, or finds its checkpoint damaged or no room."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from go4align_plugins.data.mtan_layout import FrameFolder
from go4align_plugins.libmtl import checkpoint
from go4align_plugins.libmtl.train import main

from .. import ROOT, TOOLS
from .conftest import arguments, entries, resume


@pytest.mark.integration
def test_killed_in_mid_epoch_and_resumed(rooms, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    options = ['--epochs', '12', '--augment']
    assert main(arguments(rooms, whole, *options)) == 0
    command = [sys.executable, str(TOOLS / 'train_libmtl.py'), *arguments(rooms, killed, *options)]
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': str(ROOT)})
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
    assert main([*arguments(rooms, killed, *options), '--resume']) == 0
    assert entries(killed) == entries(whole)


def test_damaged_checkpoint_or_one_with_code_is_refused(rooms, run, capsys):
    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(run / 'attacked'),))

    last = run / 'last.pt'
    whole = last.read_bytes()
    middle = len(whole) // 2
    torch.save({'epoch': 0, 'model': Attack()}, last)
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (last.read_bytes(), whole[:middle], flipped):
        last.write_bytes(damaged)
        assert resume(rooms, run) == 2
        assert f'{last}: should be a checkpoint of this tool' in capsys.readouterr().err
    assert not (run / 'attacked').exists()


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
