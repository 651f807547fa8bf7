"""GO4Align: the paper's equations by hand, reference trajectories, and the rules for users."""

from __future__ import annotations

import copy
import json
import math
import pickle

import pytest
import torch

from go4align_plugins import AGRM, GO4Align

from .. import SHARED

GOLDEN = SHARED / 'golden' / 'released_weights.json'
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def assert_like_new_step(weighting: GO4Align, reference: GO4Align) -> None:
    """Both hold the same state: their next steps are the same, bit for bit."""
    for name, value in weighting.state_dict().items():
        assert torch.equal(value, reference.state_dict()[name]), name
    losses = torch.tensor([0.3, 0.7, 2.0])
    assert torch.equal(weighting(losses), reference(losses))


def test_first_step_by_hand():
    # p = 7 / L = (7, 3.5, 1.75); beta L = (0.1, 0.2, 0.4): q = exp(-beta L) / sum.
    q = [math.exp(-0.1), math.exp(-0.2), math.exp(-0.4)]
    gamma = [p * x / sum(q) for p, x in zip((7, 3.5, 1.75), q)]
    weighting = GO4Align(3, 2, step_size=0.1)
    weights = weighting(torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))
    pair = (gamma[1] + gamma[2]) / 2
    torch.testing.assert_close(weights.tolist(), [gamma[0], pair, pair], rtol=1e-14, atol=0)
    assert weighting.groups.tolist() == [1, 0, 0]


def test_second_step_by_hand():
    # q follows the sum of both steps' losses: (1 + 4, 2 + 1) * beta.
    weighting = GO4Align(2, 2, step_size=0.1)
    weighting(torch.tensor([1.0, 2.0]))
    weights = weighting(torch.tensor([4.0, 1.0], dtype=torch.float64))
    q = [math.exp(-0.5), math.exp(-0.3)]
    expected = [1.25 * q[0] / sum(q), 5 * q[1] / sum(q)]
    torch.testing.assert_close(weights.tolist(), expected, rtol=1e-14, atol=0)


@pytest.mark.skipif(not GOLDEN.exists(), reason='needs ../shared/golden')
@pytest.mark.parametrize('case', range(3))
def test_released_trajectory(case):
    reference = json.loads(GOLDEN.read_text())[case]
    options = {name: reference[name] for name in ('num_tasks', 'num_groups', 'step_size')}
    weighting = GO4Align(**options)
    for losses, weights in zip(reference['losses'], reference['weights']):
        found = weighting(torch.tensor(losses))
        torch.testing.assert_close(found, torch.tensor(weights), rtol=1e-5, atol=0)


def test_mean_scale_is_the_sum_scale_over_the_number_of_tasks():
    losses = torch.tensor([0.3, 1.7, 2.4])
    by_sum, by_mean = GO4Align(3), GO4Align(3, risk_scale='mean')
    torch.testing.assert_close(by_sum(losses), 3 * by_mean(losses))


def test_switches_take_out_their_equation():
    losses = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    alone = {'num_groups': 3, 'step_size': 0.1}
    scale = GO4Align(3, **alone, smooth_alignment=False)(losses)
    smooth = GO4Align(3, **alone, scale_balance=False)(losses)
    both = GO4Align(3, **alone)(losses)
    torch.testing.assert_close(scale, 8 / losses)
    torch.testing.assert_close(smooth, (-0.1 * losses).softmax(0))
    torch.testing.assert_close(both, scale * smooth)
    neither = GO4Align(3, **alone, scale_balance=False, smooth_alignment=False)(losses)
    assert neither.tolist() == [1, 1, 1]


def test_one_group_gives_the_mean_and_all_groups_the_indicator():
    losses = torch.tensor([0.2, 0.9, 3.0, 1.1])
    indicator = GO4Align(4, 4)(losses)
    torch.testing.assert_close(GO4Align(4, 1)(losses), indicator.mean().expand(4))


def test_order_of_tasks_does_not_matter():
    losses = torch.rand(9, generator=torch.Generator().manual_seed(0)) + 0.01
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    straight, shuffled = GO4Align(9, 3), GO4Align(9, 3)
    torch.testing.assert_close(straight(losses)[order], shuffled(losses[order]))
    assert torch.equal(straight.groups[order], shuffled.groups)


def test_gradient_flows_through_the_losses_alone():
    losses = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    weights = GO4Align(3)(losses)
    assert not weights.requires_grad
    (weights * losses).sum().backward()
    assert torch.equal(losses.grad, weights)


