"""The state in checkpoints: of ours, of plain wrappers, and of other tasks."""

from __future__ import annotations

import logging

import pytest
import torch

pytest.importorskip('mmengine', reason='MMEngine is not installed')

from mmengine.logging import MMLogger
from mmengine.optim import (
    AmpOptimWrapper,
    OptimWrapper,
)
from wrappers import Scales, accumulated, logged, make_amp_wrapper, make_wrapper, moved

from go4align_plugins import GO4Align


def test_state_continues_bit_for_bit():
    rounds = [{'a': 1.1, 'b': 3.3}, {'a': 0.7, 'b': 2.9}, {'a': 2.3, 'b': 0.4}]
    model = Scales()
    wrapper = make_wrapper(model, step_size=0.1)
    for losses in rounds:
        model.step(wrapper, losses)
    resumed, other = Scales(), Scales()
    first = make_wrapper(resumed, step_size=0.1)
    for losses in rounds[:2]:
        resumed.step(first, losses)
    second = make_wrapper(other, step_size=0.1)
    other.load_state_dict(resumed.state_dict())
    second.load_state_dict(first.state_dict())
    assert second.task_names == ('a', 'b')
    other.step(second, rounds[2])
    assert moved(other) == moved(model)
    assert torch.equal(accumulated(second), accumulated(wrapper))


def test_loading_leaves_the_callers_checkpoint_alone(model):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1, 'b': 3})
    state = wrapper.state_dict()
    keys = set(state)
    wrapper.load_state_dict(state)
    assert set(state) == keys


def test_state_of_other_tasks_is_refused(model):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1, 'b': 3})
    other = make_wrapper(model, tasks={'b': 'b.*', 'a': 'a.*'})
    with pytest.raises(ValueError, match=r"checkpoint.*`\('a', 'b'\)`. Found `\('b', 'a'\)`"):
        other.load_state_dict(wrapper.state_dict())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda saved: [], 'should name the tasks in its `weighting`. Found'),
        (lambda saved: {'name': 'GO4Align'}, 'should name the tasks in its `weighting`. Found'),
        (lambda saved: {**saved, 'task_names': 2}, 'should name the tasks in its `weighting`'),
        (lambda saved: {**saved, 'task_names': [2]}, 'should name the tasks in its `weighting`'),
        (lambda saved: {**saved, 'state_dict': 2}, 'should hold the state of `GO4Align`'),
        (lambda saved: {**saved, 'state_dict': {}}, 'Found: Error.* loading state_dict'),
        (lambda saved: {'task_names': ['a', 'b']}, "Found: 'state_dict'"),
        (lambda saved: {**saved, 'name': 'UW'}, 'resumed by the weighting of its checkpoint, `UW`'),
    ],
)
def test_what_is_no_state_is_named(model, change, message):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1, 'b': 3})
    state = wrapper.state_dict()
    saved = change(state['weighting'])
    other = make_wrapper(Scales())
    with pytest.raises(ValueError, match=f'(?s){message}'):
        other.load_state_dict({**state, 'weighting': saved})


def test_state_of_a_plain_wrapper_loads_with_a_warning(model, caplog):
    logger = MMLogger.get_instance('go4align_tests')
    logger.addHandler(caplog.handler)
    plain = OptimWrapper(torch.optim.SGD(model.scale.parameters(), lr=0.25))
    wrapper = make_wrapper(model)
    with caplog.at_level(logging.WARNING):
        wrapper.load_state_dict(plain.state_dict())
    logger.removeHandler(caplog.handler)
    assert 'no state of the weighting' in caplog.text
    assert wrapper.get_lr() == {'lr': [0.25]}


@pytest.mark.usefixtures('on_accelerator')
@pytest.mark.parametrize('kind', [OptimWrapper, AmpOptimWrapper])
def test_plain_wrapper_loads_ours(model, kind):
    make = make_amp_wrapper if kind is AmpOptimWrapper else make_wrapper
    wrapper = make(model, lr=0.25)
    model.step(wrapper, {'a': 1, 'b': 3})
    plain = kind(optimizer=torch.optim.SGD(model.scale.parameters(), lr=1, momentum=0.9))
    plain.load_state_dict(wrapper.state_dict())
    assert plain.get_lr() == {'lr': [0.25]}


def test_state_is_tensors_and_plain_values(model, tmp_path):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1, 'b': 3})
    torch.save(wrapper.state_dict(), tmp_path / 'state.pth')
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    assert state['weighting']['task_names'] == ['a', 'b']
    assert GO4Align(2).load_state_dict(state['weighting']['state_dict'])


def test_a_loss_more_than_in_the_checkpoint_is_named(model):
    wrapper = make_wrapper(model)
    model.step(wrapper, {'a': 1})
    resumed = make_wrapper(model)
    resumed.load_state_dict(wrapper.state_dict())
    with pytest.raises(
        ValueError, match=r"resumed with the tasks.*`b.loss`.*`\('a',\)`.*load_from"
    ):
        model.step(resumed, {'a': 1, 'b': 3})


def test_evaluation_moves_nothing(model):
    wrapper = make_wrapper(model, step_size=0.1)
    model.step(wrapper, {'a': 1, 'b': 3})
    state = accumulated(wrapper).clone()
    wrapper.weighting.eval()
    model.step(wrapper, {'a': 2, 'b': 1})
    assert torch.equal(accumulated(wrapper), state)


def test_absent_tasks_are_as_if_they_did_not_exist(model):
    wrapper = make_wrapper(model, tasks={name: f'{name}.*' for name in 'abcdefgh'})
    model.step(wrapper, {'a': 0.5, 'b': 0.5})
    assert [logged(wrapper, f'weight/{name}') for name in 'abc'] == [1, 1, 0]
