"""The optional groupings: the same interface, deterministic, and never a hang."""

from __future__ import annotations

import random

import pytest
import torch

pytest.importorskip('numpy', reason='numpy is not installed')

import numpy as np

from go4align_plugins import AGRM, GO4Align
from go4align_plugins.weighting import KMeansPytorch

pytest.importorskip('kmeans_pytorch', reason='needs the extra `clustering`')
pytest.importorskip('sklearn', reason='needs the extra `clustering`')
pytest.importorskip('cvxpy', reason='needs the extra `clustering`')

NAMES = ('kmeans_pytorch', 'spectral', 'sdp')
every = pytest.mark.parametrize('grouping', NAMES)


def group(indicator: list[float], num_groups: int, grouping: str) -> list[int]:
    values = torch.tensor(indicator, dtype=torch.float64)
    weighting = AGRM(len(indicator), num_groups, lambda losses: losses, grouping=grouping)
    weighting(values)
    return weighting.groups.tolist()


@every
@pytest.mark.parametrize(
    ('indicator', 'num_groups', 'expected'),
    [
        ([1.0, 1.0, 1.0], 2, [0, 0, 0]),
        ([1.0, 1.0, 2.0], 2, [0, 0, 1]),
        ([1.0, 2.0, 3.0], 1, [0, 0, 0]),
        ([3.0, 1.0, 2.0], 3, [2, 0, 1]),
    ],
)
def test_inputs_on_which_kmeans_pytorch_hangs(grouping, indicator, num_groups, expected):
    assert group(indicator, num_groups, grouping) == expected


@every
def test_values_that_meet_or_overflow_in_float32(grouping):
    groups = group([1e-300, 1e300, 1.1e300, 1e-299, 5e299], 2, grouping)
    assert groups[1] == groups[2]
    assert groups[0] == groups[3]
    assert sorted(set(groups)) == [0, 1]


@every
@pytest.mark.parametrize(
    ('num_tasks', 'num_groups'),
    [(3, 2), pytest.param(40, 5, marks=pytest.mark.integration)],
)
def test_trains_like_the_default(grouping, num_tasks, num_groups):
    weighting = GO4Align(num_tasks, num_groups, grouping=grouping)
    again = GO4Align(num_tasks, num_groups, grouping=grouping)
    generator = torch.Generator().manual_seed(num_tasks)
    for _ in range(3):
        losses = torch.rand(num_tasks, generator=generator) + 0.05
        weights = weighting(losses)
        assert torch.equal(weights, again(losses))
        assert weights.isfinite().all()
        assert set(weighting.groups.tolist()) <= set(range(num_groups))
        means = [weights[weighting.groups == g].mean() for g in weighting.groups.unique()]
        assert means == sorted(means)


@every
def test_silent_and_leaves_the_global_generators_alone(grouping, capfd):
    weighting = GO4Align(5, 2, grouping=grouping)
    words = np.random.get_state()[1].copy()  # noqa: NPY002
    states = torch.get_rng_state(), random.getstate()
    weighting(torch.tensor([0.1, 0.2, 0.5, 0.6, 3.0]))
    assert capfd.readouterr() == ('', '')
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], words)  # noqa: NPY002
    assert random.getstate() == states[1]


def test_kmeans_pytorch_gives_up_instead_of_looping():
    values = torch.linspace(0, 1, 40, dtype=torch.float64)
    with pytest.raises(RuntimeError, match='did not converge in 3 starts of 1 iterations'):
        KMeansPytorch(max_iterations=1, max_starts=3)(values, 5)
    found = {tuple(KMeansPytorch(seed=seed)(values, 5).tolist()) for seed in range(5)}
    assert len(found) > 1, 'the seed should choose the start'


def test_any_callable_groups():
    weighting = GO4Align(4, 2, grouping=lambda indicator, num_groups: [7, 3, 3, 7])
    weighting(torch.tensor([4.0, 3.0, 2.0, 1.0]))
    # Numbered by rising weight, whatever numbers came back: the callable sees rising indicators.
    assert sorted(set(weighting.groups.tolist())) == [0, 1]
    for broken in (torch.ones(3, dtype=int), torch.rand(4), torch.arange(4)):
        with pytest.raises(ValueError, match=r'should return 4 integers.*at most 2 different.*`\['):
            GO4Align(4, 2, grouping=lambda *_, found=broken: found)(torch.rand(4) + 1)