@pytest.mark.parametrize('dtype', DTYPES)
def test_dtype_of_losses_decides_the_weights_alone(dtype):
    weighting = GO4Align(3)
    weights = weighting(torch.tensor([1.0, 2.0, 4.0], dtype=dtype))
    assert weights.dtype == dtype
    torch.testing.assert_close(
        weights.float(), GO4Align(3)(torch.tensor([1.0, 2, 4])), rtol=0.01, atol=0
    )
    assert weighting.indicator.accumulated_risk.dtype == torch.float64


@pytest.mark.parametrize('dtype', DTYPES)
def test_weight_beyond_the_dtype_saturates(dtype):
    tiny = torch.finfo(dtype).smallest_normal
    weights = GO4Align(2)(torch.tensor([tiny, torch.finfo(dtype).max], dtype=dtype))
    assert weights[0] == torch.finfo(dtype).max
    assert weights.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_losses_of_all_scales(dtype):
    losses = torch.logspace(-30, 30, 13, dtype=dtype)
    weighting = GO4Align(13, 4)
    for _ in range(20):
        weights = weighting(losses)
        assert weights.isfinite().all()
        assert (weights[:-1] >= weights[1:]).all()
    assert weighting.indicator.accumulated_risk.isfinite().all()


def test_equal_losses_form_one_group():
    weighting = GO4Align(4, 3)
    assert weighting(torch.full((4,), 0.7)).tolist() == [1.0] * 4
    assert weighting.groups.tolist() == [0] * 4


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_non_finite_loss_leaves_no_trace(bad):
    weighting, reference = GO4Align(3, step_size=0.1), GO4Align(3, step_size=0.1)
    for each in (weighting, reference):
        each(torch.tensor([1.0, 2.0, 3.0]))
    losses = torch.tensor([1.0, bad, 3.0])
    weights = weighting(losses)
    assert weights.tolist() == [1, 1, 1]
    assert str((weights * losses).sum()) == str(losses.sum())
    assert_like_new_step(weighting, reference)


def test_absent_task_is_left_out():
    weighting = GO4Align(3, 2, step_size=0.1)
    weighting(torch.tensor([1.0, 2.0, 3.0]))
    before = weighting.indicator.accumulated_risk.clone()
    weights = weighting(torch.tensor([0.0, 2.0, 4.0], dtype=torch.float64))
    # p = 6 / L = (3, 1.5) and q over all three tasks, after losses of (1, 4, 7) in all.
    q = [math.exp(-0.1 * risk) for risk in (1, 4, 7)]
    expected = [0.0, 3 * q[1] / sum(q), 1.5 * q[2] / sum(q)]
    torch.testing.assert_close(weights.tolist(), expected, rtol=1e-14, atol=0)
    assert weighting.groups.tolist() == [-1, 1, 0]
    assert weighting.indicator.accumulated_risk[0] == before[0]


def test_step_without_any_task_changes_no_risk():
    weighting = GO4Align(3)
    assert weighting(torch.zeros(3)).tolist() == [0, 0, 0]
    assert weighting.groups.tolist() == [-1, -1, -1]
    assert weighting.indicator.accumulated_risk.tolist() == [0, 0, 0]


def test_negative_loss_names_the_task_and_leaves_no_trace():
    weighting = GO4Align(3, task_names=['segmentation', 'depth', 'normal'])
    with pytest.raises(ValueError, match=r'non-negative.*-0\.5.*task `depth`'):
        weighting(torch.tensor([1.0, -0.5, 2.0]))
    assert_like_new_step(weighting, GO4Align(3))


@pytest.mark.parametrize(
    ('losses', 'message'),
    [
        (torch.tensor(1.0), r'shape \(3,\).*Found `losses.shape = \(\)`'),
        (torch.ones(2), r'shape \(3,\).*Found `losses.shape = \(2,\)`'),
        (torch.ones(3, 1), r'Found `losses.shape = \(3, 1\)`'),
        (torch.ones(3, dtype=torch.int64), r'floating-point tensor. Found `losses` of torch.int64'),
        ([1.0, 2.0, 3.0], r'floating-point tensor. Found `losses` of list'),
    ],
)
def test_other_losses_are_refused(losses, message):
    with pytest.raises(ValueError, match=message):
        GO4Align(3)(losses)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_tasks': 0}, '`num_tasks` should be at least 1. Found `num_tasks = 0`'),
        ({'num_groups': 0}, '`num_groups` should be between 1 and 3 .*Found `num_groups = 0`'),
        ({'num_groups': 5}, '`num_groups` should be between 1 and 3 .*Found `num_groups = 5`'),
        ({'step_size': -1.0}, '`step_size` should be finite and at least 0. Found'),
        ({'step_size': math.nan}, '`step_size` should be finite and at least 0. Found'),
        ({'risk_scale': 'max'}, "`risk_scale` should be one of .*'max'"),
        (
            {'grouping': 'kmeans'},
            "`grouping` should be one of .*'exact'.*Found `grouping = 'kmeans'`",
        ),
        ({'task_names': ['a', 'b']}, '`task_names` should have 3 names'),
    ],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GO4Align(**{'num_tasks': 3, 'num_groups': 2, **options})


