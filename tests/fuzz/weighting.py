"""Losses and options of the method."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from mpmath import mp

from go4align_plugins import GO4Align
from go4align_plugins.weighting.kmeans import SMALLEST_UNIT

from .target import Target
from .values import anything, names, numbers, plain

LEAST = mp.mpf(2) ** -1074
"""The least number of float64."""
DTYPES = ('float16', 'bfloat16', 'float32', 'float64')
loss = st.one_of(
    st.floats(0, 10),
    st.floats(0, 10),
    st.floats(0),
    st.floats(),
    st.sampled_from((0.0, -0.0, 5e-324, 1e-310, 1e-30, 1e30, 1e308, math.inf, math.nan, -1.0)),
)
# Up to 16 tasks are weighed by numbers, more of them by arrays.
sequences = st.one_of(st.integers(1, 6), st.integers(17, 20)).flatmap(
    lambda tasks: st.fixed_dictionaries(
        {
            'dtype': st.sampled_from(DTYPES),
            'on_tensors': st.booleans(),
            'num_groups': st.integers(1, tasks),
            'step_size': st.one_of(st.just(1e-4), st.floats(0, 1e3)),
            'risk_scale': st.sampled_from(('sum', 'mean')),
            'scale_balance': st.booleans(),
            'smooth_alignment': st.booleans(),
            'steps': st.lists(
                st.lists(loss, min_size=tasks, max_size=tasks), min_size=1, max_size=4
            ),
        }
    )
)


def check_losses(value: dict[str, Any], folder: Path) -> None:
    """Every step equals a reference of 60 digits, or leaves no trace."""
    mp.dps = 60
    apart = ('dtype', 'on_tensors', 'steps')
    options = {name: value[name] for name in value if name not in apart}
    dtype = getattr(torch, value['dtype'])
    weighting = GO4Align(len(value['steps'][0]), **options)
    # On the CPU few tasks are weighed by numbers, elsewhere by operations on tensors.
    weigh = weighting._step if value['on_tensors'] else weighting
    risks = [mp.mpf(0)] * weighting.num_tasks
    for count, step in enumerate(value['steps'], 1):
        losses = torch.tensor(step, dtype=torch.float64).to(dtype)
        given = losses.double().tolist()
        before = {name: entry.clone() for name, entry in weighting.state_dict().items()}
        negative = any(x < 0 and math.isfinite(x) for x in given)
        if negative:
            with pytest.raises(ValueError, match='`losses` should be non-negative'):
                weigh(losses)
            _assert_same(weighting, before)
            continue
        weights = weigh(losses)
        assert weights.dtype == dtype
        assert all(entry.isfinite().all() for entry in weighting.state_dict().values())
        if not all(map(math.isfinite, given)):
            assert (weights == 1).all()
            _assert_same(weighting, before)
            continue
        if options['smooth_alignment']:
            risks = [r + mp.mpf(options['step_size']) * mp.mpf(x) for r, x in zip(risks, given)]
        bound = error_bound(given, risks, count)
        _assert_step(weights, weighting, given, risks, options, bound)


def _assert_same(weighting: GO4Align, before: dict[str, torch.Tensor]) -> None:
    assert all(entry.equal(before[name]) for name, entry in weighting.state_dict().items())


def error_bound(losses: list[float], risks: list[Any], steps: int) -> Any:
    r"""How far the logarithm of an indicator may be off, by rounding alone.

    In units of :math:`2^{-52}`, with A the largest magnitude of a loss's logarithm, and R the
    largest accumulated risk:

    - Eq. 5, a logarithm of the total (a sum of logarithms, or one of exponentials: A twice) less
      one of a loss (A), and its rounding (A): 4A; with as many for the mean's, and their sums: 8A;
    - Eq. 6, a risk of n steps has n products and n sums, half a unit each: nR; the difference of
      two (2n + 1)R; and the logarithm of the sum of such exponentials: (4n + 3)R;
    - the sum of the two: A + R, and for logarithms of sums of M shares, and for the exponential:
      M + 14.

    The largest errors that are seen reach a tenth of it.
    """
    largest = max((abs(mp.log(x)) for x in losses if x > 0), default=0)
    return mp.mpf(2) ** -52 * (9 * largest + (4 * steps + 4) * max(risks) + len(losses) + 14)


def _assert_step(
    weights: torch.Tensor,
    weighting: GO4Align,
    losses: list[float],
    risks: list[Any],
    options: dict[str, Any],
    bound: Any,
) -> None:
    groups = weighting.groups.tolist()
    present = [task for task, x in enumerate(losses) if x > 0]
    assert [task for task, group in enumerate(groups) if group >= 0] == present
    assert all(weights[task] == 0 for task in range(len(losses)) if task not in present)
    if not present or bound > 1e-3:  # float64 holds no more of so long a history
        assert weights.isfinite().all()
        return
    shift = min(risks)
    shares = [mp.exp(shift - r) for r in risks]
    total, shared = mp.fsum(losses), mp.fsum(shares)
    if options['risk_scale'] == 'mean':
        total /= len(present)
    indicator = {
        task: (total / losses[task] if options['scale_balance'] else 1)
        * (shares[task] / shared if options['smooth_alignment'] else 1)
        for task in present
    }
    largest = mp.mpf(torch.finfo(torch.float64).max)
    indicator = {task: min(value, largest) for task, value in indicator.items()}
    members: dict[int, list[int]] = {}
    for task in present:
        members.setdefault(groups[task], []).append(task)
    assert len(members) <= options['num_groups']
    kind = torch.finfo(weights.dtype)
    # A mean of M rounds each part and their sum; then the weight is rounded to its dtype.
    relative = mp.expm1(bound) + (len(losses) + 2) * mp.mpf(2) ** -52 + mp.mpf(kind.eps)
    # What underflows is off by the least numbers of float64 and of the weights' dtype.
    absolute = 16 * LEAST + mp.mpf(kind.tiny) * kind.eps
    for tasks in members.values():
        expected = min(mp.fsum(indicator[task] for task in tasks) / len(tasks), mp.mpf(kind.max))
        for task in tasks:
            error = abs(mp.mpf(weights[task].item()) - expected)
            assert error <= expected * relative + absolute, (task, expected, weights)
    _assert_optimal(indicator, members, options['num_groups'], bound)


def _assert_optimal(
    indicator: dict[int, Any], members: dict[int, list[int]], num_groups: int, bound: Any
) -> None:
    """The groups have the least cost but for what the indicator's errors can change.

    The root of a cost is a distance. Moving M numbers by at most d moves it by at most d sqrt(M):
    for the groups that were found, and for the best. The costs themselves are computed to some
    units of their last digit, of numbers scaled to 1, whose squares are lost below 1e-308.
    """
    found = mp.fsum(_spread([indicator[task] for task in tasks]) for tasks in members.values())
    best = _least_spread(sorted(indicator.values()), num_groups)
    largest = max(indicator.values())
    moved = (largest * mp.expm1(bound) + LEAST) * mp.sqrt(len(indicator))
    lost = max(largest, mp.mpf(SMALLEST_UNIT)) ** 2 * mp.mpf(2) ** -1020
    limit = (mp.sqrt(best * (1 + mp.mpf(2) ** -44) + lost) + 2 * moved) ** 2
    assert found <= limit, (found, best, members)


def _spread(values: list[Any]) -> Any:
    mean = mp.fsum(values) / len(values)
    return mp.fsum((value - mean) ** 2 for value in values)


def _least_spread(values: list[Any], num_groups: int) -> Any:
    """By trying every cut of the sorted values."""
    count = min(num_groups, len(values)) - 1
    cuts = [(0, *cut, len(values)) for cut in combinations(range(1, len(values)), count)]
    return min(
        mp.fsum(_spread(values[one:other]) for one, other in zip(cut, cut[1:])) for cut in cuts
    )


def check_kinds(value: tuple[Any, str], folder: Path) -> None:
    """Losses that are none are refused by name; (2,) floats are not."""
    content, dtype = value
    losses: Any = content
    if dtype:
        try:
            losses = torch.tensor(content).to(getattr(torch, dtype))
        except (TypeError, ValueError, RuntimeError, OverflowError):
            losses = torch.zeros(0, dtype=getattr(torch, dtype))
    weights = GO4Align(2)(losses)
    assert losses.shape == weights.shape == (2,)
    assert losses.is_floating_point()


def _not_huge(value: Any) -> bool:
    return not isinstance(value, (int, float)) or not value > 1e4


OPTIONS = {
    'num_tasks': st.one_of(st.integers(-2, 9), plain.filter(_not_huge)),
    'num_groups': st.one_of(st.integers(-2, 9), plain),
    'step_size': st.one_of(numbers, st.just('1e-4'), plain),
    'grouping': st.one_of(st.sampled_from(('exact', 'sdp', 'k-means')), anything),
    'risk_scale': st.one_of(st.sampled_from(('sum', 'mean')), anything),
    'scale_balance': st.one_of(st.booleans(), st.just('false'), anything),
    'smooth_alignment': st.one_of(st.booleans(), anything),
    'task_names': st.one_of(st.none(), st.lists(names, max_size=4), anything),
}


def check_options(value: dict[str, Any], folder: Path) -> None:
    """Options from a config are of the right kind and range, or refused by name."""
    weighting = GO4Align(**{'num_tasks': 3, **value})
    count = weighting.num_tasks
    assert type(count) is int
    assert type(weighting.num_groups) is int
    for switch in ('scale_balance', 'smooth_alignment'):
        assert value.get(switch, True) in (True, False), 'a switch that is none'
    assert weighting(torch.ones(count)).isfinite().all()


TARGETS = {
    'losses': Target(sequences, check_losses),
    'losses_of_any_kind': Target(
        st.tuples(anything, st.sampled_from(('', *DTYPES, 'int64', 'bool', 'complex64'))),
        check_kinds,
    ),
    'options': Target(st.fixed_dictionaries({}, optional=OPTIONS), check_options),
}
