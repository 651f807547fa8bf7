"""Accumulation and mixed precision: what is scaled, and what is skipped."""

from __future__ import annotations

import math

import pytest
import torch

from go4align_plugins.mmengine import GO4AlignAmpOptimWrapper

from .toys import (
    Scales,
    ToyData,
    ToyModel,
    accumulated,
    logged,
    make_amp_wrapper,
    make_scaler,
    make_wrapper,
    moved,
)


def test_half_precision_losses_are_weighed_in_single(model):
    wrapper = make_wrapper(model, step_size=0)
    # sum / L overflows in float16, whose largest number is 65504.
    terms = {
        'a.loss': (model.scale['a'] * 1000).half(),
        'b.loss': (model.scale['b'] * 0.001).half(),
    }
    wrapper.update_params(model.parse_losses(terms)[0])
    assert logged(wrapper, 'weight', 'b') == pytest.approx([0.5 * 1000 / 0.001], rel=1e-3)


def test_equal_micro_batches_move_the_state_as_one_step_and_fewer_at_the_end():
    # 5 iterations in steps of 3: the last step has 2 micro-batches, and each counts for a half.
    for count, expected in ((1, (1, 2, 3, 4, 5)), (3, (1 / 3, 2 / 3, 1, 3 / 2, 2))):
        model = Scales()
        wrapper = make_wrapper(model, step_size=0.1, accumulative_counts=count, max_counts=5)
        for steps in expected:
            model.step(wrapper, {'a': 1, 'b': 3})
            found = accumulated(wrapper).tolist()
            assert found == pytest.approx([0.1 * steps, 0.3 * steps], rel=1e-15)


def test_accumulated_gradient_is_the_mean_of_the_micro_batches_and_clipped_as_inherited(model):
    clip = {'max_norm': 1.25 * 2**0.5}
    wrapper = make_wrapper(model, step_size=0, accumulative_counts=2, clip_grad=clip)
    model.step(wrapper, {'a': 1, 'b': 3})
    assert moved(model) == [0, 0]
    model.step(wrapper, {'a': 5, 'b': 1})
    # Weights x losses: half of the sum for each task, 2 and then 3. Clipping halves their mean.
    assert moved(model) == pytest.approx([1.25, 1.25])
    norm = wrapper.message_hub.get_scalar('train/grad_norm').current()
    assert norm == pytest.approx(math.hypot(2.5, 2.5))


@pytest.mark.usefixtures('on_accelerator')
def test_mixed_precision_scales_once():
    results = []
    for make in (make_wrapper, make_amp_wrapper):
        model = Scales()
        wrapper = make(model, step_size=0.1, clip_grad={'max_norm': 3.0}, accumulative_counts=2)
        for losses in ({'a': 1, 'b': 3}, {'a': 2, 'b': 1}):
            model.step(wrapper, losses)
        results.append((moved(model), accumulated(wrapper).tolist()))
    # The scale is a power of two: nothing is rounded.
    assert results[0] == results[1]


def step(model, wrapper, b=3.0, gradient=1.0):
    """A step, of as many micro-batches as it takes, with gradients of a multiple."""
    hooks = [value.register_hook(lambda g: g * gradient) for value in model.scale.values()]
    for _ in range(wrapper._accumulative_counts):
        model.step(wrapper, {'a': 1, 'b': b})
    for hook in hooks:
        hook.remove()


def seen(model, wrapper):
    return moved(model), accumulated(wrapper).tolist(), wrapper.weighting.groups.tolist()


@pytest.mark.usefixtures('on_accelerator')
# A fused optimizer skips a step by itself, by a number on the device.
@pytest.mark.parametrize('fused', [False, True])
@pytest.mark.parametrize('count', [1, 2])
@pytest.mark.parametrize('loss_scale', ['dynamic', 'static'])
def test_skipped_steps_leave_no_trace(model, fused, count, loss_scale):
    wrapper = make_amp_wrapper(model, step_size=0.1, accumulative_counts=count)
    wrapper.optimizer = torch.optim.SGD(model.scale.parameters(), lr=1.0, fused=fused)
    if loss_scale == 'static':
        wrapper._scale_update_param = 2.0**10
    step(model, wrapper, gradient=math.inf)  # at the very first step there is no state yet
    assert accumulated(wrapper).tolist() == [0, 0]
    step(model, wrapper)
    before = seen(model, wrapper)
    assert before[1] == pytest.approx([0.1, 0.3])
    for bad in (math.inf, math.nan):
        step(model, wrapper, gradient=math.inf)
        step(model, wrapper, b=bad)
        assert seen(model, wrapper) == before
    assert wrapper.loss_scaler.get_scale() == 2.0 ** (10 if loss_scale == 'static' else 5)
    step(model, wrapper)
    assert accumulated(wrapper).tolist() == pytest.approx([0.2, 0.6])


@pytest.mark.usefixtures('on_accelerator')
def test_bfloat16_autocast_on_the_cpu():
    model, data = ToyModel(), ToyData()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    wrapper = GO4AlignAmpOptimWrapper(optimizer=optimizer, dtype='bfloat16')
    wrapper.loss_scaler = make_scaler()
    wrapper.initialize_count_status(model, 0, 10)
    before = [parameter.clone() for parameter in model.parameters()]
    log_vars = model.train_step((data.inputs, data.targets), wrapper)
    assert log_vars['far.loss_l1'].isfinite()
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters()))
