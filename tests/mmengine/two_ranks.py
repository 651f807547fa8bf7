"""One of two processes that train together: `python two_ranks.py RANK FOLDER ACCUMULATIVE_COUNTS`.

Writes what it saw at every iteration to `FOLDER/RANK.pt`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from toys import ToyModel, make_loader, make_runner


class PartlyLabelled(ToyModel):
    """Without the task `near` in the first iteration of the first rank."""

    iteration = 0

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor, mode: str = 'tensor') -> Any:
        losses = super().forward(inputs, targets, mode)
        self.iteration += 1
        if torch.distributed.get_rank() == 0 and self.iteration == 1:
            return {key: value for key, value in losses.items() if key.startswith('far')}
        return losses


class Witness(Hook):
    """Notes each iteration's weights, state, losses and parameters."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        weighting = runner.optim_wrapper.weighting
        names = runner.optim_wrapper.task_names
        scalars = runner.message_hub.get_scalar
        self.seen.append(
            {
                'names': names,
                'weights': [float(scalars(f'train/weight/{name}').current()) for name in names],
                'state': weighting.state_dict()['indicator.accumulated_risk'].clone(),
                'loss': outputs['loss'].item(),
                'parameters': [p.detach().clone() for p in runner.model.parameters()],
            }
        )


def main(rank: int, folder: Path, accumulative_counts: int) -> None:
    """Train, and write down what was seen."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2
    )
    witness = Witness()
    make_runner(
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
        cfg={
            'model_wrapper_cfg': {
                'type': 'MMDistributedDataParallel',
                'device_ids': None,
                'find_unused_parameters': True,
            }
        },
        custom_hooks=[witness],
    ).train()
    torch.save(witness.seen, folder / f'{rank}.pt')
    # Left to the end of the process, gloo's threads sometimes abort it.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
