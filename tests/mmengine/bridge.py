"""A model that the tests of the bridge train, in LibMTL and in MMEngine."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import random

import numpy as np
import pytest
import torch
import toys

if importlib.util.find_spec('LibMTL') is None:
    pytest.skip('LibMTL is not installed', allow_module_level=True)

from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import DataLoader

from go4align_plugins.libmtl import Trainer
from go4align_plugins.libmtl.compat import import_libmtl

LibMTL = import_libmtl()

TASKS = ('small', 'middle', 'large')
UNFIT = ('AbsWeighting', 'GradDrop', 'MoDo', 'SDMGrad')
STRATEGIES = [name for name in LibMTL.weighting.__all__ if name.removeprefix('AGRM_') not in UNFIT]
EPOCHS = 4


class SquaredError(LibMTL.loss.AbsLoss):
    def compute_loss(self, pred, gt):
        return (pred - gt).square().mean()


def make_loader():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(20, 5, generator=generator)
    scales = torch.tensor([0.1, 1.0, 10.0])
    targets = inputs @ torch.randn(5, 3, generator=generator) * scales
    frames = [(x, dict(zip(TASKS, row.split(1)))) for x, row in zip(inputs, targets)]
    # The last batch of an epoch is smaller. A generator of its own: without one, each pass draws a
    # number that strategies would draw.
    return DataLoader(frames, batch_size=8, generator=torch.Generator())


class Regressor(BaseModel):
    """The same model as LibMTL's, as MMEngine has it."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleDict({task: nn.Linear(8, 1) for task in TASKS})
        self.backbone = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8))

    def forward(self, inputs, targets, mode='tensor'):
        features = self.backbone(inputs)
        return {
            f'{task}.loss': (self.heads[task](features) - targets[task]).square().mean()
            for task in TASKS
        }


def seed():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  (the global one is what strategies draw from)
    torch.manual_seed(1)


def train_in_libmtl(weighting, weight_args):
    seed()
    model = Regressor()
    tasks = {
        task: {'metrics': ['accuracy'], 'metrics_fn': LibMTL.metrics.AccMetric(),
               'loss_fn': SquaredError(), 'weight': [1]}
        for task in TASKS
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        trainer = Trainer(
            tasks, weighting, 'HPS', lambda: model.backbone, model.heads,
            rep_grad=False, multi_input=False, weight_args=weight_args, arch_args={}, device='cpu',
            optim_param={'optim': 'adam', 'lr': 1e-2, 'weight_decay': 1e-3},
            scheduler_param={'scheduler': 'step', 'step_size': 2, 'gamma': 0.5},
        )  # fmt: skip
        seed()
        trainer.train(make_loader(), make_loader(), EPOCHS)
    own = {name: value for name, value in trainer.model.named_parameters() if '.' not in name}
    return {**model.state_dict(), **own}


class Seeder(Hook):
    """Seeds the training alone: building the model draws numbers, too."""

    priority = 'VERY_HIGH'

    def before_train(self, runner):
        seed()


def make_runner(work_dir, options, **changes):
    seed()
    optimizer = {'type': 'Adam', 'lr': 1e-2, 'weight_decay': 1e-3}
    config = {
        'model': Regressor(),
        'train_dataloader': make_loader(),
        'train_cfg': {'by_epoch': True, 'max_epochs': EPOCHS},
        'optim_wrapper': {'type': 'LibMTLOptimWrapper', 'optimizer': optimizer, **options},
        'param_scheduler': [{'type': 'StepLR', 'step_size': 2, 'gamma': 0.5}],
        'custom_hooks': [Seeder()],
        'default_hooks': {'checkpoint': {'type': 'CheckpointHook', 'interval': 1}},
        'log_processor': {'by_epoch': True},
        'log_level': 'ERROR',
    }
    return toys.make_runner(work_dir, **{**config, **changes})


def train(*args, **changes):
    return toys.train(*args, make=make_runner, **changes)


def parameters(runner):
    own = dict(getattr(runner.optim_wrapper, 'strategy', nn.Module()).named_parameters())
    return {**runner.model.state_dict(), **own}


def resume(checkpoint, work_dir, options, **changes):
    return train(work_dir, options, resume=True, load_from=str(checkpoint), **changes)
