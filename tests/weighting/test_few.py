"""A step on plain numbers and on arrays: the step on tensors, but for the last bits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from go4align_plugins import GO4Align
from go4align_plugins.weighting import agrm
from go4align_plugins.weighting.few import FEW
from go4align_plugins.weighting.indicators import RiskGuidedIndicator


def assert_same_steps(steps: list[list[float]], **options: object) -> None:
    """Take the steps on plain numbers or arrays, and on tensors."""
    fast, tensors = (GO4Align(len(steps[0]), **options) for _ in range(2))
    for losses in steps:
        losses = torch.tensor(losses, dtype=torch.float64)
        weights = fast(losses)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(agrm, 'as_numbers', lambda *_: None)
            patch.setattr(agrm, 'as_array', lambda tensor: tensor)
            expected = tensors(losses)
        torch.testing.assert_close(weights, expected, rtol=1e-12, atol=1e-300)
        # Indicators that are equal but for the last bits may be parted by one of the two alone.
        apart = (expected - expected[:, None]).abs() > 1e-10 * expected
        both = [one.groups for one in (fast, tensors)]
        assert torch.equal(*(apart * (groups - groups[:, None]).sign() for groups in both))
        assert torch.equal(fast.groups < 0, tensors.groups < 0)
        torch.testing.assert_close(
            fast.indicator.accumulated_risk, tensors.indicator.accumulated_risk, rtol=1e-14, atol=0
        )


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


@pytest.mark.parametrize('num_tasks', [40, FEW + 1, 300])
def test_equals_the_step_on_tensors_with_tens_of_tasks(num_tasks):
    generator = torch.Generator().manual_seed(num_tasks)
    losses = torch.rand(3, num_tasks, generator=generator, dtype=torch.float64) + 0.01
    losses[1, ::7] = 0
    assert_same_steps(losses.tolist(), num_groups=5, step_size=0.01)


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
