"""GO4Align and AGRM: the paper's equations by hand, and reference trajectories."""

import json

import pytest
import torch

from go4align_plugins import AGRM, GO4Align

from .. import SHARED

GOLDEN = SHARED / 'golden' / 'released_weights.json'


@pytest.mark.parametrize(
    ('steps', 'scale', 'groups'),
    [
        ([[1, 2, 4]], [7, 3.5, 1.75], [1, 0, 0]),
        ([[1, 2], [4, 1]], [1.25, 5], [0, 1]),
        ([[1, 2, 3], [0, 2, 4]], [0, 3, 1.5], [-1, 1, 0]),  # the first task is absent
    ],
)
def test_steps_by_hand(steps, scale, groups):
    weighting = GO4Align(len(scale), 2, step_size=0.1)
    losses = torch.tensor(steps, dtype=torch.float64)
    weights = [weighting(step) for step in losses][-1]
    assert weighting.groups.tolist() == groups
    # The scale is p = sum(L) / L, and q = exp(-beta sum of L over the steps) over its sum.
    risk = 0.1 * losses.sum(0)
    torch.testing.assert_close(weighting.indicator.accumulated_risk, risk, rtol=1e-14, atol=0)
    q = risk.neg().exp() * (losses[-1] > 0)
    gamma = torch.tensor(scale) * q / q.sum()
    for group in set(groups):
        found, expected = (each[weighting.groups == group] for each in (weights, gamma))
        torch.testing.assert_close(found, expected.mean().expand_as(found), rtol=1e-14, atol=0)


@pytest.mark.skipif(not GOLDEN.exists(), reason='needs ../shared/golden')
@pytest.mark.parametrize('case', range(3))
def test_released_trajectory(case):
    reference = json.loads(GOLDEN.read_text())[case]
    options = {name: reference[name] for name in ('num_tasks', 'num_groups', 'step_size')}
    weighting = GO4Align(**options)
    for losses, weights in zip(reference['losses'], reference['weights']):
        found = weighting(torch.tensor(losses))
        torch.testing.assert_close(found, torch.tensor(weights), rtol=1e-5, atol=0)


def test_options_change_their_equation():
    losses = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    alone = {'num_groups': 3, 'step_size': 0.1}
    scale = GO4Align(3, **alone, smooth_alignment=False)(losses)
    smooth = GO4Align(3, **alone, scale_balance=False)(losses)
    both = GO4Align(3, **alone)(losses)
    torch.testing.assert_close(scale, 8 / losses)
    torch.testing.assert_close(smooth, (-0.1 * losses).softmax(0))
    torch.testing.assert_close(both, scale * smooth)
    mean = GO4Align(3, **alone, risk_scale='mean')(losses)
    torch.testing.assert_close(both, 3 * mean, rtol=1e-14, atol=0)
    one_group = GO4Align(3, 1, step_size=0.1)(losses)
    torch.testing.assert_close(one_group, both.mean().expand(3))
    neither = GO4Align(3, **alone, scale_balance=False, smooth_alignment=False)(losses)
    assert neither.tolist() == [1, 1, 1]


def test_gradient_flows_through_the_losses_alone():
    losses = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    weights = GO4Align(3)(losses)
    assert not weights.requires_grad
    (weights * losses).sum().backward()
    assert torch.equal(losses.grad, weights)


def test_agrm_takes_any_indicator_and_refuses_a_broken_one():
    losses = torch.tensor([1.0, 1.25, 4.0])
    weighting = AGRM(3, 2, lambda losses: 1 / losses)
    torch.testing.assert_close(weighting(losses), torch.tensor([0.9, 0.9, 0.25]))
    # The inverse of an absent task's loss is infinite; nobody asks for it.
    assert weighting(torch.tensor([0.0, 0.5, 4.0])).tolist() == [0, 2, 0.25]
    assert weighting(torch.zeros(3)).tolist() == [0, 0, 0]
    assert weighting(torch.tensor([torch.nan, 1.0, 1.0])).tolist() == [1, 1, 1]
    for broken in (lambda losses: losses[:2], lambda losses: losses / 0):
        with pytest.raises(ValueError, match='`indicator` should return 3 finite numbers'):
            AGRM(3, 2, broken)(losses)
