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

from .reference import LARGEST, exact_indicator, exact_weights
from .target import Target
from .values import anything, names, numbers, plain

UNIT = mp.mpf(2) ** -52
LEAST = mp.mpf(2) ** -1074
SMALLEST_SCALE = mp.mpf(1e-290)
"""What grouping scales values by at least: squares of smaller ones may be lost."""
DTYPES = ('float16', 'bfloat16', 'float32', 'float64')
extremes = st.sampled_from(
    (0.0, -0.0, 5e-324, 1e-310, 1e-30, 1e30, 1e308, math.inf, math.nan, -1.0)
)
loss = st.one_of(st.floats(0, 10), st.floats(0, 10), st.floats(0), st.floats(), extremes)
# Few tasks are weighed in another way than many.
sequences = st.one_of(st.integers(1, 6), st.integers(17, 20)).flatmap(
    lambda tasks: st.fixed_dictionaries({
        'dtype': st.sampled_from(DTYPES),
        'num_groups': st.integers(1, tasks),
        'step_size': st.one_of(st.just(1e-4), st.floats(0, 1e3)),
        'risk_scale': st.sampled_from(('sum', 'mean')),
        'scale_balance': st.booleans(),
        'smooth_alignment': st.booleans(),
        'steps': st.lists(st.lists(loss, min_size=tasks, max_size=tasks), min_size=1, max_size=4),
    })
)  # fmt: skip


def check_losses(value: dict[str, Any], folder: Path) -> None:
    """Every step equals a reference of 60 digits, or leaves no trace."""
    mp.dps = 60
    options = {name: value[name] for name in value if name not in ('dtype', 'steps')}
    num_groups, step_size = options['num_groups'], options['step_size']
    weighting = GO4Align(len(value['steps'][0]), **options)
    options = {name: options[name] for name in options if name not in ('num_groups', 'step_size')}
    risks = [mp.mpf(0)] * weighting.num_tasks
    for count, step in enumerate(value['steps'], 1):
        losses = torch.tensor(step, dtype=torch.float64).to(getattr(torch, value['dtype']))
        given = losses.double().tolist()
        before = {name: entry.clone() for name, entry in weighting.state_dict().items()}
        if any(x < 0 and math.isfinite(x) for x in given):
            with pytest.raises(ValueError, match='`losses` should be non-negative'):
                weighting(losses)
            _assert_same(weighting, before)
            continue
        weights = weighting(losses)
        assert weights.dtype == losses.dtype
        assert all(entry.isfinite().all() for entry in weighting.state_dict().values())
        if not all(map(math.isfinite, given)):
            assert (weights == 1).all()
            _assert_same(weighting, before)
            continue
        if options['smooth_alignment']:
            risks = [r + mp.mpf(step_size) * mp.mpf(min(x, LARGEST)) for r, x in zip(risks, given)]
        groups = weighting.groups.tolist()
        assert [group >= 0 for group in groups] == [x > 0 for x in given]
        assert all(weight == 0 for weight, group in zip(weights, groups) if group < 0)
        assert len({*groups} - {-1}) <= num_groups
        bound = error_bound(given, risks, count)
        regular = all(x < LARGEST for x in given)
        # float64 holds no more of so long a history.
        if not regular or max(given) == 0 or bound > 1e-3:
            assert weights.isfinite().all()
            continue
        indicator = exact_indicator(given, risks, **options)
        _assert_means(weights, indicator, groups, bound)
        _assert_optimal(indicator, groups, num_groups, bound)


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
    return UNIT * (9 * largest + (4 * steps + 4) * max(risks) + len(losses) + 14)


def _assert_means(
    weights: torch.Tensor, indicator: dict[int, Any], groups: list[int], bound: Any
) -> None:
    kind = torch.finfo(weights.dtype)
    # A mean of M rounds each part and their sum; then the weight is rounded to its dtype.
    relative = mp.expm1(bound) + (len(groups) + 2) * UNIT + mp.mpf(kind.eps)
    # What underflows is off by the least numbers of float64 and of the weights' dtype.
    absolute = 16 * LEAST + mp.mpf(kind.tiny) * kind.eps
    for weight, exact in zip(weights.tolist(), exact_weights(indicator, groups)):
        expected = min(exact, mp.mpf(kind.max))
        assert abs(weight - expected) <= expected * relative + absolute, (expected, weights)


def _assert_optimal(
    indicator: dict[int, Any], groups: list[int], num_groups: int, bound: Any
) -> None:
    """The groups have the least cost but for what the indicator's errors can change.

    The root of a cost is a distance. Moving M numbers by at most d moves it by at most d sqrt(M):
    for the groups that were found, and for the best. The costs themselves are computed to some
    units of their last digit, of numbers scaled to 1, whose squares are lost below 1e-308.
    """
    parts = [[indicator[task] for task in indicator if groups[task] == k] for k in {*groups} - {-1}]
    values = sorted(indicator.values())
    count = min(num_groups, len(values)) - 1
    cuts = [(0, *cut, len(values)) for cut in combinations(range(1, len(values)), count)]
    best = min(_cost(values[one:other] for one, other in zip(cut, cut[1:])) for cut in cuts)
    moved = (values[-1] * mp.expm1(bound) + LEAST) * mp.sqrt(len(values))
    lost = max(values[-1], SMALLEST_SCALE) ** 2 * mp.mpf(2) ** -1020
    limit = (mp.sqrt(best * (1 + mp.mpf(2) ** -44) + lost) + 2 * moved) ** 2
    assert _cost(parts) <= limit, (best, parts)


def _cost(parts: Any) -> Any:
    means = [(part, mp.fsum(part) / len(part)) for part in parts]
    return mp.fsum((value - mean) ** 2 for part, mean in means for value in part)


def check_kinds(value: tuple[Any, str], folder: Path) -> None:
    """Losses that are none are refused by name; (2,) floats are not."""
    losses, dtype = value
    if dtype:
        try:
            losses = torch.tensor(losses).to(getattr(torch, dtype))
        except (TypeError, ValueError, RuntimeError, OverflowError):
            losses = torch.zeros(0, dtype=getattr(torch, dtype))
    weights = GO4Align(2)(losses)
    assert losses.shape == weights.shape == (2,)
    assert losses.is_floating_point()


OPTIONS = {
    'num_tasks': st.one_of(
        st.integers(-2, 9),
        plain.filter(lambda value: not isinstance(value, (int, float)) or not value > 1e4),
    ),
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
    assert type(weighting.num_tasks) is type(weighting.num_groups) is int
    for switch in ('scale_balance', 'smooth_alignment'):
        assert value.get(switch, True) in (True, False), 'a switch that is none'
    assert weighting(torch.ones(weighting.num_tasks)).isfinite().all()


TARGETS = {
    'losses': Target(sequences, check_losses),
    'losses_of_any_kind': Target(
        st.tuples(anything, st.sampled_from(('', *DTYPES, 'int64', 'bool', 'complex64'))),
        check_kinds,
    ),
    'options': Target(st.fixed_dictionaries({}, optional=OPTIONS), check_options),
}
