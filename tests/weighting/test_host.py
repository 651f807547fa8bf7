"""A step on plain numbers and on arrays: that of tensors, but for the last bits."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from go4align_plugins import GO4Align
from go4align_plugins.weighting import arrays
from go4align_plugins.weighting.host import HOST_LIMIT, weigh
from go4align_plugins.weighting.indicators import RiskGuidedIndicator, is_regular


def assert_same_steps(steps: list[list[float]], **options: object) -> None:
    """Take the steps on plain numbers and on tensors."""
    numbers, tensors = (GO4Align(len(steps[0]), **options) for _ in range(2))
    for losses in steps:
        losses = torch.tensor(losses, dtype=torch.float64)
        weights, expected = numbers(losses), tensors._step(losses)
        # log(L) and the summed risks are of magnitude 10^2: the last bits there are 10^-14 here.
        torch.testing.assert_close(weights, expected, rtol=1e-12, atol=1e-300)
        # Indicators that are equal but for the last bits may be parted by one of the two alone.
        apart = (expected - expected[:, None]).abs() > 1e-10 * expected
        assert torch.equal(*(apart * order_of(one.groups) for one in (numbers, tensors)))
        assert torch.equal(numbers.groups < 0, tensors.groups < 0)
        torch.testing.assert_close(
            numbers.indicator.accumulated_risk,
            tensors.indicator.accumulated_risk,
            rtol=1e-14,
            atol=0,
        )


def order_of(groups: torch.Tensor) -> torch.Tensor:
    """By pair of tasks, which one's group is the higher one: 1, -1, or 0 for the same group."""
    return (groups - groups[:, None]).sign()


def test_weights_by_hand():
    # Task 3 is absent; {1, 2} and {10}: the means 1.5 and 10.
    assert weigh([2.0, 10.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], 2) == (
        [1.5, 10.0, 1.5, 0.0],
        [0, 1, 0, -1],
    )


def test_weights_of_tens_of_tasks_by_hand():
    pytest.importorskip('numpy', reason='numpy is not installed')
    groups = torch.full((4,), 9)
    weights = arrays.weigh([2.0, 10.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], 2, groups, torch.float32)
    assert weights.tolist() == [1.5, 10.0, 1.5, 0.0]
    assert groups.tolist() == [0, 1, 0, -1]


@settings(max_examples=100, deadline=None)
@given(
    losses=st.lists(
        st.one_of(st.just(0.0), st.floats(-30, 30).map(lambda x: 10.0**x), st.floats(0.1, 4)),
        min_size=1,
        max_size=30,
        unique=True,
    ),
    data=st.data(),
)
def test_equals_the_step_on_tensors(losses, data):
    assert_same_steps(
        [losses, losses[::-1], losses],
        num_groups=data.draw(st.integers(1, len(losses))),
        step_size=data.draw(st.sampled_from([0.0, 1e-4, 0.1])),
        risk_scale=data.draw(st.sampled_from(['sum', 'mean'])),
        scale_balance=data.draw(st.booleans()),
        smooth_alignment=data.draw(st.booleans()),
    )


@pytest.mark.parametrize('num_tasks', [40, HOST_LIMIT])
def test_equals_the_step_on_tensors_with_tens_of_tasks(num_tasks):
    generator = torch.Generator().manual_seed(num_tasks)
    losses = torch.rand(3, num_tasks, generator=generator, dtype=torch.float64) + 0.01
    losses[1, ::7] = 0
    assert_same_steps(losses.tolist(), num_groups=5, step_size=0.01)


@pytest.mark.parametrize('losses', [[1e-160, 1e-160], [1e160, 1e155], [1e-10, 1e160], [3.0, 1.0]])
@pytest.mark.parametrize('step_size', [0.0, 1e-4, 1e3])
def test_indicator_is_the_equation_wherever_float64_ends(losses, step_size):
    expected = RiskGuidedIndicator(2, step_size)(torch.tensor(losses, dtype=torch.float64))
    for way in ('on_numbers', 'on_arrays') if arrays.arrays else ('on_numbers',):
        found = getattr(RiskGuidedIndicator(2, step_size), way)(losses, is_regular(losses))
        found = torch.as_tensor(found, dtype=torch.float64)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize('num_tasks', [16, 40])
def test_order_of_tasks_changes_no_bit(num_tasks):
    if num_tasks > HOST_LIMIT:
        pytest.skip('numpy is not installed: so many tasks are weighed by tensors')
    losses = torch.rand(num_tasks, generator=torch.Generator().manual_seed(0)).double() + 0.01
    order = torch.randperm(num_tasks, generator=torch.Generator().manual_seed(1))
    weights, permuted = (GO4Align(num_tasks, 5)(each) for each in (losses, losses[order]))
    assert torch.equal(weights[order], permuted)


def test_mean_of_the_largest_numbers_does_not_overflow():
    largest = torch.finfo(torch.float64).max
    weights, groups = weigh([largest, largest, 0.99 * largest, 1.0], [1.0] * 4, 2)
    assert groups == [1, 1, 1, 0]
    assert 0.99 * largest < weights[0] < math.inf


def test_hooks_and_subclasses_of_the_indicator_are_called():
    class Doubled(RiskGuidedIndicator):
        def forward(self, losses, **options):
            return 2 * super().forward(losses, **options)

    losses = torch.tensor([1.0, 2.0, 5.0])
    expected = GO4Align(3)(losses)
    weighting = GO4Align(3)
    weighting.indicator = Doubled(3)
    torch.testing.assert_close(weighting(losses), 2 * expected)
    weighting, seen = GO4Align(3), []
    weighting.indicator.register_forward_hook(lambda *given: seen.append(given))
    torch.testing.assert_close(weighting(losses), expected)
    assert len(seen) == 1


def test_weights_are_tensors_like_any_other():
    losses = torch.tensor([1.0, 2.0, 5.0])
    weights = GO4Align(3)(losses)
    weights *= 2
    for twin in (copy.deepcopy(weights), pickle.loads(pickle.dumps(weights))):
        assert torch.equal(twin, weights)
    assert torch.equal(weights.clone().share_memory_(), weights.share_memory_())
    with torch.inference_mode():
        torch.testing.assert_close(GO4Align(3)(losses), GO4Align(3)(losses))


@pytest.mark.integration
def test_compiled_training_step_takes_the_same_steps():
    def step(losses):
        return (weighting(losses) * losses).sum()

    weighting = GO4Align(3, step_size=0.1)
    steps = (torch.rand(4, 3, generator=torch.Generator().manual_seed(0)) + 0.1).unbind()
    expected = [step(losses) for losses in steps]
    risk = weighting.indicator.accumulated_risk.clone()
    weighting.reset()
    torch.testing.assert_close([torch.compile(step, backend='eager')(x) for x in steps], expected)
    torch.testing.assert_close(weighting.indicator.accumulated_risk, risk)
