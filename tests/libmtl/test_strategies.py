"""GO4Align and SI inside LibMTL's Trainer; the rest of LibMTL's strategies on today's torch."""

from __future__ import annotations

import copy
import inspect
import re

import numpy as np
import pytest
import torch

from go4align_plugins import GO4Align
from go4align_plugins.libmtl import Trainer, register
from go4align_plugins.libmtl.options import DESCRIPTIONS

from .toy import TASKS, LibMTL, build_loader, build_trainer, first_losses, options, train

# In 1.1.5; GradDrop is for representation gradients alone.
BY_LOSSES = ('EW', 'UW', 'DWA', 'GLS', 'RLW')
BY_GRADIENTS = ('GradNorm', 'MGDA', 'PCGrad', 'GradVac', 'IMTL', 'CAGrad')


def test_registered_by_name_and_as_a_class():
    assert LibMTL.weighting.GO4Align.__name__ == 'GO4Align'
    assert {'GO4Align', 'SI'} <= set(LibMTL.weighting.__all__)
    assert LibMTL.Trainer is Trainer
    register()
    assert LibMTL.weighting.__all__.count('GO4Align') == 1


@pytest.mark.parametrize('weighting', ['GO4Align', LibMTL.weighting.GO4Align])
def test_weights_are_those_of_the_method(weighting):
    trainer = build_trainer(weighting, weight_args={'GO4Align_step_size': 0.1})
    reference = GO4Align(3, 2, step_size=0.1)
    seen = []
    backward = trainer.model.backward
    trainer.model.backward = lambda losses, **args: (
        seen.append(losses.detach().clone()) or backward(losses, **args)
    )
    weights = train(trainer)
    expected = [reference(losses).numpy() for losses in seen]
    np.testing.assert_array_equal(weights.reshape(3, -1), np.stack(expected, 1))
    assert torch.equal(trainer.model.agrm.groups, reference.groups)


def test_gradient_is_that_of_the_weighted_sum():
    trainer = build_trainer('GO4Align')
    losses = first_losses(trainer, build_loader())
    weights = GO4Align(3)(losses)
    parameters = list(trainer.model.parameters())
    expected = torch.autograd.grad((weights * losses).sum(), parameters, retain_graph=True)
    trainer.model.backward(losses)
    for parameter, gradient in zip(parameters, expected):
        torch.testing.assert_close(parameter.grad, gradient)


def test_si_weights_are_inverse_losses():
    trainer = build_trainer('SI')
    losses = torch.tensor([0.5, 0.0, 4.0], requires_grad=True)
    assert trainer.model.backward(losses).tolist() == [2, 0, 0.25]
    # d/dL of log L, but for the absent task.
    assert losses.grad.tolist() == [2, 0, 0.25]


def test_options_arrive_from_the_command_line(capsys):
    weight_args = options('GO4Align', '--GO4Align_num_groups', '3')
    assert weight_args == {
        'GO4Align_num_groups': 3,
        'GO4Align_step_size': 1e-4,
        'GO4Align_grouping': 'exact',
        'GO4Align_risk_scale': 'sum',
    }
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


def test_other_strategies_keep_their_options():
    assert options('DWA', '--T', '3') == {'T': 3.0}
    assert options('SI') == {}
    grouped = {'AGRM_num_groups': 3, 'AGRM_grouping': 'exact'}
    found = options('AGRM_CAGrad', '--calpha', '0.3', '--AGRM_num_groups', '3')
    assert found == {'calpha': 0.3, 'rescale': 1, **grouped}
    with pytest.raises(ValueError, match='No support weighting method Unknown'):
        options('Unknown')


@pytest.mark.parametrize(
    ('weighting', 'weight_args', 'message'),
    [
        ('GO4Align', {'GO4Align_num_groups': 4}, '`num_groups` should be between 1 and 3'),
        ('GO4Align', {'GO4Align_step_size': -1.0}, '`step_size` should be finite and at least 0'),
        ('GO4Align', {'GO4Align_groups': 2}, 'hold GO4Align_num_groups.*`GO4Align_groups`'),
        ('GO4Align', {'num_groups': 2}, '`weight_args` should hold GO4Align_num_groups.*`num_gr'),
        ('SI', {'num_groups': 2}, '`weight_args` should be empty'),
        ('AGRM_MGDA', {'AGRM_num_groups': 0}, '`num_groups` should be between 1 and 3'),
        ('AGRM_MGDA', {'AGRM_grouping': 'fuzzy'}, '`grouping` should be one of'),
        ('AGRM_MGDA', {'AGRM_groups': 2}, 'AGRM_num_groups, AGRM_grouping, mgda_gn. Found `AGRM_g'),
        ('AGRM_CAGrad', {'calpah': 2}, 'calpha, rescale. Found `calpah`'),
        ('AGRM_EW', {'GO4Align_num_groups': 2}, 'Found `GO4Align_num_groups`'),
        ('AGRM_SI', {'num_groups': 2}, 'AGRM_num_groups, AGRM_grouping. Found `num_groups`'),
    ],
)
def test_bad_options_are_refused_before_the_first_step(weighting, weight_args, message):
    with pytest.raises(ValueError, match=message):
        build_trainer(weighting, weight_args=weight_args)


