"""Absent tasks: the others are weighted as if these did not exist."""

from __future__ import annotations

import math

import pytest
import torch

from go4align_plugins import AGRM, GO4Align

from .test_modes import GROUPINGS, make


def test_by_hand():
    weighting = GO4Align(3, 2, step_size=0.1)
    weighting(torch.tensor([1.0, 2.0, 3.0]))
    before = weighting.indicator.accumulated_risk.clone()
    weights = weighting(torch.tensor([0.0, 2.0, 4.0], dtype=torch.float64))
    # p = 6 / L = (3, 1.5), and q over the two that are present, after losses of (4, 7) in all.
    q = [math.exp(-0.4), math.exp(-0.7)]
    expected = [0.0, 3 * q[0] / sum(q), 1.5 * q[1] / sum(q)]
    torch.testing.assert_close(weights.tolist(), expected, rtol=1e-14, atol=0)
    assert weighting.groups.tolist() == [-1, 1, 0]
    assert weighting.indicator.accumulated_risk[0] == before[0]


@pytest.mark.parametrize('grouping', GROUPINGS)
@pytest.mark.parametrize('num_present', [8, 4, 1])
def test_equal_losses_weigh_one(grouping, num_present):
    losses = torch.tensor([0.7] * num_present + [0.0] * (8 - num_present))
    weights = make(8, 2, grouping=grouping)(losses)
    assert weights.tolist() == [1.0] * num_present + [0.0] * (8 - num_present)


@pytest.mark.parametrize('num_tasks', [6, 90, 600])
@pytest.mark.parametrize(
    'options',
    [
        {},
        {'num_groups': 1},
        {'risk_scale': 'mean'},
        {'scale_balance': False},
        {'smooth_alignment': False},
        {'grouping': 'kmeans_pytorch'},
        {'grouping': lambda indicator, num_groups: (indicator > indicator.mean()).long()},
    ],
)
def test_as_if_they_did_not_exist(num_tasks, options):
    present = torch.arange(num_tasks) % 3 > 0
    count = int(present.sum())
    options = {'num_groups': 2, 'step_size': 0.01, **options}
    some, alone = make(num_tasks, **options), make(count, **options)
    generator = torch.Generator().manual_seed(num_tasks)
    for _ in range(4):
        losses = torch.rand(num_tasks, generator=generator, dtype=torch.float64) + 0.1
        weights, expected = some(torch.where(present, losses, 0.0)), alone(losses[present])
        torch.testing.assert_close(weights[present], expected, rtol=1e-12, atol=0)
        assert torch.equal(some.groups[present], alone.groups)
        assert (weights[~present] == 0).all()
        assert (some.groups[~present] == -1).all()
    risk = some.indicator.accumulated_risk
    torch.testing.assert_close(risk[present], alone.indicator.accumulated_risk)
    assert (risk[~present] == 0).all()


def test_with_another_indicator():
    # The inverse of an absent task's loss is infinite; nobody asks for it.
    weighting = AGRM(3, 2, lambda losses: 1 / losses)
    assert weighting(torch.tensor([0.0, 0.5, 4.0])).tolist() == [0, 2, 0.25]
    assert weighting(torch.zeros(3)).tolist() == [0, 0, 0]
    assert weighting(torch.tensor([torch.nan, 1.0, 1.0])).tolist() == [1, 1, 1]
