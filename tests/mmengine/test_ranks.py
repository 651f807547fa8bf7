"""Two real processes with different data hold equal weights and parameters at every step."""

from __future__ import annotations

import pytest
import torch
from mmengine.hooks import Hook

from .toys import ToyModel, accumulated, logged, make_loader, train


class PartlyLabelled(ToyModel):
    """Without the task `near` in the first iteration of the first rank."""

    iteration = 0

    def forward(self, inputs, targets, mode='tensor'):
        losses = super().forward(inputs, targets, mode)
        self.iteration += 1
        if torch.distributed.get_rank() == 0 and self.iteration == 1:
            return {key: value for key, value in losses.items() if key.startswith('far')}
        return losses


class Witness(Hook):
    """Notes each iteration's weights, state, losses and parameters."""

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        wrapper = runner.optim_wrapper
        self.seen.append(
            {
                'names': wrapper.task_names,
                'weights': [
                    float(value) for value in logged(wrapper, 'weight', wrapper.task_names)
                ],
                'state': accumulated(wrapper).tolist(),
                'loss': outputs['loss'].item(),
                'parameters': [value.tolist() for value in runner.model.parameters()],
            }
        )


def train_rank(rank, folder, accumulative_counts):
    """Train, and write what was seen at every iteration to `FOLDER/RANK.pt`."""
    torch.set_num_threads(1)
    meeting = f'file://{folder}/meeting'
    torch.distributed.init_process_group('gloo', init_method=meeting, rank=rank, world_size=2)
    witness, wrapped = Witness(), {'type': 'MMDistributedDataParallel', 'device_ids': None}
    wrapper = {'type': 'GO4AlignOptimWrapper', 'optimizer': {'type': 'Adam', 'lr': 0.01}}
    train(
        folder / 'run',
        model=PartlyLabelled(),
        train_dataloader=make_loader(shuffle=False, length=16, seed=10 + rank),
        optim_wrapper={**wrapper, 'accumulative_counts': accumulative_counts, 'step_size': 0.01},
        launcher='pytorch',
        cfg={'model_wrapper_cfg': {**wrapped, 'find_unused_parameters': True}},
        custom_hooks=[witness],
    )
    torch.save(witness.seen, folder / f'{rank}.pt')
    # Left to the end of the process, gloo's threads sometimes abort it.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


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
