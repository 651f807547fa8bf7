"""Losses and options of the method."""

from __future__ import annotations

import contextlib
import copy
import math

import pytest
import torch
from hypothesis import strategies as st
from mpmath import mp

from go4align_plugins import GO4Align

from .inputs import anything, names, numbers, plain
from .reader import reads
from .reference import LARGEST, error_of_weights

DTYPES = ('float16', 'bfloat16', 'float32', 'float64')
EXTREMES = (0.0, -0.0, 5e-324, 1e-310, 1e-30, 1e30, 1e308, math.inf, math.nan, -1.0)
loss = st.one_of(st.floats(0, 10), st.floats(0), st.floats(), st.sampled_from(EXTREMES))
switches = st.fixed_dictionaries({
    'risk_scale': st.sampled_from(('sum', 'mean')),
    'scale_balance': st.booleans(),
    'smooth_alignment': st.booleans(),
})  # fmt: skip
# Few tasks are weighed in another way than many.
sequences = (st.integers(1, 6) | st.integers(17, 20)).flatmap(
    lambda tasks: st.tuples(
        st.lists(st.lists(loss, min_size=tasks, max_size=tasks), min_size=1, max_size=4),
        st.sampled_from(DTYPES),
        st.integers(1, tasks),
        st.just(1e-4) | st.floats(0, 1e3),
        switches,
    )
)


@reads(sequences, name='losses')
def check_losses(value, folder):
    """Every step equals a reference of 60 digits, given the state, or leaves no trace."""
    mp.dps = 60
    steps, dtype, num_groups, step_size, options = value
    weighting = GO4Align(len(steps[0]), num_groups, step_size, **options)
    for step in steps:
        losses = torch.tensor(step, dtype=torch.float64).to(getattr(torch, dtype))
        given = losses.double().tolist()
        before = copy.deepcopy(weighting.state_dict())
        if negative := any(x < 0 and math.isfinite(x) for x in given):
            with pytest.raises(ValueError, match='`losses` should be non-negative'):
                weighting(losses)
        else:
            weights = weighting(losses)
            assert weights.dtype == losses.dtype
        if negative or not losses.isfinite().all():
            assert negative or (weights == 1).all()
            assert all(entry.equal(before[name]) for name, entry in weighting.state_dict().items())
            continue
        assert all(entry.isfinite().all() for entry in weighting.state_dict().values())
        assert weights.isfinite().all()
        groups, risks = weighting.groups.tolist(), weighting.indicator.accumulated_risk.tolist()
        assert [group >= 0 for group in groups] == [x > 0 for x in given]
        assert all(weight == 0 for weight, group in zip(weights, groups) if group < 0)
        assert len({*groups} - {-1}) <= num_groups
        if 0 < max(given) < LARGEST:
            assert error_of_weights(weights, given, risks, groups, **options) <= 1


@reads(st.tuples(anything, st.sampled_from(('float16', 'float64', 'int64', 'bool', 'complex64'))))
def losses_of_any_kind(value, folder):
    """Losses that are none are refused by name; (2,) floats are not."""
    losses, dtype = value
    with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
        losses = torch.tensor(losses).to(getattr(torch, dtype))
    weights = GO4Align(2)(losses)
    assert losses.shape == weights.shape == (2,)
    assert losses.is_floating_point()


few = plain.filter(lambda value: not isinstance(value, (int, float)) or not value > 1e4)
OPTIONS = {
    'num_tasks': st.integers(-2, 9) | few,
    'num_groups': st.integers(-2, 9) | plain,
    'step_size': numbers | st.just('1e-4') | plain,
    'grouping': st.sampled_from(('exact', 'sdp', 'k-means')) | anything,
    'risk_scale': st.sampled_from(('sum', 'mean')) | anything,
    'scale_balance': st.booleans() | st.just('false') | anything,
    'smooth_alignment': st.booleans() | anything,
    'task_names': st.none() | st.lists(names, max_size=4) | anything,
}


@reads(st.fixed_dictionaries({}, optional=OPTIONS), name='options')
def check_options(value, folder):
    """Options from a config are of the right kind and range, or refused by name."""
    weighting = GO4Align(**{'num_tasks': 3, **value})
    assert type(weighting.num_tasks) is type(weighting.num_groups) is int
    for switch in ('scale_balance', 'smooth_alignment'):
        assert value.get(switch, True) in (True, False), 'a switch that is none'
    assert weighting(torch.ones(weighting.num_tasks)).isfinite().all()
