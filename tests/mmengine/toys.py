"""Small models of two tasks, their data, wrappers and Runner."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import TensorDataset

from go4align_plugins import GO4Align
from go4align_plugins.mmengine import GO4AlignAmpOptimWrapper, GO4AlignOptimWrapper

TIMES = ('time', 'data_time', 'eta')


class ToyModel(BaseModel):
    """Four features -> two regressions; the losses are those that its data ask for."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Linear(4, 8)
        self.near = nn.Linear(8, 1)
        self.far = nn.Linear(8, 1)

    def forward(self, inputs, targets, mode='tensor'):
        features = self.trunk(inputs).relu()
        near, far = self.near(features)[:, 0], self.far(features)[:, 0]
        return {
            'near.loss_l1': (near - targets[:, 0]).abs().mean(),
            'near.loss_l2': [(near - targets[:, 0]).square(), 0.1 * near.square()],
            'near.accuracy': near.detach().mean(),
            'far.loss_l1': 10 * (far - targets[:, 1]).abs(),
        }


class ToyData(TensorDataset):
    """Reproducible numbers; another seed, other data."""

    def __init__(self, length=8, seed=1):
        generator = torch.Generator().manual_seed(seed)
        self.inputs, self.targets = (torch.randn(length, n, generator=generator) for n in (4, 2))
        super().__init__(self.inputs, self.targets)


def make_loader(shuffle=True, **options):
    """A loader of toy data, in pairs."""
    sampler = {'type': 'InfiniteSampler', 'shuffle': shuffle, 'seed': 3}
    collate = {'type': 'default_collate'}
    return {
        'dataset': ToyData(**options), 'batch_size': 2, 'collate_fn': collate, 'sampler': sampler
    }  # fmt: skip


def make_runner(work_dir, kind=Runner, max_iters=6, **changes):
    """A Runner that trains the toy on the CPU and logs every iteration."""
    optimizer = {'type': 'Adam', 'lr': 0.01}
    checkpoint = {'type': 'CheckpointHook', 'interval': 3, 'by_epoch': False}
    logger = {'type': 'LoggerHook', 'interval': 1}
    config = {
        'model': ToyModel(),
        'work_dir': str(work_dir),
        'train_dataloader': make_loader(),
        'train_cfg': {'by_epoch': False, 'max_iters': max_iters},
        'optim_wrapper': {'type': 'GO4AlignOptimWrapper', 'optimizer': optimizer},
        'default_hooks': {'logger': logger, 'checkpoint': checkpoint},
        'log_processor': {'window_size': 1, 'by_epoch': False},
        'randomness': {'seed': 0},
        # Two Runners of one process would share their logs under one name.
        'experiment_name': f'toy_{work_dir.parent.name}_{work_dir.name}',
    }
    return kind(**{**config, **changes})


def train(*args, make=make_runner, **changes):
    """Make a Runner, and train."""
    runner = make(*args, **changes)
    runner.train()
    return runner


def read_log(folder):
    """The lines of all runs in a folder, in their order, without times."""
    paths = sorted(folder.glob('*/vis_data/scalars.json'))
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return [{key: line[key] for key in line if key not in TIMES} for line in lines]


def assert_weights_follow(log, tasks):
    """The logged weights and groups are those of `GO4Align` fed with the logged losses."""
    weighting = GO4Align(len(tasks))
    for line in log:
        losses = torch.tensor([sum(line[key] for key in keys) for keys in tasks.values()])
        weights = weighting(losses).tolist()
        assert [line[f'weight/{name}'] for name in tasks] == pytest.approx(weights, rel=1e-5)
        assert [line[f'group/{name}'] for name in tasks] == weighting.groups.tolist()
        assert line['loss'] == pytest.approx(losses.sum().item(), rel=1e-5)


class Scales(ToyModel):
    """One parameter a task; each loss is the one that a step asks for, and so is its gradient."""

    def __init__(self):
        super().__init__()
        self.scale = nn.ParameterDict({'a': torch.ones(()), 'b': torch.ones(())})

    def step(self, wrapper, losses):
        ones = {name: scale - scale.detach() + 1 for name, scale in self.scale.items()}
        terms = {f'{name}.loss': ones[name] * loss for name, loss in losses.items()}
        wrapper.update_params(self.parse_losses(terms)[0])


def make_wrapper(model, kind=GO4AlignOptimWrapper, max_counts=100, lr=1.0, **options):
    wrapper = kind(torch.optim.SGD(model.scale.parameters(), lr=lr), **options)
    wrapper.initialize_count_status(model, 0, max_counts)
    return wrapper


def make_amp_wrapper(model, **options):
    wrapper = make_wrapper(model, GO4AlignAmpOptimWrapper, **options)
    wrapper.loss_scaler = make_scaler(init_scale=2.0**10)
    return wrapper


def make_scaler(**options):
    if not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('this torch scales gradients on accelerators alone')
    return torch.amp.GradScaler('cpu', **options)


def moved(model):
    """How far each parameter is from 1: with SGD at rate 1, the weighted loss of its task."""
    return [1 - model.scale[name].item() for name in ('a', 'b')]


def logged(wrapper, kind, names='ab'):
    return [wrapper.message_hub.get_scalar(f'train/{kind}/{name}').current() for name in names]


def accumulated(wrapper):
    return wrapper.weighting.indicator.accumulated_risk
