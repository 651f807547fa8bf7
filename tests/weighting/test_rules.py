"""The rules that users rely on: dtypes, bad and absent losses, state, accumulation."""

from __future__ import annotations

import math

import pytest
import torch

from go4align_plugins import GO4Align

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def assert_like_new_step(weighting: GO4Align, reference: GO4Align) -> None:
    """Both hold the same state: their next steps are the same, bit for bit."""
    for name, value in weighting.state_dict().items():
        assert torch.equal(value, reference.state_dict()[name]), name
    losses = torch.tensor([0.3, 0.7, 2.0])
    assert torch.equal(weighting(losses), reference(losses))


@pytest.mark.parametrize('num_tasks', [3, 70])
@pytest.mark.parametrize('dtype', DTYPES)
def test_dtype_of_losses_decides_the_weights_alone(dtype, num_tasks):
    weighting, losses = GO4Align(num_tasks), torch.arange(1.0, num_tasks + 1)
    weights = weighting(losses.to(dtype))
    assert weights.dtype == dtype
    torch.testing.assert_close(weights.float(), GO4Align(num_tasks)(losses), rtol=0.01, atol=0)
    assert weighting.indicator.accumulated_risk.dtype == torch.float64


@pytest.mark.parametrize('num_tasks', [2, 70])
@pytest.mark.parametrize('dtype', DTYPES)
def test_weight_beyond_the_dtype_saturates(dtype, num_tasks):
    losses = torch.full((num_tasks,), torch.finfo(dtype).max / num_tasks, dtype=dtype)
    losses[0] = torch.finfo(dtype).smallest_normal
    weights = GO4Align(num_tasks)(losses)
    # The indicator itself saturates at 1e150.
    assert weights[0] == min(torch.finfo(dtype).max, 1e150)
    assert weights.isfinite().all()


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


@pytest.mark.parametrize('num_tasks', [3, 70])
def test_step_without_any_task_changes_no_risk(num_tasks):
    weighting = GO4Align(num_tasks)
    assert weighting(torch.zeros(num_tasks)).tolist() == [0] * num_tasks
    assert weighting.groups.tolist() == [-1] * num_tasks
    assert weighting.indicator.accumulated_risk.tolist() == [0] * num_tasks


def test_negative_loss_names_the_task_and_leaves_no_trace():
    weighting = GO4Align(3, task_names=['segmentation', 'depth', 'normal'])
    with pytest.raises(
        ValueError, match=r'non-negative.*-0\.5.*task `depth`.*clamp\(min=0\).*offset'
    ):
        weighting(torch.tensor([1.0, -0.5, 2.0]))
    assert_like_new_step(weighting, GO4Align(3))


@pytest.mark.parametrize(
    ('losses', 'message'),
    [
        (torch.tensor(1.0), r'shape \(3,\).*Found `losses` of torch.float32 of shape \(\)'),
        (torch.ones(2), r'shape \(3,\).*Found .* of shape \(2,\)'),
        (torch.ones(3, 1), r'Found .* of shape \(3, 1\)'),
        (torch.ones(3, dtype=torch.int64), r'floating-point tensor.*Found `losses` of torch.int64'),
        ([1.0, 2.0, 3.0], r"floating-point tensor.*Found `losses` of <class 'list'>"),
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
        ({'num_tasks': 3.0}, '`num_tasks` should be at least 1, a whole number. Found .*3.0'),
        ({'num_groups': '2'}, "`num_groups` should be .*, a whole number. Found .*'2'"),
        ({'num_groups': True}, '`num_groups` should be .*, a whole number'),
        ({'step_size': '1e-4'}, "`step_size` should be finite and at least 0. Found .*'1e-4'"),
        ({'step_size': -1.0}, '`step_size` should be finite and at least 0. Found'),
        ({'step_size': math.nan}, '`step_size` should be finite and at least 0. Found'),
        ({'scale_balance': 'false'}, "`scale_balance` should be True or False. Found .*'false'"),
        ({'smooth_alignment': []}, '`smooth_alignment` should be True or False'),
        ({'risk_scale': 'max'}, "`risk_scale` should be one of .*'max'"),
        ({'grouping': {}}, '`grouping` should be one of'),
        ({'grouping': 'kmeans'}, "`grouping` should be one of .*'exact'.*Found .*'kmeans'`"),
        ({'task_names': 'abc'}, '`task_names` should have 3 names'),
        ({'task_names': ['a', 'b']}, '`task_names` should have 3 names'),
    ],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GO4Align(**{'num_tasks': 3, 'num_groups': 2, **options})


def test_state_round_trip_and_reset():
    weighting, loaded = GO4Align(3, step_size=0.1), GO4Align(3, step_size=0.1)
    weighting(torch.tensor([1.0, 2.0, 3.0]))
    loaded.load_state_dict(weighting.state_dict())
    assert_like_new_step(loaded, weighting)
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


@pytest.mark.parametrize('risk', [torch.nan, torch.inf, -1.0])
def test_a_damaged_state_is_refused(risk):
    weighting = GO4Align(3)
    state = weighting.state_dict()
    damaged = {**state, 'indicator.accumulated_risk': torch.tensor([0.0, risk, 0.0]).double()}
    with pytest.raises(RuntimeError, match=r'`indicator.accumulated_risk` should be finite'):
        weighting.load_state_dict(damaged)
