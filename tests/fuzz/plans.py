"""What a user writes: methods, plans, and the weighting's options in either framework."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from go4align_plugins.leaderboard.run.method import literal
from go4align_plugins.leaderboard.run.plan import Cell, Method, Plan, read_plan, save_plan

from .target import Target
from .values import altered, anything, damaged, names

SPECS = ('EW', 'GO4Align:num_groups=2,step_size=1e-4', 'AGRM_CAGrad:num_groups=2,calpha=0.5', 'STL')
PLAN = {
    'framework': 'libmtl',
    'benchmark': 'rooms',
    'methods': ['STL', 'EW', {'GO4Align': {'num_groups': 2}}, 'DWA:T=2'],
    'seeds': [0, 1],
    'data': 'data/rooms',
    'tasks': ['segmentation', 'depth'],
    'options': {'epochs': 2, 'augment': False, 'device': 'cpu'},
}
TEXT = b"""framework: libmtl
benchmark: rooms
methods: [STL, EW, {GO4Align: {num_groups: 2, step_size: 1e-4}}]
seeds: [0, 1]
options: {epochs: 2}
"""


def check_method(spec: Any, folder: Path) -> None:
    """A method is printed as it is read, and its cell has a name that a folder can have."""
    method = Method.parse(spec)
    assert Method.parse(method.spec) == method
    name = Cell(method, 0).name
    (folder / name).mkdir()
    assert (folder / name).parent == folder


def check_plan(values: Any, folder: Path) -> None:
    """A plan from plain values survives being saved."""
    plan = Plan.from_dict(values)
    plan.extended(plan).cells()
    save_plan(plan, folder / 'plan.yaml')
    assert Plan.from_dict(read_plan(folder / 'plan.yaml')) == plan


def check_plan_file(content: bytes, folder: Path) -> None:
    """A plan's file is read or refused."""
    path = folder / 'plan.yaml'
    path.write_bytes(content)
    Plan.from_dict(read_plan(path)).cells()


def check_literal(text: str, folder: Path) -> None:
    """Any argument of a method is a value."""
    literal(text)


OPTION = st.one_of(st.integers(-1, 4), st.sampled_from(('2', 'exact', 'mean', 'false')), anything)


def check_weight_args(value: tuple[str, dict[str, Any]], folder: Path) -> None:
    """LibMTL's ``weight_args`` build a strategy that takes a step, or are refused."""
    from tests.libmtl.toy import LibMTL, build_loader, build_trainer, first_losses

    name, weight_args = value
    trainer = build_trainer(getattr(LibMTL.weighting, name), weight_args=weight_args)
    losses = first_losses(trainer, list(build_loader(length=16)))
    weights = trainer.model.backward(losses, **weight_args)
    assert len(weights) == 3
    assert np.isfinite(weights).all()
    assert all(parameter.grad.isfinite().all() for parameter in trainer.model.encoder.parameters())


SWITCHES = ('scale_balance', 'smooth_alignment')
WRAPPER = {
    **dict.fromkeys(('num_groups', 'step_size', 'grouping', 'risk_scale', *SWITCHES), OPTION),
    'tasks': st.one_of(
        st.dictionaries(names, st.one_of(names, st.lists(names, max_size=2)), max_size=3),
        altered({'depth': ['depth.*'], 'normal': 'normal.*'}),
    ),
}


def check_wrapper(value: dict[str, Any], folder: Path) -> None:
    """A config of MMEngine's builds an optimizer wrapper or is refused."""
    from mmengine.registry import OPTIM_WRAPPERS

    importlib.import_module('go4align_plugins.mmengine')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(()))], lr=0.1)
    config = {'type': 'GO4AlignOptimWrapper', 'optimizer': optimizer, **value}
    wrapper = OPTIM_WRAPPERS.build(config)
    assert wrapper.weighting is None or wrapper.num_groups >= 1


ARGUMENTS = {
    'GO4Align_num_groups': st.integers(1, 3),
    'GO4Align_step_size': st.floats(0, 1e6),
    'GO4Align_grouping': st.sampled_from(('exact', 'kmeans_pytorch')),
    'GO4Align_risk_scale': st.sampled_from(('sum', 'mean')),
    'GO4Align_scale_balance': st.booleans(),
    'GO4Align_smooth_alignment': st.booleans(),
    'AGRM_num_groups': st.integers(1, 3),
    'AGRM_grouping': st.just('exact'),
}
"""Those of all strategies, with values that are right."""

specs = st.sampled_from(SPECS).flatmap(
    lambda spec: damaged(spec.encode()).map(lambda raw: raw.decode(errors='replace'))
)
methods = altered({'GO4Align': {'num_groups': 2, 'step_size': 1e-4}})
strategies = st.sampled_from(('GO4Align', 'SI', 'AGRM_EW', 'AGRM_UW', 'AGRM_SI'))
arguments = st.one_of(
    st.dictionaries(st.sampled_from(sorted(ARGUMENTS)) | names, OPTION),
    st.fixed_dictionaries({}, optional=ARGUMENTS),
)
ERRORS = 'Parameter `|A plan should'
TARGETS = {
    'methods': Target(st.one_of(st.text(), anything, specs, methods), check_method),
    'plan': Target(altered(PLAN), check_plan, f'{ERRORS}|Benchmark'),
    'plan_file': Target(damaged(TEXT), check_plan_file, ERRORS),
    'arguments': Target(st.text() | st.text('([{-1e\'"x,}])'), check_literal),
    'weight_args': Target(st.tuples(strategies, arguments), check_weight_args),
    'optim_wrapper': Target(
        st.fixed_dictionaries({}, optional=WRAPPER), check_wrapper, needs=('mmengine',)
    ),
}
