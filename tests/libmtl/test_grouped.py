"""LibMTL's own strategies under AGRM: every one that the installed LibMTL has."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from go4align_plugins.libmtl.registration import AVERAGES
from go4align_plugins.weighting import kmeans_1d

from .toy import TASKS, LibMTL, build_loader, build_trainer, options, train

OFFERED = LibMTL.weighting.__all__
GROUPED = [name for name in OFFERED if name.startswith('AGRM_')]
BASES = [name.removeprefix('AGRM_') for name in GROUPED]

RUNS_ALIGNED_MTL = tuple(map(int, torch.__version__.split('.')[:2])) < (1, 13)

COMBINED_BATCH = {'MoDo': 2, 'SDMGrad': 0}
"""Which of their three batches' gradients these strategies combine."""


@pytest.fixture(autouse=True)
def repeat_random_numbers():
    torch.manual_seed(0)
    random.seed(0)


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> str:
    """The name of a strategy that runs on this torch."""
    if request.param == 'Aligned_MTL' and not RUNS_ALIGNED_MTL:
        pytest.skip('it calls torch.symeig, which this torch has no longer')
    return request.param


def prepared(name: str, **weight_args: Any) -> Any:
    """A Trainer in its third epoch, where every strategy has its weights."""
    arguments = {**options(name), **weight_args}
    trainer = build_trainer(name, weight_args=arguments)
    trainer.model.epoch, trainer.model.epochs = 5, 8
    history = 1 + np.random.default_rng(0).random((len(TASKS), 8))
    trainer.model.train_loss_buffer = history
    return trainer


def losses_of(trainer: Any, count: int) -> Tensor:
    """The losses of the first batches, (count, M)."""
    loader = [build_loader(), iter(build_loader())]
    found = []
    for _ in range(count):
        inputs, targets = trainer._process_data(loader)
        found.append(trainer._compute_loss(trainer.model(inputs), targets))
    return torch.stack(found)


def take_step(trainer: Any, base: str) -> tuple[Any, Tensor, Tensor]:
    """Returned weights (M,), the encoder's gradient (D,), and the tasks' gradients (M, D)."""
    torch.manual_seed(1)
    random.seed(1)
    losses = losses_of(trainer, 3 if base in COMBINED_BATCH else 1)
    parameters = list(trainer.model.encoder.parameters())
    combined = losses[COMBINED_BATCH.get(base, 0)]
    gradients = torch.stack([
        torch.cat([
            part.flatten()
            for part in torch.autograd.grad(loss, parameters, retain_graph=True)
        ])
        for loss in combined
    ])  # fmt: skip
    trainer.optimizer.zero_grad()
    weights = trainer.model.backward(losses.squeeze(0), **trainer.kwargs['weight_args'])
    gradient = torch.cat([parameter.grad.flatten() for parameter in parameters])
    if base in AVERAGES:
        gradients = getattr(trainer.model, AVERAGES[base])
    return weights, gradient.double(), gradients.double()


# Nash_MTL would scale the combined gradient down afterwards.
UNCLIPPED = {'Nash_MTL': {'max_norm': 0.0}, 'STCH': {'STCH_warmup_epoch': 6}}


def test_every_strategy_is_offered():
    left_out = {'AbsWeighting', 'GO4Align', 'GradDrop', *GROUPED}
    assert set(BASES) == set(OFFERED) - left_out
    assert {'EW', 'UW', 'MGDA', 'CAGrad', 'IMTL', 'PCGrad', 'SI'} <= set(BASES)
    for name in GROUPED:
        assert getattr(LibMTL.weighting, name).__name__ == name


@pytest.mark.parametrize('num_groups', [1, 2])
def test_weights_are_the_group_means_of_the_strategys(base, num_groups):
    extra = UNCLIPPED.get(base, {})
    alone = prepared(base, **extra)
    trainer = prepared(f'AGRM_{base}', AGRM_num_groups=num_groups, **extra)
    for _ in range(2):
        _, gradient, gradients = take_step(alone, base)
        ungrouped = torch.linalg.lstsq(gradients.T, gradient[:, None]).solution[:, 0]
        weights, gradient, gradients = take_step(trainer, base)
        groups = kmeans_1d(ungrouped, num_groups)
        # Weights that are equal but for rounding have no groups of their own.
        if ungrouped.std() > 1e-4 * ungrouped.abs().max():
            assert torch.equal(trainer.model.agrm.groups, groups)
        means = torch.stack([ungrouped[groups == group].mean() for group in groups])
        torch.testing.assert_close(
            torch.as_tensor(weights).double(),
            means,
            rtol=2e-3,
            atol=2e-3 * float(means.abs().max()),
        )
        torch.testing.assert_close(
            gradient, torch.as_tensor(weights).double() @ gradients, rtol=1e-4,
            atol=1e-5 * float(gradients.norm(dim=1).max()),
        )  # fmt: skip
        assert len(set(weights.tolist())) <= num_groups


