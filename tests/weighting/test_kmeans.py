"""The exact grouping: against all partitions, in rational arithmetic."""

import bisect
import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from go4align_plugins.weighting import kmeans_1d
from go4align_plugins.weighting.arrays import numpy
from go4align_plugins.weighting.few import begin_runs
from go4align_plugins.weighting.kmeans import DENSE_LIMIT, HOST_LIMIT, group_sorted, in_units
from go4align_plugins.weighting.large import group_large


def cost(values: Sequence[float]) -> Fraction:
    mean = sum(map(Fraction, values)) / len(values)
    return sum((Fraction(value) - mean) ** 2 for value in values)


def optimum(values: Sequence[float], num_groups: int) -> Fraction:
    ordered, last = sorted(values), len(values)
    cuts = itertools.combinations(range(1, last), min(num_groups, last) - 1)
    ends = ((0, *cut, last) for cut in cuts)
    return min(sum(cost(ordered[i:j]) for i, j in zip(end, end[1:])) for end in ends)


def tensors(values: Sequence[float], num_groups: int, present: Any = None) -> list[int]:
    """The path of a device, and the reference of the others."""
    return kmeans_1d(torch.tensor(values, dtype=torch.float64), num_groups, present).tolist()


def arrays(values: Sequence[float], num_groups: int) -> list[int]:
    """The path of some tens of tasks on the CPU."""
    return kmeans_1d(numpy.array(values, float), num_groups).tolist()


def large(values: Sequence[float], num_groups: int) -> list[int]:
    """The path of thousands of values, on few."""
    if not 2 <= num_groups < len(values):
        return tensors(values, num_groups)
    given = numpy.array(values, float)
    groups, order = numpy.zeros(len(values), int), given.argsort()
    groups[order] = group_large(in_units(given[order]), numpy.ones(len(values)), num_groups)
    return groups.tolist()


def numbers(values: Sequence[float], num_groups: int) -> list[int]:
    """The path of a few tasks on the CPU."""
    ordered = sorted(values)
    firsts = [ordered[place] for place in begin_runs(ordered, num_groups)]
    return [bisect.bisect_right(firsts, value) - 1 for value in values]


def some(values: Sequence[float], num_groups: int) -> list[int]:
    """The path of a device where some tasks are absent."""
    extended, size = [*values, 1e-9, 0.0, 1e300], len(values)
    return tensors(extended, num_groups, torch.arange(size + 3) < size)[:size]


PATHS = [tensors, some, numbers] + [arrays, large] * bool(numpy)
all_paths = pytest.mark.parametrize('solve', PATHS)
positive = st.one_of(
    st.sampled_from([1.0, 2.0, 3.5, 3.6]),
    st.floats(0, 1),
    st.floats(-30, 30).map(lambda exponent: 10.0**exponent),
    st.tuples(st.sampled_from([1.0, 1e6, 3e9]), st.floats(0, 1e-3)).map(sum),
)


@all_paths
@pytest.mark.parametrize(
    ('values', 'num_groups', 'expected'),
    [
        # {1, 2} and {10, 11, 12}: 0.5 + 2; any other cut costs more than 40.
        ([10, 1, 12, 2, 11], 2, [1, 0, 1, 0, 1]),
        ([3, 1, 2], 1, [0, 0, 0]),
        ([3, 1, 2], 3, [2, 0, 1]),
        # {1}, {2, 3} and {1, 2}, {3} both cost 0.5: a tie goes to the earliest begin.
        ([1, 2, 3], 2, [0, 1, 1]),
        # Prefix sums of squares would lose the 1e-4 in 1e18.
        ([1e9, 1e9 + 1e-4, 1e9 + 3e-4, 1e9 + 4e-4, 5.0, 7.0], 4, [2, 2, 3, 3, 0, 1]),
    ],
)
def test_by_hand(solve, values, num_groups, expected):
    assert solve(values, num_groups) == expected


@all_paths
@settings(max_examples=100, deadline=None)
@given(values=st.lists(positive, min_size=1, max_size=8), num_groups=st.integers(1, 9))
@example(values=[1.0, 2.0, 0.0, 2e-285, 2e-313], num_groups=4)
def test_reaches_the_optimum(solve, values, num_groups):
    groups = solve(values, num_groups)
    best, members = optimum(values, num_groups), {group: [] for group in groups}
    for value, group in zip(values, groups):
        members[group].append(value)
    found = sum(map(cost, members.values()))
    # Squares below 1e-308 are nothing to float64: there all partitions are equally good.
    assert found - best <= best * Fraction(1, 10**12) + Fraction(1, 10**300)
    assert sorted(set(groups)) == list(range(min(num_groups, len(set(values)))))
    assert all(
        (a < b) <= (i <= j) and (a == b) <= (i == j)
        for (a, i), (b, j) in itertools.product(zip(values, groups), repeat=2)
    )


@settings(max_examples=100, deadline=None)
@given(values=st.lists(positive, min_size=1, max_size=40), num_groups=st.integers(1, 9))
def test_paths_agree_to_the_last_tie(values, num_groups):
    expected = tensors(values, num_groups)
    for solve in set(PATHS) - {large}:
        assert solve(values, num_groups) == expected


@pytest.mark.skipif(not numpy, reason='numpy is not installed')
@pytest.mark.parametrize('size', [HOST_LIMIT + 5, DENSE_LIMIT + 1, 2000])
@pytest.mark.parametrize('num_groups', [2, 7])
def test_many_values_reach_the_optimum_of_the_dense_path(size, num_groups):
    generator = torch.Generator().manual_seed(size)
    values = torch.randn(size, generator=generator, dtype=torch.float64).exp()
    values[::5] = values[1::5][: len(values[::5])]
    values = values.sort().values
    costs = []
    for groups in (
        kmeans_1d(values.numpy(), num_groups),
        group_sorted(values, torch.ones_like(values), num_groups),
    ):
        runs = [values[torch.as_tensor(groups) == group] for group in range(num_groups)]
        costs.append(sum(((run - run.mean()) ** 2).sum() for run in runs))
    torch.testing.assert_close(*costs, rtol=1e-11, atol=0)


@pytest.mark.parametrize('size', [3, 600])
@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.int64])
def test_values_of_any_kind_are_grouped_in_float64(size, dtype):
    values = torch.arange(size).to(dtype)
    assert torch.equal(kmeans_1d(values, 2), kmeans_1d(values.double(), 2))
