"""A small model of two tasks, its data and its Runner, for the tests of the wrappers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

import go4align_plugins.mmengine  # noqa: F401  (registers the wrappers)


class ToyModel(BaseModel):
    """Four features -> two regressions; the losses are those that its data ask for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Linear(4, 8)
        self.near = nn.Linear(8, 1)
        self.far = nn.Linear(8, 1)

    def forward(self, inputs: Tensor, targets: Tensor, mode: str = 'tensor') -> Any:
        features = self.trunk(inputs).relu()
        near, far = self.near(features)[:, 0], self.far(features)[:, 0]
        if mode != 'loss':
            return near, far
        return {
            'near.loss_l1': (near - targets[:, 0]).abs().mean(),
            'near.loss_l2': [(near - targets[:, 0]).square(), 0.1 * near.square()],
            'near.accuracy': near.detach().mean(),
            'far.loss_l1': 10 * (far - targets[:, 1]).abs(),
        }


class ToyData(Dataset):
    """Reproducible numbers; another seed, other data."""

    def __init__(self, length: int = 8, seed: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.inputs = torch.randn(length, 4, generator=generator)
        self.targets = torch.randn(length, 2, generator=generator)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.inputs[index], self.targets[index]


def make_runner(work_dir: Path, max_iters: int = 6, **changes: Any) -> Runner:
    """A Runner that trains the toy on the CPU and logs every iteration."""
    config: dict[str, Any] = {
        'model': ToyModel(),
        'work_dir': str(work_dir),
        'train_dataloader': {
            'dataset': ToyData(),
            'batch_size': 2,
            'collate_fn': {'type': 'default_collate'},
            'sampler': {'type': 'InfiniteSampler', 'shuffle': True, 'seed': 3},
        },
        'train_cfg': {'by_epoch': False, 'max_iters': max_iters},
        'optim_wrapper': {
            'type': 'GO4AlignOptimWrapper',
            'optimizer': {'type': 'Adam', 'lr': 0.01},
        },
        'default_hooks': {
            'logger': {'type': 'LoggerHook', 'interval': 1},
            'checkpoint': {'type': 'CheckpointHook', 'interval': 3, 'by_epoch': False},
        },
        'log_processor': {'window_size': 1, 'by_epoch': False},
        'randomness': {'seed': 0},
        # Two Runners of one process would share their logs under one name.
        'experiment_name': f'toy_{work_dir.parent.name}_{work_dir.name}',
    }
    return Runner(**{**config, **changes})
