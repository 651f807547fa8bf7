"""Two real processes with different data hold equal weights and parameters at every step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name('two_ranks.py')
ROOT = Path(__file__).parents[2]


def train_together(folder, accumulative_counts):
    environment = {
        **os.environ,
        'PYTHONPATH': str(ROOT),
        'CUDA_VISIBLE_DEVICES': '',
        'LOCAL_RANK': '0',
    }
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(rank), str(folder), str(accumulative_counts)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in processes:
            process.kill()
    return [torch.load(folder / f'{rank}.pt', weights_only=True) for rank in range(2)]


@pytest.mark.integration
@pytest.mark.parametrize('accumulative_counts', [1, 2])
def test_ranks_agree_at_every_step(tmp_path, accumulative_counts):
    first, second = train_together(tmp_path, accumulative_counts)
    assert len(first) == len(second) == 6
    for one, other in zip(first, second):
        # Rank 0 does not see `near` at first, and still has the same tasks in the same order.
        assert one['names'] == other['names'] == ('far', 'near')
        assert one['weights'] == other['weights']
        assert torch.equal(one['state'], other['state'])
        assert one['loss'] != other['loss']
        assert all(torch.equal(a, b) for a, b in zip(one['parameters'], other['parameters']))
    moved = [not torch.equal(a, b) for a, b in zip(first[0]['parameters'], first[-1]['parameters'])]
    assert all(moved)
