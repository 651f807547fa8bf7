"""The wrappers, step by step: weights by hand, options, mistakes, and the state in checkpoints."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPERS, DefaultScope

from go4align_plugins.mmengine import GO4AlignAmpOptimWrapper, GO4AlignOptimWrapper

from .toys import Scales, logged, make_amp_wrapper, make_wrapper, moved


def test_first_step_by_hand(model):
    # p = 4 / L = (4, 4/3); beta L = (0.1, 0.3): q = exp(-beta L) / sum; K = M: weights = p q.
    q = [math.exp(-0.1), math.exp(-0.3)]
    weights = [4 * q[0] / sum(q), 4 / 3 * q[1] / sum(q)]
    wrapper = make_wrapper(model, step_size=0.1)
    model.step(wrapper, {'a': 1, 'b': 3})
    assert wrapper.task_names == ('a', 'b')
    assert moved(model) == pytest.approx([weights[0], 3 * weights[1]], rel=1e-6)
    assert logged(wrapper, 'weight') == pytest.approx(weights, rel=1e-6)
    assert logged(wrapper, 'group') == [1, 0]


def test_found_by_its_bare_name_under_another_scope(model):
    config = {
        'type': 'GO4AlignOptimWrapper',
        'optimizer': {'type': 'SGD', 'lr': 0.1},
        'num_groups': 1,
        'tasks': {'b': ['b.*'], 'a': 'a.*'},
        'paramwise_cfg': {'custom_keys': {'trunk': {'lr_mult': 0.1}}},
    }
    with DefaultScope.overwrite_default_scope('mmseg'):
        wrapper = build_optim_wrapper(model, config)
    assert type(wrapper) is GO4AlignOptimWrapper
    assert wrapper.task_names == ('b', 'a')
    assert wrapper.num_groups == 1
    assert OPTIM_WRAPPERS.get('GO4AlignAmpOptimWrapper') is GO4AlignAmpOptimWrapper


def test_options_reach_the_method(model):
    wrapper = make_wrapper(
        model,
        tasks={'a': 'a', 'b': 'b', 'c': 'c'},
        risk_scale='mean',
        smooth_alignment=False,
        grouping=lambda indicator, num_groups: torch.zeros_like(indicator, dtype=torch.int64),
    )
    # Eq. 5 alone is mean(L) / L = (10 / 3) / L; and all are in one group.
    weights = wrapper.weighting(torch.tensor([1.0, 3.0, 6.0], dtype=torch.float64))
    assert weights.tolist() == pytest.approx([(10 / 3) * (1 + 1 / 3 + 1 / 6) / 3] * 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_groups': 0}, '`num_groups` should be'),
        ({'num_groups': []}, '`num_groups` should be at least 1, a whole number'),
        ({'num_groups': 3, 'tasks': {'a': 'a*', 'b': 'b*'}}, '`num_groups` should be between'),
        ({'step_size': '1e-4'}, '`step_size` should be finite'),
        ({'risk_scale': 'max'}, '`risk_scale` should be'),
        ({'grouping': []}, '`grouping` should be one of'),
        ({'dtype': 'float16'}, r"`dtype` should be used with .type='GO4AlignAmpOptimWrapper"),
        ({'num_group': 2}, 'num_group'),
    ],
)
def test_wrong_option_is_refused_at_once(model, options, message):
    with pytest.raises(TypeError if 'num_group' in options else ValueError, match=message):
        make_wrapper(model, **options)


def test_losses_of_one_task_are_added(model):
    tasks = {'both_loss': ['a.*', 'b.*'], 'other': ['c.*']}
    wrapper = make_wrapper(model, tasks=tasks, step_size=0)
    model.step(wrapper, {'a': 1, 'b': 3})
    # One task of two is present: p = q = 1.
    assert moved(model) == pytest.approx([1, 3])
    assert logged(wrapper, 'weight', tasks) == [1, 0]
    assert logged(wrapper, 'group', tasks)[1] == -1


def test_wrong_losses_are_named(model):
    wrapper = make_wrapper(model, num_groups=10**14)  # which take no memory
    model.step(wrapper, {'a': 1})
    assert moved(model) == [1, 0]  # a single task trains as ever
    assert wrapper.num_groups == 1
    with pytest.raises(ValueError, match=r"should name all tasks.*`b\.loss`.*`\('a',\)`"):
        model.step(wrapper, {'a': 1, 'b': 1})
    with pytest.raises(ValueError, match='of task `b`'):
        model.step(make_wrapper(model), {'a': 1, 'b': -1})


def test_several_optimizers_are_refused(model):
    wrapper = GO4AlignOptimWrapper(torch.optim.SGD(model.scale.parameters(), lr=1))
    several = OptimWrapperDict(generator=wrapper)
    several.initialize_count_status(model, 0, 10)
    with pytest.raises(ValueError, match='Several optimizers'):
        model.step(several['generator'], {'a': 1})


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
def test_plain_mixed_precision_loads_ours_and_ours_a_plain_one(model):
    wrapper = make_amp_wrapper(model, lr=0.25)
    model.step(wrapper, LOSSES)
    plain = AmpOptimWrapper(optimizer=torch.optim.SGD(model.scale.parameters(), lr=1, momentum=0.9))
    plain.load_state_dict(wrapper.state_dict())
    again, state = make_amp_wrapper(model), wrapper.state_dict()
    del state['weighting']
    again.load_state_dict(state)
    assert plain.get_lr() == again.get_lr() == {'lr': [0.25]}
    assert again.weighting is None
