"""A model whose losses a test chooses, and wrappers around it."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmengine', reason='MMEngine is not installed')

from mmengine.optim import (
    OptimWrapper,
)
from toys import ToyModel

from go4align_plugins.mmengine import (
    GO4AlignAmpOptimWrapper,
    GO4AlignOptimWrapper,
)


class Scales(ToyModel):
    """One parameter a task; each loss is what a step asks for, and so is its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.ParameterDict({'a': torch.ones(()), 'b': torch.ones(())})

    def step(self, wrapper: OptimWrapper, losses: dict[str, float]) -> None:
        ones = {name: scale - scale.detach() + 1 for name, scale in self.scale.items()}
        terms = {f'{name}.loss': ones[name] * loss for name, loss in losses.items()}
        total, _ = self.parse_losses(terms)
        wrapper.update_params(total)


def make_wrapper(model, kind=GO4AlignOptimWrapper, max_counts=100, lr=1.0, **options):
    wrapper = kind(torch.optim.SGD(model.scale.parameters(), lr=lr), **options)
    wrapper.initialize_count_status(model, 0, max_counts)
    return wrapper


def make_amp_wrapper(model, scale=2.0**10, **options):
    wrapper = make_wrapper(model, GO4AlignAmpOptimWrapper, **options)
    wrapper.loss_scaler = make_scaler(init_scale=scale)
    return wrapper


def make_scaler(**options):
    if not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('this torch scales gradients on accelerators alone')
    return torch.amp.GradScaler('cpu', **options)


def moved(model):
    return [1 - model.scale[name].item() for name in ('a', 'b')]


def logged(wrapper, name):
    return wrapper.message_hub.get_scalar(f'train/{name}').current()


def accumulated(wrapper):
    return wrapper.weighting.indicator.accumulated_risk
