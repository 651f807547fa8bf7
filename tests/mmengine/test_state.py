"""The state in checkpoints: of ours, of plain wrappers, and of other tasks."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from toys import Scales, make_amp_wrapper, make_wrapper

LOSSES = {'a': 1, 'b': 3}


@pytest.fixture
def wrapper(model):
    """A wrapper after one step."""
    wrapper = make_wrapper(model, step_size=0.1)
    model.step(wrapper, LOSSES)
    return wrapper


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda saved: [], 'should name the tasks in its `weighting`. Found'),
        (lambda saved: {**saved, 'task_names': [2]}, 'should name the tasks in its `weighting`'),
        (lambda saved: {**saved, 'state_dict': {}}, 'Found: Error.* loading state_dict'),
        (lambda saved: {'task_names': ['a', 'b']}, "Found: 'state_dict'"),
        (lambda saved: {**saved, 'name': 'UW'}, '`weighting` should be .* of the checkpoint, `UW`'),
    ],
)
def test_damaged_state_is_named(wrapper, change, message):
    state = wrapper.state_dict()
    saved = change(state['weighting'])
    with pytest.raises(ValueError, match=f'(?s){message}'):
        make_wrapper(Scales()).load_state_dict({**state, 'weighting': saved})


def test_other_tasks_than_in_the_checkpoint_are_named(model, wrapper):
    message = r"checkpoint.*`\('a', 'b'\)`. Found `tasks = \('b', 'a'\)`"
    with pytest.raises(ValueError, match=message):
        make_wrapper(model, tasks={'b': 'b*', 'a': 'a*'}).load_state_dict(wrapper.state_dict())
    resumed = make_wrapper(model)
    resumed.load_state_dict(wrapper.state_dict())
    with pytest.raises(ValueError, match=r'tasks of its checkpoint.*load_from.*`c.loss`.*`\(.a'):
        resumed.update_params(model.parse_losses({'c.loss': model.scale['a'] * 1})[0])


@pytest.mark.usefixtures('on_accelerator')
@pytest.mark.parametrize('kind', [OptimWrapper, AmpOptimWrapper])
def test_plain_wrapper_loads_ours_and_ours_a_plain_one(model, kind):
    make = make_amp_wrapper if kind is AmpOptimWrapper else make_wrapper
    wrapper = make(model, lr=0.25)
    model.step(wrapper, LOSSES)
    plain = kind(optimizer=torch.optim.SGD(model.scale.parameters(), lr=1, momentum=0.9))
    plain.load_state_dict(wrapper.state_dict())
    again, state = make(model), wrapper.state_dict()
    del state['weighting']
    again.load_state_dict(state)
    assert plain.get_lr() == again.get_lr() == {'lr': [0.25]}
    assert again.weighting is None