def test_one_task():
    weighting = GO4Align(1, 1)
    assert weighting(torch.tensor([3.0])).tolist() == [1.0]


def test_state_round_trip_and_reset():
    weighting = GO4Align(3, step_size=0.1)
    weighting(torch.tensor([1.0, 2.0, 3.0]))
    loaded = GO4Align(3, step_size=0.1)
    loaded.load_state_dict(weighting.state_dict())
    for twin in (loaded, copy.deepcopy(weighting), pickle.loads(pickle.dumps(weighting))):
        assert_like_new_step(twin, copy.deepcopy(weighting))
    weighting.reset()
    assert_like_new_step(weighting, GO4Align(3, step_size=0.1))


@pytest.mark.parametrize('cast', ['half', 'bfloat16', 'double'])
def test_casting_the_model_never_rounds_the_state(cast):
    weighting = GO4Align(3, step_size=0.1)
    weighting(torch.tensor([1.0, 2.0, 3.0]))
    before = weighting.indicator.accumulated_risk.clone()
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), weighting)
    getattr(model, cast)()
    assert torch.equal(weighting.indicator.accumulated_risk, before)


@pytest.mark.parametrize('parts', [2, 3, 4])
def test_equal_micro_batches_move_the_state_as_one_step(parts):
    whole, split = GO4Align(3, step_size=0.1), GO4Align(3, step_size=0.1)
    losses = torch.tensor([0.3, 1.0, 2.0])
    whole(losses)
    for _ in range(parts):
        weights = split(losses, micro_batches=parts)
    risk = whole.indicator.accumulated_risk
    torch.testing.assert_close(split.indicator.accumulated_risk, risk, rtol=1e-15, atol=0)
    torch.testing.assert_close(weights, whole(losses, micro_batches=10**9))


def test_same_losses_give_the_same_weights_and_no_random_state_is_touched():
    losses = torch.rand(11, generator=torch.Generator().manual_seed(3)) + 0.1
    state = torch.get_rng_state()
    first, second = GO4Align(11, 5), GO4Align(11, 5)
    torch.manual_seed(1)
    expected = [first(losses) for _ in range(5)]
    torch.manual_seed(2)
    assert all(torch.equal(second(losses), weights) for weights in expected)
    torch.set_rng_state(state)
    first(losses)
    assert torch.equal(torch.get_rng_state(), state)


def test_autocast_changes_nothing():
    losses = torch.tensor([0.3, 1.0, 2.0])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        weights = GO4Align(3)(losses)
    assert torch.equal(weights, GO4Align(3)(losses))


@pytest.mark.integration
def test_a_long_training_stays_exact():
    weighting = GO4Align(2, 2, step_size=1e-4)
    losses = torch.tensor([1.0, 0.5], dtype=torch.float64)
    for _ in range(10**5):
        weights = weighting(losses)
    risk = weighting.indicator.accumulated_risk
    torch.testing.assert_close(risk.tolist(), [10.0, 5.0], rtol=1e-10, atol=0)
    share = 1 / (1 + math.exp(-5))
    torch.testing.assert_close(weights.tolist(), [1.5 * (1 - share), 3 * share], rtol=1e-9, atol=0)


def test_agrm_takes_any_indicator_and_refuses_a_broken_one():
    losses = torch.tensor([1.0, 1.25, 4.0])
    weighting = AGRM(3, 2, lambda losses: 1 / losses)
    torch.testing.assert_close(weighting(losses), torch.tensor([0.9, 0.9, 0.25]))
    for broken in (lambda losses: losses[:2], lambda losses: losses / 0):
        with pytest.raises(ValueError, match='`indicator` should return 3 finite numbers'):
            AGRM(3, 2, broken)(losses)


def test_state_of_an_indicator_module_is_saved():
    class Counting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer('steps', torch.zeros(()))

        def forward(self, losses):
            self.steps += 1
            return losses

    weighting = AGRM(3, 2, Counting())
    weighting(torch.ones(3))
    assert weighting.state_dict()['indicator.steps'] == 1
