"""Two real processes with different data hold equal weights and parameters at every step."""

from __future__ import annotations

import pytest
import torch
from two_ranks import train_rank


@pytest.mark.integration
@pytest.mark.parametrize('accumulative_counts', [1, 2])
def test_ranks_agree_at_every_step(tmp_path, monkeypatch, accumulative_counts):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    monkeypatch.setenv('LOCAL_RANK', '0')
    torch.multiprocessing.spawn(train_rank, (tmp_path, accumulative_counts), nprocs=2)
    first, second = (torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2))
    assert len(first) == len(second) == 6
    for one, other in zip(first, second):
        # Rank 0 does not see `near` at first, and still has the same tasks in the same order.
        assert one['names'] == ('far', 'near')
        assert one.pop('loss') != other.pop('loss')
        assert one == other
    assert all(a != b for a, b in zip(first[0]['parameters'], first[-1]['parameters']))