def test_as_many_groups_as_tasks_are_the_strategy_itself(base):
    trained = []
    for name in (base, f'AGRM_{base}'):
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002  (LibMTL draws from the global one)
        random.seed(0)
        own = {'AGRM_num_groups': 3} if name != base else {}
        trainer = build_trainer(name, weight_args={**options(name), **own})
        trained.append((trainer, train(trainer, epochs=3)))
    (alone, weights), (grouped, grouped_weights) = trained
    state = grouped.model.state_dict()
    for key, value in alone.model.state_dict().items():
        assert torch.equal(value, state[key]), key
    for key, value in alone.optimizer.state_dict()['state'].items():
        same = grouped.optimizer.state_dict()['state'][key]
        assert torch.equal(value['exp_avg'], same['exp_avg'])
    # FAMO tells LibMTL no weights; under AGRM it does.
    if weights.any():
        np.testing.assert_array_equal(grouped_weights, weights)


def test_uncertainty_weights_learn_as_alone():
    alone, grouped = (prepared(name) for name in ('UW', 'AGRM_UW'))
    for trainer in (alone, grouped):
        with torch.no_grad():
            trainer.model.loss_scale.copy_(torch.tensor([0.0, 0.1, -2.0]))
        take_step(trainer, 'UW')
    assert torch.equal(alone.model.loss_scale.grad, grouped.model.loss_scale.grad)
    assert grouped.model.agrm.groups.tolist() == [0, 0, 1]


def test_equal_losses_have_exact_weights():
    trainer = prepared('AGRM_CAGrad')
    encoder = trainer.model.encoder
    loss = encoder.weight.square().sum() + encoder.bias.sum()
    weights = trainer.model.backward(torch.stack([loss, loss, loss]), calpha=0.5, rescale=0)
    # CAGrad adds half the mean gradient's length in its own direction: 1.5 times the mean.
    np.testing.assert_allclose(weights, 0.5, rtol=1e-5)
    torch.testing.assert_close(encoder.weight.grad, 3 * encoder.weight.detach())


def test_absent_task_is_left_out():
    trainer = build_trainer('AGRM_EW')
    weight = trainer.model.encoder.weight
    losses = weight.sum() * torch.tensor([1.0, 0.0, 2.0])
    assert trainer.model.backward(losses).tolist() == [1, 0, 1]
    assert trainer.model.agrm.groups.tolist() == [0, -1, 0]


def test_weights_that_are_not_finite_pass():
    trainer = build_trainer('AGRM_GLS')
    losses = torch.tensor([1.0, np.nan, 2.0], requires_grad=True)
    assert np.isnan(trainer.model.backward(losses)).all()
    assert trainer.model.agrm.groups.tolist() == [-1, -1, -1]


@pytest.mark.parametrize('strategy', ['MGDA', 'IMTL'])
def test_gradients_of_the_representation(strategy):
    trainer = build_trainer(
        f'AGRM_{strategy}', rep_grad=True, weight_args={**options(strategy), 'AGRM_num_groups': 2}
    )
    weights = train(trainer)
    assert np.isfinite(weights).all()
    assert all(len(set(step)) <= 2 for step in weights.reshape(3, -1).T.tolist())
    assert len(set(weights[:, 0, 0].tolist())) == 2


def test_options_arrive_from_the_command_line(capsys):
    arguments = options('AGRM_CAGrad', '--calpha', '0.3', '--AGRM_num_groups', '3')
    assert arguments == {
        'calpha': 0.3, 'rescale': 1, 'AGRM_num_groups': 3, 'AGRM_grouping': 'exact'
    }  # fmt: skip
    assert 'AGRM_CAGrad' in capsys.readouterr().out
    trainer = build_trainer('AGRM_CAGrad', weight_args=arguments)
    assert trainer.model.agrm.num_groups == 3


def test_strategies_can_be_given_as_classes():
    trainer = build_trainer(LibMTL.weighting.AGRM_EW, weight_args={'AGRM_num_groups': 1})
    assert (train(trainer) == 1).all()


@pytest.mark.parametrize(
    ('strategy', 'reason'),
    [
        ('GradDrop', 'drops single entries'),
        ('GO4Align', 'is AGRM itself'),
        ('MOML', 'loop of its own'),
    ],
)
def test_what_cannot_be_grouped_says_why(strategy, reason):
    assert not hasattr(LibMTL.weighting, f'AGRM_{strategy}')
    for refused in (build_trainer, options):
        with pytest.raises(ValueError, match=f'Found `AGRM_{strategy}`: .*{reason}'):
            refused(f'AGRM_{strategy}')


@pytest.mark.skipif(
    'GradVac_group_type' not in vars(LibMTL.config.LibMTL_args.parse_args([])),
    reason="PyPI's LibMTL weights whole gradients only",
)
def test_gradients_weighted_in_parts_are_refused():
    trainer = prepared('AGRM_GradVac', GradVac_group_type=2)
    losses = torch.stack([
        sign * trainer.model.encoder.weight.sum() + trainer.model.encoder.bias.sum()
        for sign in (1.0, -1.0, 1.0)
    ])  # fmt: skip
    with pytest.raises(ValueError, match="AGRM_GradVac should sum up the tasks' gradients"):
        trainer.model.backward(losses, **trainer.kwargs['weight_args'])
