"""The rules that users rely on: dtypes, bad and absent losses, state, accumulation."""

import math

import pytest
import torch

from go4align_plugins import GO4Align

from .test_modes import GROUPINGS, after_a_step, assert_alike, make


@pytest.mark.parametrize('num_tasks', [3, 70])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_of_losses_decides_the_weights_and_their_limit_alone(dtype, num_tasks):
    weighting, losses = GO4Align(num_tasks), torch.arange(1.0, num_tasks + 1)
    weights = weighting(losses.to(dtype))
    assert weights.dtype == dtype
    torch.testing.assert_close(weights.float(), GO4Align(num_tasks)(losses), rtol=0.01, atol=0)
    assert weighting.indicator.accumulated_risk.dtype == torch.float64
    losses = torch.full((num_tasks,), torch.finfo(dtype).max / num_tasks, dtype=dtype)
    losses[0] = torch.finfo(dtype).smallest_normal
    weights = GO4Align(num_tasks)(losses)
    # The indicator itself saturates at 1e150.
    assert weights[0] == min(torch.finfo(dtype).max, 1e150)
    assert weights.isfinite().all()


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_non_finite_loss_leaves_no_trace(bad):
    weighting, losses = after_a_step(), torch.tensor([1.0, bad, 3.0])
    weights = weighting(losses)
    assert weights.tolist() == [1, 1, 1]
    assert str((weights * losses).sum()) == str(losses.sum())
    assert_alike(weighting, after_a_step())


@pytest.mark.parametrize(
    ('losses', 'message'),
    [
        (torch.tensor(1.0), r'shape \(3,\).*Found `losses` of torch.float32 of shape \(\)'),
        (torch.ones(2), r'shape \(3,\).*Found .* of shape \(2,\)'),
        (torch.ones(3, 1), r'Found .* of shape \(3, 1\)'),
        (torch.ones(3, dtype=torch.int64), r'floating-point tensor.*Found `losses` of torch.int64'),
        ([1.0, 2.0, 3.0], r"floating-point tensor.*Found `losses` of <class 'list'>"),
        (
            torch.tensor([1.0, -0.5, 2.0]),
            r'non-negative.*-0\.5.*task `depth`.*clamp\(min=0\).*offset',
        ),
    ],
)
def test_other_losses_are_refused_and_leave_no_trace(losses, message):
    weighting = GO4Align(3, task_names=['segmentation', 'depth', 'normal'])
    with pytest.raises(ValueError, match=message):
        weighting(losses)
    assert_alike(weighting, GO4Align(3))


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


@pytest.mark.parametrize('grouping', GROUPINGS)
@pytest.mark.parametrize('num_present', [8, 4, 1, 0])
def test_equal_losses_weigh_one(grouping, num_present):
    losses = torch.tensor([0.7] * num_present + [0.0] * (8 - num_present))
    weighting = make(8, 2, grouping=grouping)
    assert weighting(losses).tolist() == [1.0] * num_present + [0.0] * (8 - num_present)
    assert weighting.groups.tolist() == [0] * num_present + [-1] * (8 - num_present)


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
def test_others_are_weighted_as_if_absent_tasks_did_not_exist(num_tasks, options):
    present = torch.arange(num_tasks) % 3 > 0
    options = {'num_groups': 2, 'step_size': 0.01, **options}
    some, alone = (make(count, **options) for count in (num_tasks, int(present.sum())))
    assert not some(torch.zeros(num_tasks)).any()
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


@pytest.mark.parametrize('cast', ['half', 'bfloat16', 'double'])
def test_state_is_loaded_and_reset_and_never_rounded_by_a_cast(cast):
    weighting = GO4Align(3, step_size=0.1)
    weighting.load_state_dict(after_a_step().state_dict())
    getattr(torch.nn.Sequential(torch.nn.Linear(2, 2), weighting), cast)()
    assert_alike(weighting, after_a_step())
    weighting.reset()
    assert_alike(weighting, GO4Align(3, step_size=0.1))


@pytest.mark.parametrize('risk', [torch.nan, torch.inf, -1.0])
def test_a_damaged_state_is_refused(risk):
    weighting = GO4Align(3)
    damaged = {'indicator.accumulated_risk': torch.tensor([0.0, risk, 0.0]).double()}
    with pytest.raises(RuntimeError, match=r'`indicator.accumulated_risk` should be finite'):
        weighting.load_state_dict({**weighting.state_dict(), **damaged})


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


def test_no_random_state_is_read_or_written():
    losses = torch.rand(11, generator=torch.Generator().manual_seed(3)) + 0.1
    weighted = []
    for seed in (1, 2):
        state = torch.manual_seed(seed).get_state()
        weighting = GO4Align(11, 5)
        weighted.append(torch.stack([weighting(losses) for _ in range(5)]))
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(*weighted)


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
