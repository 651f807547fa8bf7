"""The exact grouping: against all partitions, in rational arithmetic."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from go4align_plugins.weighting import arrays, few, kmeans_1d
from go4align_plugins.weighting.bounds import bound_begins
from go4align_plugins.weighting.dense import SMALLEST_UNIT, run_costs
from go4align_plugins.weighting.kmeans import DENSE_LIMIT
from go4align_plugins.weighting.monotone import solve_monotone
from go4align_plugins.weighting.run_costs import RunCosts


def objective(values: Sequence[float], groups: Sequence[int]) -> Fraction:
    total = Fraction(0)
    for group in set(groups):
        members = [Fraction(value) for value, own in zip(values, groups) if own == group]
        mean = sum(members) / len(members)
        total += sum((member - mean) ** 2 for member in members)
    return total


def optimum(values: Sequence[float], num_groups: int) -> Fraction:
    ordered = sorted(values)
    best = None
    for cuts in itertools.combinations(range(1, len(values)), min(num_groups, len(values)) - 1):
        ends = (0, *cuts, len(values))
        groups = [g for g, (i, j) in enumerate(zip(ends, ends[1:])) for _ in range(i, j)]
        found = objective(ordered, groups)
        best = found if best is None else min(best, found)
    return best


def dense(values: Sequence[float], num_groups: int) -> list[int]:
    return kmeans_1d(torch.tensor(values, dtype=torch.float64), num_groups).tolist()


def monotone(values: Sequence[float], num_groups: int) -> list[int]:
    """The path that thousands of values take, on few."""
    tensor = torch.tensor(values, dtype=torch.float64)
    distinct, inverse, counts = tensor.unique(return_inverse=True, return_counts=True)
    return solve_monotone(distinct, counts.double(), num_groups)[inverse].tolist()


def labels(values: Sequence[float], begin: Callable[[list[float]], list[int]]) -> list[int]:
    """From the begins of runs of the sorted values to the group of each value."""
    ordered = sorted(values)
    firsts = [ordered[place] for place in begin(ordered)]
    return [bisect.bisect_right(firsts, value) - 1 for value in values]


def numbers(values: Sequence[float], num_groups: int) -> list[int]:
    """The path that a step of a few tasks takes."""
    return labels(values, lambda ordered: few.begin_runs(ordered, num_groups))


def numpys(values: Sequence[float], num_groups: int) -> list[int]:
    """The path that a step of some tens of tasks takes."""
    if not arrays.arrays:
        pytest.skip('numpy is not installed')
    return labels(
        values, lambda ordered: arrays.begin_runs(arrays.arrays.array(ordered, float), num_groups)
    )


def unit_of(values: torch.Tensor) -> torch.Tensor:
    """What distances are divided by: the power of two above the largest magnitude."""
    return values.abs().max().frexp().exponent.double().exp2()


all_paths = pytest.mark.parametrize('solve', [dense, monotone, numbers, numpys])

positive = st.one_of(
    st.sampled_from([1.0, 2.0, 3.5, 3.6]),
    st.floats(0, 1),
    st.floats(-30, 30).map(lambda exponent: 10.0**exponent),
    st.tuples(st.sampled_from([1.0, 1e6, 3e9]), st.floats(0, 1e-3)).map(sum),
)


@all_paths
def test_by_hand(solve):
    # {1, 2} and {10, 11, 12}: 0.5 + 2; any other cut costs more than 40.
    assert solve([10, 1, 12, 2, 11], 2) == [1, 0, 1, 0, 1]
    assert solve([3, 1, 2], 1) == [0, 0, 0]
    assert solve([3, 1, 2], 3) == [2, 0, 1]


@all_paths
def test_tie_goes_to_the_earliest_begin(solve):
    # {1}, {2, 3} and {1, 2}, {3} both cost 0.5.
    assert solve([1, 2, 3], 2) == [0, 1, 1]


@all_paths
def test_tight_groups_far_from_zero(solve):
    # Prefix sums of squares would lose the 1e-4 in 1e18.
    assert solve([1e9, 1e9 + 1e-4, 1e9 + 3e-4, 1e9 + 4e-4, 5.0, 7.0], 4) == [2, 2, 3, 3, 0, 1]


@all_paths
@settings(max_examples=100, deadline=None)
@given(values=st.lists(positive, min_size=1, max_size=8), num_groups=st.integers(1, 9))
@example(values=[1.0, 2.0, 0.0, 2e-285, 2e-313], num_groups=4)
def test_reaches_the_optimum(solve, values, num_groups):
    groups = solve(values, num_groups)
    best = optimum(values, num_groups)
    # Squares below 1e-308 are nothing to float64: there all partitions are equally good.
    assert objective(values, groups) - best <= best * Fraction(1, 10**12) + Fraction(1, 10**300)
    assert sorted(set(groups)) == list(range(min(num_groups, len(set(values)))))
    assert all(
        (a < b) <= (i <= j) and (a == b) <= (i == j)
        for (a, i), (b, j) in itertools.product(zip(values, groups), repeat=2)
    )


@settings(max_examples=100, deadline=None)
@given(values=st.lists(positive, min_size=1, max_size=40), num_groups=st.integers(1, 9))
def test_paths_of_few_and_of_many_agree_to_the_last_tie(values, num_groups):
    assert numpys(values, num_groups) == dense(values, num_groups)
    if not few.are_few(len(values), num_groups):
        values = values[: few.FEW]
    assert numbers(values, num_groups) == dense(values, num_groups)


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(positive, min_size=4, max_size=40, unique=True),
    num_groups=st.integers(2, 3),
    num_blocks=st.integers(1, 12),
)
def test_bounds_hold_the_begins_of_the_optimum(values, num_groups, num_blocks):
    ordered = sorted(values)
    tensor = torch.tensor(ordered, dtype=torch.float64)
    costs = RunCosts(tensor, torch.ones_like(tensor))
    bounds = bound_begins(costs, tensor, num_groups, num_blocks)
    groups = torch.tensor(dense(ordered, num_groups))
    begins = (groups.diff().nonzero()[:, 0] + 1).tolist()
    assert all(low <= begin <= high for begin, (low, high) in zip(begins, bounds))


@pytest.mark.parametrize('scale', ['even', 'heavy', 'clusters'])
def test_bounds_leave_out_most_of_many_values(scale):
    values = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = {
        'even': values,
        'heavy': (6 * values.logit() / 5).exp(),
        'clusters': (100 * values).floor() + values / 10**3,
    }[scale]
    ordered = values.unique()
    bounds = bound_begins(RunCosts(ordered, torch.ones_like(ordered)), ordered, 6)
    assert sum(high - low for low, high in bounds) / 5 < 0.5 * len(ordered)
    groups = kmeans_1d(ordered, 6)
    begins = (groups.diff().nonzero()[:, 0] + 1).tolist()
    assert all(low <= begin <= high for begin, (low, high) in zip(begins, bounds))


@pytest.mark.parametrize('size', [DENSE_LIMIT + 1, 2000])
@pytest.mark.parametrize('num_groups', [1, 2, 7])
def test_many_values_agree_with_the_dense_path(size, num_groups):
    generator = torch.Generator().manual_seed(size)
    values = torch.randn(size, generator=generator, dtype=torch.float64).exp()
    values[::5] = values[1::5][: len(values[::5])]
    ordered, order = values.sort()
    costs = run_costs(ordered, torch.ones_like(ordered))
    best = costs[:, 0]
    for _ in range(num_groups - 1):
        best = (costs[:, 1:] + best[:-1]).min(1).values
    groups = kmeans_1d(values, num_groups)
    runs = [ordered[groups[order] == group] for group in range(num_groups)]
    found = sum(((run - run.mean()) ** 2).sum() for run in runs)
    torch.testing.assert_close(found, best[-1] * unit_of(ordered) ** 2, rtol=1e-11, atol=0)


@settings(max_examples=50, deadline=None)
@given(values=st.lists(positive, min_size=2, max_size=40, unique=True))
def test_both_ways_to_cost_a_run_agree(values):
    # Below, the units no longer follow the values.
    assume(max(values) > SMALLEST_UNIT)
    ordered = torch.tensor(values, dtype=torch.float64).sort().values
    counts = torch.arange(1, len(values) + 1, dtype=torch.float64)
    table = RunCosts(ordered, counts)
    begin, end = torch.triu_indices(len(values), len(values))
    direct = run_costs(ordered, counts)[end, begin]
    torch.testing.assert_close(table(begin, end), direct, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize('num_groups', [2, 3])
@pytest.mark.parametrize('counts', [[1, 1, 1, 1, 0], [1, 1, 1, 0, 1]])
def test_a_value_that_counts_nothing_changes_nothing(num_groups, counts):
    values = torch.tensor([1.0, 1.4, 5.0, 5.1, 5.1])
    groups = kmeans_1d(values, num_groups, torch.tensor(counts))
    assert groups[:4].tolist() == kmeans_1d(values[:4], num_groups).tolist()


@pytest.mark.parametrize('num_groups', [2, 3])
def test_a_value_that_counts_thrice_is_three_values(num_groups):
    values, counts = torch.tensor([0.0, 3.0, 7.0, 9.0]), torch.tensor([1, 3, 1, 2])
    groups = kmeans_1d(values, num_groups, counts)
    repeated = kmeans_1d(values.repeat_interleave(counts), num_groups)
    assert groups.repeat_interleave(counts).tolist() == repeated.tolist()


def test_global_random_state_is_left_alone():
    state = torch.get_rng_state()
    kmeans_1d(torch.rand(1000, generator=torch.Generator().manual_seed(0)), 4)
    assert torch.equal(torch.get_rng_state(), state)
