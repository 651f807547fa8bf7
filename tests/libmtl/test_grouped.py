"""LibMTL's own strategies under AGRM, and its CAGrad for any number of tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from go4align_plugins.libmtl.compat import CAGrad, combine
from go4align_plugins.libmtl.grouped import add_marks, read_weights
from go4align_plugins.libmtl.registration import AVERAGES, register
from go4align_plugins.libmtl.trainer import TAKES_NAMES
from go4align_plugins.weighting import kmeans_1d

from .conftest import (
    LibMTL,
    build_loader,
    build_trainer,
    first_losses,
    flat_gradients,
    options,
    train,
)

OFFERED = LibMTL.weighting.__all__
set_random_seed = LibMTL.utils.set_random_seed
GROUPED = [name for name in OFFERED if name.startswith('AGRM_')]
BASES = [name.removeprefix('AGRM_') for name in GROUPED]

# Aligned_MTL calls torch.symeig, which torch has no longer.
each_base = pytest.mark.parametrize('base', [base for base in BASES if base != 'Aligned_MTL'])

COMBINED_BATCH = {'MoDo': 2, 'SDMGrad': 0}
"""Which of their three batches' gradients these strategies combine."""


def prepared(name: str, **weight_args: Any) -> Any:
    """A Trainer in its third epoch, where every strategy has its weights."""
    set_random_seed(0)
    trainer = build_trainer(name, weight_args={**options(name), **weight_args})
    trainer.model.epoch, trainer.model.epochs = 5, 8
    trainer.model.train_loss_buffer = 1 + np.random.default_rng(0).random((3, 8))
    return trainer


def take_step(trainer: Any, base: str) -> tuple[Any, Tensor, Tensor]:
    """Returned weights (M,), the encoder's gradient (D,), and the tasks' gradients (M, D)."""
    set_random_seed(0)
    count = 3 if base in COMBINED_BATCH else 1
    batches = iter(build_loader())
    losses = torch.stack([first_losses(trainer, build_loader(), batches) for _ in range(count)])
    parameters = list(trainer.model.encoder.parameters())
    gradients = flat_gradients(losses[COMBINED_BATCH.get(base, 0)], parameters)
    trainer.optimizer.zero_grad()
    weights = trainer.model.backward(losses.squeeze(0), **trainer.kwargs['weight_args'])
    gradient = torch.cat([parameter.grad.flatten() for parameter in parameters])
    if base in AVERAGES:
        gradients = getattr(trainer.model, AVERAGES[base])
    return weights, gradient.double(), gradients.double()


# Nash_MTL would scale the combined gradient down afterwards.
UNCLIPPED = {'Nash_MTL': {'max_norm': 0.0}, 'STCH': {'STCH_warmup_epoch': 6}}


def test_every_strategy_is_offered_once():
    register()
    assert set(BASES) == set(OFFERED) - {'AbsWeighting', 'GO4Align', 'GradDrop', *GROUPED}
    assert {'EW', 'UW', 'MGDA', 'CAGrad', 'IMTL', 'PCGrad', 'SI'} <= set(BASES)
    assert len(set(OFFERED)) == len(OFFERED)
    for name in ('GO4Align', 'SI', *GROUPED):
        assert getattr(LibMTL.weighting, name).__name__ == name


@each_base
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
        found, size = torch.as_tensor(weights).double(), float(gradients.norm(dim=1).max())
        close = torch.testing.assert_close
        close(found, means, rtol=2e-3, atol=2e-3 * float(means.abs().max()))
        close(gradient, found @ gradients, rtol=1e-4, atol=1e-5 * size)
        assert len(set(weights.tolist())) <= num_groups


@each_base
def test_as_many_groups_as_tasks_are_the_strategy_itself(base):
    trained = []
    for name, own in ((base, {}), (f'AGRM_{base}', {'AGRM_num_groups': 3})):
        set_random_seed(0)
        trainer = build_trainer(name, weight_args={**options(name), **own})
        before = trainer.model.encoder.weight.detach().clone()
        trained.append((trainer, train(trainer, epochs=3)))
        assert np.isfinite(trained[-1][1]).all()
        assert not torch.equal(before, trainer.model.encoder.weight)
    (alone, weights), (grouped, grouped_weights) = trained
    state = grouped.model.state_dict()
    for key, value in alone.model.state_dict().items():
        assert torch.equal(value, state[key]), key
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


def test_absent_task_is_left_out_and_weights_that_are_not_finite_pass():
    model = build_trainer('AGRM_EW').model
    losses = model.encoder.weight.sum() * torch.tensor([1.0, 0.0, 2.0])
    assert model.backward(losses).tolist() == [1, 0, 1]
    assert model.agrm.groups.tolist() == [0, -1, 0]
    model = build_trainer('AGRM_GLS').model
    assert np.isnan(model.backward(torch.tensor([1.0, np.nan, 2.0], requires_grad=True))).all()
    assert model.agrm.groups.tolist() == [-1, -1, -1]


