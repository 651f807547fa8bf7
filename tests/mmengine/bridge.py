"""A model that the tests of the bridge train, in LibMTL and in MMEngine."""

from __future__ import annotations

import contextlib
import io

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner.utils import set_random_seed
from torch import nn
from torch.utils.data import DataLoader

from go4align_plugins.measures import regression_loss

from . import toys

pytest.importorskip('go4align_plugins.libmtl', reason='LibMTL is missing', exc_type=ImportError)

from ..libmtl.conftest import TASKS, LibMTL, build_loader, build_trainer

UNFIT = ('AbsWeighting', 'GradDrop', 'MoDo', 'SDMGrad')
STRATEGIES = [name for name in LibMTL.weighting.__all__ if name.removeprefix('AGRM_') not in UNFIT]
EPOCHS = 4


def make_loader():
    # The last batch of an epoch is smaller. A generator of its own: without one, each pass draws a
    # number that strategies would draw.
    return DataLoader(build_loader(20).dataset, batch_size=8, generator=torch.Generator())


class Regressor(BaseModel):
    """The same model as LibMTL's, as MMEngine has it."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleDict({task: nn.Linear(8, 1) for task in TASKS})
        self.backbone = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8))

    def forward(self, inputs, targets, mode='tensor'):
        features = self.backbone(inputs)
        return {
            f'{task}.loss': regression_loss(self.heads[task](features), targets[task])
            for task in TASKS
        }


def train_in_libmtl(weighting, weight_args):
    set_random_seed(1)
    model = Regressor()
    trainer = build_trainer(
        weighting, weight_args=weight_args,
        encoder_class=lambda: model.backbone, decoders=model.heads,
        optim_param={'optim': 'adam', 'lr': 1e-2, 'weight_decay': 1e-3},
        scheduler_param={'scheduler': 'step', 'step_size': 2, 'gamma': 0.5},
    )  # fmt: skip
    set_random_seed(1)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train(make_loader(), make_loader(), EPOCHS)
    own = {name: value for name, value in trainer.model.named_parameters() if '.' not in name}
    return {**model.state_dict(), **own}


def make_runner(work_dir, options, **changes):
    set_random_seed(1)
    optimizer = {'type': 'Adam', 'lr': 1e-2, 'weight_decay': 1e-3}
    config = {
        'model': Regressor(),
        'train_dataloader': make_loader(),
        'train_cfg': {'by_epoch': True, 'max_epochs': EPOCHS},
        'optim_wrapper': {'type': 'LibMTLOptimWrapper', 'optimizer': optimizer, **options},
        'param_scheduler': [{'type': 'StepLR', 'step_size': 2, 'gamma': 0.5}],
        'randomness': {'seed': 1},
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
