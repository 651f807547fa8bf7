"""One of two processes that train together."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from toys import ToyModel, make_loader, train


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
        names = runner.optim_wrapper.task_names
        scalars = [runner.message_hub.get_scalar(f'train/weight/{name}') for name in names]
        self.seen.append(
            {
                'names': names,
                'weights': [float(scalar.current()) for scalar in scalars],
                'state': runner.optim_wrapper.weighting.indicator.accumulated_risk.tolist(),
                'loss': outputs['loss'].item(),
                'parameters': [p.tolist() for p in runner.model.parameters()],
            }
        )


def train_rank(rank, folder, accumulative_counts):
    """Train, and write what was seen at every iteration to `FOLDER/RANK.pt`."""
    torch.set_num_threads(1)
    meeting = f'file://{folder}/meeting'
    torch.distributed.init_process_group('gloo', init_method=meeting, rank=rank, world_size=2)
    witness = Witness()
    wrapped = {'type': 'MMDistributedDataParallel', 'device_ids': None}
    train(
        folder / 'run',
        model=PartlyLabelled(),
        train_dataloader=make_loader(shuffle=False, length=16, seed=10 + rank),
        optim_wrapper={
            'type': 'GO4AlignOptimWrapper',
            'optimizer': {'type': 'Adam', 'lr': 0.01},
            'accumulative_counts': accumulative_counts,
            'step_size': 0.01,
        },
        launcher='pytorch',
        cfg={'model_wrapper_cfg': {**wrapped, 'find_unused_parameters': True}},
        custom_hooks=[witness],
    )
    torch.save(witness.seen, folder / f'{rank}.pt')
    # Left to the end of the process, gloo's threads sometimes abort it.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