@pytest.mark.parametrize('strategy', ['MGDA', 'IMTL'])
def test_gradients_of_the_representation(strategy):
    arguments = {**options(strategy), 'AGRM_num_groups': 2}
    weights = train(build_trainer(f'AGRM_{strategy}', rep_grad=True, weight_args=arguments))
    assert np.isfinite(weights).all()
    assert all(len(set(step)) <= 2 for step in weights.reshape(3, -1).T.tolist())
    assert len(set(weights[:, 0, 0].tolist())) == 2


def test_strategies_that_cannot_be_grouped_say_why():
    reasons = {'GradDrop': 'drops single', 'GO4Align': 'is AGRM itself', 'MOML': 'loop of its own'}
    for strategy, reason in reasons.items():
        assert not hasattr(LibMTL.weighting, f'AGRM_{strategy}')
        for refused in (build_trainer, options):
            with pytest.raises(ValueError, match=f'Found `AGRM_{strategy}`: .*{reason}'):
                refused(f'AGRM_{strategy}')


def test_gradients_weighted_in_parts_are_refused():
    if 'GradVac_group_type' not in vars(LibMTL.config.LibMTL_args.parse_args([])):
        pytest.skip("PyPI's LibMTL weights whole gradients only")
    trainer = prepared('AGRM_GradVac', GradVac_group_type=2)
    encoder = trainer.model.encoder
    losses = [sign * encoder.weight.sum() + encoder.bias.sum() for sign in (1.0, -1.0, 1.0)]
    with pytest.raises(ValueError, match="AGRM_GradVac should sum up the tasks' gradients"):
        trainer.model.backward(torch.stack(losses), **trainer.kwargs['weight_args'])


WEIGHTS = torch.tensor([0.1, -2.5, 1e-6])
released = pytest.mark.skipif(TAKES_NAMES, reason="LibMTL's main takes any number of tasks")


@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e6])
@pytest.mark.parametrize('repeated', [None, 1.0, 0.0])
def test_weights_are_exact_even_where_gradients_depend_on_each_other(repeated, scale):
    gradients = torch.randn(3, 100, generator=torch.Generator().manual_seed(1)) * scale
    if repeated is not None:
        gradients[1:] = gradients[0] * repeated
    marked = add_marks(gradients)
    combined = (marked * WEIGHTS[:, None]).sum(0)
    assert torch.equal(read_weights(combined, marked, 'Toy'), WEIGHTS)
    assert torch.equal(marked[:, :-3], gradients)
    # No inner product sees the marks.
    assert add_marks(torch.zeros(3, 5)).norm() == add_marks(torch.zeros(3, 5).double()).norm() == 0


def test_no_weighted_sum_is_refused():
    marked = add_marks(torch.eye(3, 10))
    combined = marked.sum(0)
    combined[1] *= 1.1
    with pytest.raises(ValueError, match=r"Toy should sum up the tasks' gradients.*by 0\.1:"):
        read_weights(combined, marked, 'Toy')


@released
@pytest.mark.parametrize('rescale', [0, 1, 2])
def test_cagrad_of_three_tasks_is_libmtls_own(rescale):
    assert LibMTL.weighting.CAGrad is CAGrad
    with pytest.raises(ValueError, match='`rescale` should be 0, 1 or 2'):
        combine(torch.eye(4), 0.5, 3 + rescale)
    trainer = build_trainer('CAGrad')
    losses = first_losses(trainer, build_loader())
    shared = list(trainer.model.get_share_params())
    direction, weights = combine(flat_gradients(losses, shared), 0.4, rescale)
    expected = trainer.model.backward(losses, calpha=0.4, rescale=rescale)
    np.testing.assert_allclose(weights, expected, atol=1e-3)
    found = torch.cat([parameter.grad.flatten() for parameter in shared])
    torch.testing.assert_close(direction, found, rtol=1e-3, atol=1e-4)


@released
@pytest.mark.parametrize('tasks', [2, 4, 11])
def test_no_weights_on_the_simplex_are_better(tasks):
    generator = np.random.default_rng(tasks)
    gradients = generator.normal(size=(tasks, 20))
    _, weights = combine(torch.from_numpy(gradients), calpha=0.5, rescale=1)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= -1e-9
    others = generator.dirichlet(np.ones(tasks), size=2000)
    mean, weighted = gradients.mean(0), np.vstack([weights, others]) @ gradients
    objective = weighted @ mean + 0.5 * np.linalg.norm(mean) * np.linalg.norm(weighted, axis=1)
    assert objective[0] <= objective.min() + 1e-6
