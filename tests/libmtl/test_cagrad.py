"""CAGrad for any number of tasks: LibMTL's own where that works, the paper's problem elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from go4align_plugins.libmtl.cagrad import CAGrad, combine
from go4align_plugins.libmtl.trainer import TAKES_NAMES

from .toy import LibMTL, build_loader, build_trainer

pytestmark = pytest.mark.skipif(TAKES_NAMES, reason="LibMTL's main takes any number of tasks")


def test_two_tasks_by_hand():
    # Of (1, 0) and (0, 1), equal weights are the best: the direction is g_0 + c |g_0| g_0 / |g_0|.
    direction, weights = combine(torch.eye(2), calpha=0.5, rescale=0)
    np.testing.assert_allclose(weights, 0.5, atol=1e-4)
    torch.testing.assert_close(direction, torch.full((2,), 0.5 * 1.5))


@pytest.mark.parametrize('rescale', [0, 1, 2])
def test_three_tasks_as_libmtls_own(rescale):
    assert LibMTL.weighting.CAGrad is CAGrad
    trainer = build_trainer('CAGrad')
    inputs, targets = trainer._process_data([None, iter(build_loader())])
    losses = trainer._compute_loss(trainer.model(inputs), targets)
    shared = list(trainer.model.get_share_params())
    gradients = torch.stack(
        [
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, shared, retain_graph=True)])
            for loss in losses
        ]
    )
    expected = trainer.model.backward(losses, calpha=0.4, rescale=rescale)
    direction, weights = combine(gradients, 0.4, rescale)
    np.testing.assert_allclose(weights, expected, atol=1e-3)
    found = torch.cat([parameter.grad.flatten() for parameter in shared])
    torch.testing.assert_close(direction, found, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('tasks', [2, 4, 11])
def test_no_weights_on_the_simplex_are_better(tasks):
    generator = np.random.default_rng(tasks)
    gradients = torch.from_numpy(generator.normal(size=(tasks, 20)))
    _, weights = combine(gradients, calpha=0.5, rescale=1)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= -1e-9
    mean = gradients.mean(0).numpy()

    def objective(candidate):
        weighted = candidate @ gradients.numpy()
        return weighted @ mean + 0.5 * np.linalg.norm(mean) * np.linalg.norm(weighted)

    others = generator.dirichlet(np.ones(tasks), size=2000)
    assert objective(weights) <= min(map(objective, others)) + 1e-6


def test_unknown_rescale():
    with pytest.raises(ValueError, match='`rescale` should be 0, 1 or 2'):
        combine(torch.eye(4), 0.5, 3)