@pytest.mark.parametrize(
    'weighting', ['GO4Align', 'SI', *(f'AGRM_{name}' for name in ('EW', 'UW', 'DWA', 'SI'))]
)
def test_representation_gradients_are_refused_for_weighted_losses(weighting):
    with pytest.raises(ValueError, match=f'`rep_grad` should be False with {weighting}'):
        build_trainer(weighting, rep_grad=True)


def test_negative_loss_is_named_by_its_task():
    trainer = build_trainer('GO4Align')
    with pytest.raises(ValueError, match=f'task `{TASKS[1]}`'):
        trainer.model.backward(torch.tensor([1.0, -1.0, 1.0], requires_grad=True))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r'`weighting` should be one of .*GO4Align.*`GO4All`'):
        build_trainer('GO4All')
    with pytest.raises(ValueError, match=r'`architecture` should be one of .*HPS.*Found `HSP`'):
        build_trainer('GO4Align', architecture='HSP')


def same_step(model, other, arguments):
    losses = torch.tensor([0.1, 1.0, 9.0], requires_grad=True)
    expected = model.backward(losses, **arguments)
    np.testing.assert_array_equal(other.backward(losses, **arguments), expected)


def test_state_is_part_of_the_model():
    arguments = {'GO4Align_step_size': 0.1}
    trainer, other = (build_trainer('GO4Align', weight_args=arguments) for _ in range(2))
    train(trainer)
    other.model.load_state_dict(trainer.model.state_dict())
    same_step(trainer.model, other.model, arguments)


@pytest.mark.parametrize('weighting', ['GO4Align', 'AGRM_EW'])
def test_evaluation_moves_nothing(weighting):
    trainer = build_trainer(weighting)
    train(trainer, epochs=1)
    trainer.model.eval()
    state = copy.deepcopy(trainer.model.state_dict())
    losses = torch.tensor([0.1, 1.0, 9.0], requires_grad=True)
    option = {'GO4Align': 'GO4Align_step_size', 'AGRM_EW': 'AGRM_num_groups'}[weighting]
    for arguments in ({}, {option: 1}):
        trainer.model.backward(losses, **arguments)
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize('grouping', ['exact', 'kmeans_pytorch', 'spectral', 'sdp'])
def test_a_model_can_be_copied(grouping):
    trainer = build_trainer('GO4Align', weight_args={'GO4Align_grouping': grouping})
    try:
        train(trainer, epochs=1)
    except ImportError as error:
        pytest.skip(f'needs the extra `clustering`: {error}')
    same_step(copy.deepcopy(trainer.model), trainer.model, trainer.kwargs['weight_args'])


def test_one_task_has_one_group():
    trainer = build_trainer('GO4Align', tasks=['small'])
    assert train(trainer, epochs=1).tolist() == [[[1.0] * 3]]


@pytest.mark.parametrize('weighting', BY_LOSSES + BY_GRADIENTS)
def test_libmtls_own_strategies_run_on_todays_torch(weighting):
    trainer = build_trainer(weighting, weight_args=options(weighting))
    before = [parameter.detach().clone() for parameter in trainer.model.encoder.parameters()]
    weights = train(trainer)
    assert np.isfinite(weights).all()
    assert not any(map(torch.equal, before, trainer.model.encoder.parameters()))


def test_error_in_the_data_is_raised_not_retried():
    reads = []

    class Broken(list):
        def __getitem__(self, index):
            reads.append(index)
            raise ValueError('frame is broken')

    loader = torch.utils.data.DataLoader(Broken(range(16)), batch_size=4)
    with pytest.raises(ValueError, match='frame is broken'):
        build_trainer('EW').train(loader, loader, 1)
    assert reads == [0]
