"""GO4Align and SI inside LibMTL's Trainer; the rest of LibMTL's strategies on today's torch."""

from __future__ import annotations

import copy
import inspect
import re

import numpy as np
import pytest
import torch

from go4align_plugins import GO4Align
from go4align_plugins.libmtl.registration import DESCRIPTIONS

from .conftest import TASKS, LibMTL, build_trainer, options, train

LOSSES = torch.tensor([0.5, 0.0, 4.0])


@pytest.mark.parametrize('weighting', ['GO4Align', LibMTL.weighting.GO4Align])
def test_weights_are_those_of_the_method(weighting):
    trainer = build_trainer(weighting, weight_args={'GO4Align_step_size': 0.1})
    reference = GO4Align(3, 2, step_size=0.1)
    expected = []
    backward = trainer.model.backward
    trainer.model.backward = lambda losses, **args: (
        expected.append(reference(losses.detach()).numpy()) or backward(losses, **args)
    )
    np.testing.assert_array_equal(train(trainer).reshape(3, -1), np.stack(expected, 1))
    assert torch.equal(trainer.model.agrm.groups, reference.groups)


def test_gradient_is_that_of_the_weighted_sum():
    # SI: d/dL of log L, but for the absent task.
    for name, expected in (('SI', [2, 0, 0.25]), ('GO4Align', GO4Align(3)(LOSSES).tolist())):
        losses = LOSSES.clone().requires_grad_()
        assert build_trainer(name).model.backward(losses).tolist() == pytest.approx(expected)
        assert losses.grad.tolist() == pytest.approx(expected)


def test_options_arrive_from_the_command_line(capsys):
    weight_args = options('GO4Align', '--GO4Align_num_groups', '3')
    expected = {'num_groups': 3, 'step_size': 1e-4, 'grouping': 'exact', 'risk_scale': 'sum'}
    assert weight_args == {f'GO4Align_{name}': value for name, value in expected.items()}
    assert 'GO4Align_num_groups: 3' in capsys.readouterr().out
    assert build_trainer('GO4Align', weight_args=weight_args).model.agrm.num_groups == 3
    switches = ('--GO4Align_scale_balance', 'false', '--GO4Align_smooth_alignment', 'True')
    weight_args = options('GO4Align', *switches)
    indicator = build_trainer('GO4Align', weight_args=weight_args).model.agrm.indicator
    assert (indicator.scale_balance, indicator.smooth_alignment) == (False, True)
    with pytest.raises(SystemExit):
        options('GO4Align', '--GO4Align_scale_balance', 'no')
    assert 'should be true or false. Found `no`.' in capsys.readouterr().err


def test_every_parameter_of_the_method_is_an_option():
    parameters = set(inspect.signature(GO4Align).parameters) - {'num_tasks', 'task_names'}
    text = LibMTL.config.LibMTL_args.format_help()
    assert set(re.findall(r'--GO4Align_(\w+)', text)) == parameters == set(DESCRIPTIONS)


@pytest.mark.parametrize(
    ('weighting', 'weight_args', 'message'),
    [
        ('GO4Align', {'GO4Align_step_size': -1.0}, '`step_size` should be finite and at least 0'),
        ('GO4Align', {'GO4Align_groups': 2}, 'hold GO4Align_num_groups.*Found .*GO4Align_groups'),
        (
            'GO4Align',
            {'num_groups': 2},
            'should hold GO4Align_num_groups.*Found .*num_groups',
        ),
        ('SI', {'num_groups': 2}, '`weight_args` should hold nothing'),
        ('AGRM_MGDA', {'AGRM_num_groups': 0}, '`num_groups` should be between 1 and 3'),
        ('AGRM_MGDA', {'AGRM_grouping': 'fuzzy'}, '`grouping` should be one of'),
        (
            'AGRM_MGDA',
            {'AGRM_groups': 2},
            'AGRM_num_groups, AGRM_grouping, mgda_gn. Found .*AGRM_',
        ),
        ('AGRM_CAGrad', {'calpah': 2}, 'calpha, rescale. Found .*calpah'),
        ('AGRM_EW', {'GO4Align_num_groups': 2}, 'AGRM_grouping. Found .*GO4Align_num_groups'),
        ('AGRM_SI', {'num_groups': 2}, 'AGRM_num_groups, AGRM_grouping. Found .*num_groups'),
    ],
)
def test_bad_options_are_refused_before_the_first_step(weighting, weight_args, message):
    with pytest.raises(ValueError, match=message):
        build_trainer(weighting, weight_args=weight_args)


@pytest.mark.parametrize('name', ['GO4Align', 'SI', 'AGRM_EW', 'AGRM_UW', 'AGRM_DWA', 'AGRM_SI'])
def test_representation_gradients_are_refused_for_weighted_losses(name):
    with pytest.raises(ValueError, match=f'`rep_grad` should be False with {name}'):
        build_trainer(name, rep_grad=True)


def test_negative_loss_is_named_by_its_task():
    trainer = build_trainer('GO4Align')
    with pytest.raises(ValueError, match=f'task `{TASKS[1]}`'):
        trainer.model.backward(torch.tensor([1.0, -1.0, 1.0], requires_grad=True))


@pytest.mark.parametrize(
    ('weighting', 'option'), [('GO4Align', 'GO4Align_step_size'), ('AGRM_EW', 'AGRM_num_groups')]
)
def test_evaluation_moves_nothing(weighting, option):
    trainer = build_trainer(weighting)
    train(trainer, epochs=1)
    trainer.model.eval()
    state = copy.deepcopy(trainer.model.state_dict())
    for arguments in ({}, {option: 1}):
        trainer.model.backward(LOSSES.clone().requires_grad_(), **arguments)
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_a_model_can_be_saved_and_copied():
    arguments = {'GO4Align_step_size': 0.1}
    trainer, loaded = (build_trainer('GO4Align', weight_args=arguments) for _ in range(2))
    train(trainer)
    loaded.model.load_state_dict(trainer.model.state_dict())
    models, losses = (copy.deepcopy(trainer.model), loaded.model, trainer.model), LOSSES + 1
    steps = [model.backward(losses.clone().requires_grad_(), **arguments) for model in models]
    np.testing.assert_array_equal(steps, [steps[-1]] * 3)


def test_one_task_has_one_group():
    assert train(build_trainer('GO4Align', tasks=['small']), 1).tolist() == [[[1.0] * 3]]


def test_error_in_the_data_is_raised_not_retried():
    reads = []

    def fail(batch):
        reads.append(batch)
        raise ValueError('frame is broken')

    loader = torch.utils.data.DataLoader(range(4), batch_size=2, collate_fn=fail)
    with pytest.raises(ValueError, match='frame is broken'):
        build_trainer('EW').train(loader, loader, 1)
    assert reads == [[0, 1]]
