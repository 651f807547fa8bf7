"""Gradients of all tasks: the weights in a combined one, and CAGrad for any number of tasks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from go4align_plugins.libmtl.compat import CAGrad, combine
from go4align_plugins.libmtl.grouped import add_marks, read_weights
from go4align_plugins.libmtl.trainer import TAKES_NAMES

from .toy import LibMTL, build_loader, build_trainer, first_losses, flat_gradients

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
def test_cagrad_of_two_tasks_by_hand():
    # Of (1, 0) and (0, 1), equal weights are the best: the direction is g_0 + c |g_0| g_0 / |g_0|.
    direction, weights = combine(torch.eye(2), calpha=0.5, rescale=0)
    np.testing.assert_allclose(weights, 0.5, atol=1e-4)
    torch.testing.assert_close(direction, torch.full((2,), 0.5 * 1.5))
    with pytest.raises(ValueError, match='`rescale` should be 0, 1 or 2'):
        combine(torch.eye(4), 0.5, 3)


@released
@pytest.mark.parametrize('rescale', [0, 1, 2])
def test_cagrad_of_three_tasks_is_libmtls_own(rescale):
    assert LibMTL.weighting.CAGrad is CAGrad
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
    mean = gradients.mean(0)

    def objective(candidate):
        weighted = candidate @ gradients
        return weighted @ mean + 0.5 * np.linalg.norm(mean) * np.linalg.norm(weighted)

    others = generator.dirichlet(np.ones(tasks), size=2000)
    assert objective(weights) <= min(map(objective, others)) + 1e-6
