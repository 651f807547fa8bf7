"""A problem that any LibMTL strategy trains on in milliseconds."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from go4align_plugins.libmtl.compat import import_libmtl

LibMTL: Any = import_libmtl()

TASKS = ('small', 'middle', 'large')


class SquaredError(LibMTL.loss.AbsLoss):
    def compute_loss(self, pred: Tensor, gt: Tensor) -> Tensor:
        return (pred - gt).square().mean()


class AbsoluteError(LibMTL.metrics.AbsMetric):
    def update_fun(self, pred: Tensor, gt: Tensor) -> None:
        self.record.append((pred - gt).abs().mean().item())

    def score_fun(self) -> list[float]:
        return [sum(self.record) / len(self.record)]


def build_loader(length: int = 48) -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(length, 5, generator=generator)
    targets = inputs @ torch.randn(5, 3, generator=generator) * torch.tensor([0.1, 1.0, 10.0])
    frames = [
        (row, {task: target[i : i + 1] for i, task in enumerate(TASKS)})
        for row, target in zip(inputs, targets)
    ]
    return DataLoader(frames, batch_size=16)


def build_trainer(weighting: Any, trainer: type | None = None, **options: Any) -> Any:
    """A LibMTL Trainer of a linear encoder with three linear heads."""
    torch.manual_seed(0)
    settings = {
        'task_dict': {
            task: {
                'metrics': ['error'],
                'metrics_fn': AbsoluteError(),
                'loss_fn': SquaredError(),
                'weight': [0],
            }
            for task in TASKS
        },
        'weighting': weighting,
        'architecture': LibMTL.architecture.HPS,
        'encoder_class': lambda: nn.Linear(5, 8),
        'decoders': nn.ModuleDict({task: nn.Linear(8, 1) for task in TASKS}),
        'rep_grad': False,
        'multi_input': False,
        'optim_param': {'optim': 'adam', 'lr': 1e-2},
        'scheduler_param': None,
        'weight_args': {},
        'arch_args': {},
        'device': 'cpu',
    }
    with contextlib.redirect_stdout(io.StringIO()):
        return (trainer or LibMTL.Trainer)(**{**settings, **options})


def options(weighting: str, *command_line: str) -> dict[str, Any]:
    """A strategy's ``weight_args``, as LibMTL's command line hands them over."""
    params = LibMTL.config.LibMTL_args.parse_args(['--weighting', weighting, *command_line])
    return LibMTL.config.prepare_args(params)[0]['weight_args']


def first_losses(trainer: Any, loader: Any) -> Tensor:
    """A Trainer's losses of the first batch, by the method of either release of LibMTL."""
    inputs, targets = trainer._process_data([None, iter(loader)])
    if hasattr(trainer, 'forward4loss'):
        return trainer.forward4loss(trainer.model, inputs, targets)
    return trainer._compute_loss(trainer.model(inputs), targets)


def train(trainer: Any, epochs: int = 2) -> Any:
    """Train, silently; return the weights (tasks, epochs, steps)."""
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train(build_loader(), build_loader(), epochs)
    return trainer.batch_weight
