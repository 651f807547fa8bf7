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
from go4align_plugins.libmtl.train import main

from .. import ROOT, TOOLS
from .training import arguments, entries

TOOL = TOOLS / 'train_libmtl.py'


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


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_damaged_checkpoint_is_named(rooms, tmp_path, capsys):
    out = tmp_path / 'run'
    assert main(arguments(rooms, out, '--epochs', '1')) == 0
    whole = (out / 'last.pt').read_bytes()
    for damaged in (whole[: len(whole) // 2], flip_a_bit(whole)):
        (out / 'last.pt').write_bytes(damaged)
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
    error = capsys.readouterr().err
    assert 'Use fewer workers; then go on by --resume. What is finished is kept.' in error
    assert 'Traceback' not in error
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
