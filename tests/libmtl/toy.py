"""A problem that any LibMTL strategy trains on in milliseconds."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from go4align_plugins.libmtl.compat import LibMTL
from go4align_plugins.libmtl.models import build_task_dict
from go4align_plugins.tasks import regression

TASKS = ('small', 'middle', 'large')


def build_loader(length: int = 48) -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(length, 5, generator=generator)
    targets = inputs @ torch.randn(5, 3, generator=generator) * torch.tensor([0.1, 1.0, 10.0])
    frames = [(row, dict(zip(TASKS, target[:, None]))) for row, target in zip(inputs, targets)]
    return DataLoader(frames, batch_size=16)


def build_trainer(weighting: Any, tasks: Iterable[str] = TASKS, **options: Any) -> Any:
    """A LibMTL Trainer of a linear encoder with linear heads."""
    torch.manual_seed(0)
    settings = {
        'task_dict': build_task_dict([regression(task, 'm') for task in tasks]),
        'weighting': weighting,
        'architecture': LibMTL.architecture.HPS,
        'encoder_class': lambda: nn.Linear(5, 8),
        'decoders': nn.ModuleDict({task: nn.Linear(8, 1) for task in tasks}),
        'rep_grad': False,
        'multi_input': False,
        'optim_param': {'optim': 'adam', 'lr': 1e-2},
        'scheduler_param': None,
        'weight_args': {},
        'arch_args': {},
        'device': 'cpu',
    }
    with contextlib.redirect_stdout(io.StringIO()):
        return LibMTL.Trainer(**{**settings, **options})


def options(weighting: str, *command_line: str) -> dict[str, Any]:
    """A strategy's `weight_args`, as LibMTL's command line hands them over."""
    params = LibMTL.config.LibMTL_args.parse_args(['--weighting', weighting, *command_line])
    return LibMTL.config.prepare_args(params)[0]['weight_args']


def first_losses(trainer: Any, loader: Any, batches: Any = None) -> Tensor:
    """A Trainer's losses of the next batch, by the methods that both releases of LibMTL have."""
    inputs, targets = trainer._process_data([loader, batches or iter(loader)])
    return trainer._compute_loss(trainer.model(inputs), targets)


def flat_gradients(losses: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """The gradients of all losses, (M, D)."""
    parts = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    return torch.stack([torch.cat([part.flatten() for part in parts_of]) for parts_of in parts])


def train(trainer: Any, epochs: int = 2) -> Any:
    """Train, silently; return the weights (tasks, epochs, steps)."""
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train(build_loader(), build_loader(), epochs)
    return trainer.batch_weight
