"""A training that is killed in the middle of an epoch, and goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('mmseg', reason='needs the extra `mmseg`')

from .. import ROOT, TOOLS
from .frames import write_frames

EPOCHS = 6

# With dropout in the heads, and augmentation in two workers.
CONFIG = """
_base_ = ['{base}']
frames = '{frames}'
train_dataloader = dict(
    batch_size=2, num_workers=2,
    dataset=dict(data_root=frames, pipeline=[
        dict(type='LoadMTLFrame'), dict(type='MTLScaleCrop'),
        dict(type='MTLRandomFlip', prob=0.5), dict(type='PackMTLInputs')]))
val_dataloader = dict(num_workers=0, dataset=dict(data_root=frames))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs={epochs})
default_hooks = dict(logger=dict(interval=1))
log_processor = dict(window_size=1)
"""


def command(config: Path, work_dir: Path, *options: str) -> list[str]:
    tool = str(TOOLS / 'train_mmseg.py')
    return [sys.executable, tool, str(config), '--work-dir', str(work_dir), *options]


def log_of(work_dir: Path) -> list[dict]:
    """Every logged step and validation; what a later run says of a step counts."""
    steps = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in map(json.loads, path.read_text().splitlines()):
            for measured in ('time', 'data_time', 'memory', 'eta'):
                line.pop(measured, None)
            steps['delta_m' in line, line['step']] = line
    return [steps[key] for key in sorted(steps)]


@pytest.mark.integration
def test_killed_run_goes_on_as_the_uninterrupted_one(tmp_path):
    frames = write_frames(tmp_path / 'frames', {'train': 12, 'val': 2}, (64, 64))
    base = ROOT / 'configs/segformer/segformer_mit-b0_go4align_rooms-96x128.py'
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(base=base, frames=frames, epochs=EPOCHS))
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    subprocess.run(command(config, whole), env=environment, check=True, timeout=300)

    process = subprocess.Popen(command(config, killed), env=environment)
    deadline = time.monotonic() + 300
    while not any((killed / f'epoch_{epoch}.pth').exists() for epoch in range(2, EPOCHS)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = command(config, killed, '--resume')
    subprocess.run(resumed, env=environment, check=True, timeout=300)

    expected = log_of(whole)
    assert {'weight/depth', 'group/normal', 'loss'} <= set(expected[0])
    assert len(expected) == 6 * EPOCHS + EPOCHS
    assert log_of(killed) == expected
