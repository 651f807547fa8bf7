"""What a user writes: methods, plans, and the weighting's options in either framework."""

from __future__ import annotations

import importlib

import numpy as np
import torch
import yaml
from hypothesis import strategies as st

from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan, read_plan, save_plan

from .inputs import altered, anything, damaged, names
from .reader import reads

SPECS = ('EW', 'GO4Align:num_groups=2,step_size=1e-4', 'AGRM_CAGrad:num_groups=2,calpha=0.5', 'STL')
TEXT = b"""framework: libmtl
benchmark: rooms
methods: [STL, EW, {GO4Align: {num_groups: 2, step_size: 1e-4}}, DWA:T=2]
seeds: [0, 1]
data: data/rooms
tasks: [segmentation, depth]
options: {epochs: 2, augment: false, device: cpu}
"""
specs = st.sampled_from(SPECS).flatmap(lambda spec: damaged(spec.encode()))
specs = specs.map(lambda raw: raw.decode(errors='replace'))
methods = altered({'GO4Align': {'num_groups': 2, 'step_size': 1e-4}})


@reads(st.one_of(st.text(), anything, specs, methods), 'A plan should', name='methods')
def check_method(spec, folder):
    """A method is printed as it is read, and its cell has a name that a folder can have."""
    method = Method.parse(spec)
    assert Method.parse(method.spec) == method
    name = Cell(method, 0).name
    (folder / name).mkdir()
    assert (folder / name).parent == folder


plans = damaged(TEXT) | altered(yaml.safe_load(TEXT)).map(yaml.safe_dump).map(str.encode)


@reads(plans, 'A plan should|Benchmark', file='plan.yaml')
def plan(path):
    """A plan survives being saved."""
    found = Plan.from_dict(read_plan(path))
    found.extended(found).cells()
    save_plan(found, path)
    assert Plan.from_dict(read_plan(path)) == found


OPTIONS = ('num_groups', 'step_size', 'grouping', 'risk_scale', 'scale_balance', 'smooth_alignment')
VALUES = st.booleans() | st.floats(0) | st.integers(-1, 4) | anything
VALUES |= st.sampled_from(('2', 'exact', 'mean'))
strategies = st.sampled_from(('GO4Align', 'SI', 'AGRM_EW', 'AGRM_UW', 'AGRM_SI'))
given = st.dictionaries(
    st.sampled_from(('GO4Align', 'AGRM')).flatmap(
        lambda prefix: st.sampled_from([f'{prefix}_{name}' for name in OPTIONS]) | names
    ),
    VALUES,
    max_size=3,
)


@reads(st.tuples(strategies, given))
def weight_args(value, folder):
    """LibMTL's ``weight_args`` build a strategy that takes a step, or are refused."""
    from tests.libmtl.conftest import LibMTL, build_loader, build_trainer, first_losses

    name, weight_args = value
    trainer = build_trainer(getattr(LibMTL.weighting, name), weight_args=weight_args)
    losses = first_losses(trainer, list(build_loader(length=16)))
    weights = trainer.model.backward(losses, **weight_args)
    assert len(weights) == 3
    assert np.isfinite(weights).all()
    assert all(parameter.grad.isfinite().all() for parameter in trainer.model.encoder.parameters())


tasks = st.dictionaries(names, names | st.lists(names, max_size=2), max_size=3)
tasks |= altered({'depth': ['depth.*'], 'normal': 'normal.*'})
config = st.fixed_dictionaries({}, optional={**dict.fromkeys(OPTIONS, VALUES), 'tasks': tasks})


@reads(config, needs='mmengine')
def optim_wrapper(value, folder):
    """A config of MMEngine's builds an optimizer wrapper or is refused."""
    from mmengine.registry import OPTIM_WRAPPERS

    importlib.import_module('go4align_plugins.mmengine')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(()))], lr=0.1)
    config = {'type': 'GO4AlignOptimWrapper', 'optimizer': optimizer, **value}
    wrapper = OPTIM_WRAPPERS.build(config)
    assert wrapper.weighting is None or wrapper.num_groups >= 1
