"""The optional groupings: the same interface, deterministic, and never a hang."""

import random

import pytest
import torch

from go4align_plugins import AGRM, GO4Align
from go4align_plugins.weighting import KMeansPytorch

np = pytest.importorskip('numpy', reason='numpy is not installed')
for package in ('kmeans_pytorch', 'sklearn', 'cvxpy'):
    pytest.importorskip(package, reason='needs the extra `clustering`')

every = pytest.mark.parametrize('grouping', ['kmeans_pytorch', 'spectral', 'sdp'])


@every
@pytest.mark.parametrize(
    ('indicator', 'num_groups', 'expected'),
    [
        ([1.0, 1.0, 1.0], 2, [0, 0, 0]),
        ([1.0, 1.0, 2.0], 2, [0, 0, 1]),
        ([1.0, 2.0, 3.0], 1, [0, 0, 0]),
        ([3.0, 1.0, 2.0], 3, [2, 0, 1]),
        # Values that meet or overflow in float32.
        ([1e-300, 1e300, 1.1e300, 1e-299, 9e299], 2, [0, 1, 1, 0, 1]),
    ],
)
def test_inputs_on_which_kmeans_pytorch_hangs(grouping, indicator, num_groups, expected):
    weighting = AGRM(len(indicator), num_groups, lambda losses: losses, grouping=grouping)
    weighting(torch.tensor(indicator, dtype=torch.float64))
    assert weighting.groups.tolist() == expected


@every
@pytest.mark.parametrize(
    ('num_tasks', 'num_groups'),
    [(3, 2), pytest.param(40, 5, marks=pytest.mark.integration)],
)
def test_trains_silently_and_leaves_global_generators_alone(grouping, num_tasks, num_groups, capfd):
    weighting, again = (GO4Align(num_tasks, num_groups, grouping=grouping) for _ in range(2))
    generator = torch.Generator().manual_seed(num_tasks)
    words = np.random.get_state()[1].copy()
    states = torch.get_rng_state(), random.getstate()
    for _ in range(3):
        losses = torch.rand(num_tasks, generator=generator) + 0.05
        weights = weighting(losses)
        assert torch.equal(weights, again(losses))
        assert weights.isfinite().all()
        assert set(weighting.groups.tolist()) <= set(range(num_groups))
        means = [weights[weighting.groups == g].mean() for g in weighting.groups.unique()]
        assert means == sorted(means)
    assert capfd.readouterr() == ('', '')
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], words)
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
