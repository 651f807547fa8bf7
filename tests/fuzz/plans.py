"""What a user writes: methods, plans, and the weighting's options in either framework."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

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
TEXT = """framework: libmtl
benchmark: rooms
methods: [STL, EW, {GO4Align: {num_groups: 2, step_size: 1e-4}}]
seeds: [0, 1]
options: {epochs: 2}
"""


def check_method(spec: Any, folder: Path) -> None:
    """A method is printed as it is read, and its cell has a name that a folder can have."""
    from go4align_plugins.leaderboard.run.plan import Cell, Method

    method = Method.parse(spec)
    assert Method.parse(method.spec) == method
    name = Cell(method, 0).name
    (folder / name).mkdir()
    assert (folder / name).parent == folder


def check_plan(values: Any, folder: Path) -> None:
    """A plan from plain values survives being saved."""
    from go4align_plugins.leaderboard.run.plan import Plan, read_plan, save_plan

    plan = Plan.from_dict(values)
    plan.extended(plan).cells()
    save_plan(plan, folder / 'plan.yaml')
    assert Plan.from_dict(read_plan(folder / 'plan.yaml')) == plan


def check_plan_file(content: bytes, folder: Path) -> None:
    """A plan's file is read or refused."""
    from go4align_plugins.leaderboard.run.plan import Plan, read_plan

    path = folder / 'plan.yaml'
    path.write_bytes(content)
    Plan.from_dict(read_plan(path)).cells()


def check_literal(text: str, folder: Path) -> None:
    """Any argument of a method is a value."""
    from go4align_plugins.leaderboard.run.cli_values import literal

    literal(text)


OPTION = st.one_of(st.integers(-1, 4), st.sampled_from(('2', 'exact', 'mean', 'false')), anything)


def check_weight_args(value: tuple[str, dict[str, Any]], folder: Path) -> None:
    """LibMTL's ``weight_args`` build a strategy that takes a step, or are refused."""
    import go4align_plugins.libmtl
    from tests.libmtl.toy import LibMTL, build_trainer, first_losses

    assert go4align_plugins.libmtl
    name, weight_args = value
    trainer = build_trainer(getattr(LibMTL.weighting, name), weight_args=weight_args)
    losses = first_losses(trainer, _batches())
    weights = trainer.model.backward(losses, **weight_args)
    assert len(weights) == 3
    assert np.isfinite(weights).all()
    assert all(parameter.grad.isfinite().all() for parameter in trainer.model.encoder.parameters())


@cache
def _batches() -> list[Any]:
    from tests.libmtl.toy import build_loader

    return list(build_loader(length=16))


WRAPPER = {
    'num_groups': OPTION,
    'step_size': OPTION,
    'grouping': OPTION,
    'risk_scale': OPTION,
    'scale_balance': OPTION,
    'smooth_alignment': OPTION,
    'tasks': st.one_of(
        st.dictionaries(names, st.one_of(names, st.lists(names, max_size=2)), max_size=3),
        altered({'depth': ['depth.*'], 'normal': 'normal.*'}),
    ),
}


def check_wrapper(value: dict[str, Any], folder: Path) -> None:
    """A config of MMEngine's builds an optimizer wrapper or is refused."""
    from mmengine.registry import OPTIM_WRAPPERS

    import go4align_plugins.mmengine

    assert go4align_plugins.mmengine
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

TARGETS = {
    'methods': Target(
        st.one_of(
            st.text(),
            anything,
            st.sampled_from(SPECS).flatmap(
                lambda spec: damaged(spec.encode()).map(lambda raw: raw.decode(errors='replace'))
            ),
            altered({'GO4Align': {'num_groups': 2, 'step_size': 1e-4}}),
        ),
        check_method,
    ),
    'plan': Target(altered(PLAN), check_plan, 'Parameter `|A plan should|Benchmark'),
    'plan_file': Target(
        damaged(TEXT.encode()), check_plan_file, 'Parameter `|A plan should', ('yaml',)
    ),
    'arguments': Target(st.one_of(st.text(), st.text('([{-1e\'"x,}])')), check_literal),
    'weight_args': Target(
        st.tuples(
            st.sampled_from(('GO4Align', 'SI', 'AGRM_EW', 'AGRM_UW', 'AGRM_SI')),
            st.one_of(
                st.dictionaries(st.one_of(st.sampled_from(sorted(ARGUMENTS)), names), OPTION),
                st.fixed_dictionaries({}, optional=ARGUMENTS),
            ),
        ),
        check_weight_args,
        needs=('LibMTL',),
    ),
    'optim_wrapper': Target(
        st.fixed_dictionaries({}, optional=WRAPPER), check_wrapper, needs=('mmengine',)
    ),
}
