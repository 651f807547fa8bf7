"""The losses: values by hand, batches without labels, rounding, gradients."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.measures import normal_loss

from .samples import CHECKED, LOSSES, NO_LABEL, TASKS, build, column, unlabelled

PREDICTED_NORMALS = torch.tensor([[0.0, 0, 5], [3, 0, 0], [1, 1, 1]]).T.reshape(1, 3, 1, 3)
NORMALS = torch.tensor([[0.0, 0, 1], [0, 0, 1], [0, 0, 0]]).T.reshape(1, 3, 1, 3)
LOGITS = torch.tensor([[0.0, 1.0, 9.0], [0.0, 1.0 + math.log(3), 0.0]]).reshape(1, 2, 1, 3)


@pytest.mark.parametrize(
    ('kind', 'prediction', 'target', 'expected'),
    [
        ('segmentation', LOGITS, torch.tensor([[[0, 1, -1]]]), (math.log(2) + math.log(4 / 3)) / 2),
        ('depth', column(1, 5, 9)[..., None, None], column(2, 2, 0)[..., None, None], (1 + 3) / 2),
        ('normal', PREDICTED_NORMALS, NORMALS, (0 + 1) / 2),
        ('regression', column(1, 5, 9), column(2, 2, math.nan), (1 + 9) / 2),
        (
            'attribute',
            column(math.log(3), math.log(3), 7),
            column(1, 0, -1),
            (math.log(4 / 3) + math.log(4)) / 2,
        ),
    ],
)
def test_by_hand(kind, prediction, target, expected):
    assert LOSSES[kind](prediction, target).item() == pytest.approx(expected)


def test_every_kind_of_task_is_tested():
    kinds = {task.kind.name for benchmark in BENCHMARKS.values() for task in benchmark.tasks}
    assert kinds == set(TASKS)


@pytest.mark.parametrize('kind', TASKS)
def test_no_label_gives_exact_zero_and_zero_gradient(kind):
    prediction, target = build(kind)
    prediction.requires_grad_()
    loss = LOSSES[kind](prediction, torch.full_like(target, NO_LABEL[kind]))
    loss.backward()
    assert loss.item() == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()


@pytest.mark.parametrize('kind', TASKS)
def test_missing_labels_do_not_count(kind):
    torch.manual_seed(0)
    prediction, target = build(kind)
    empty = unlabelled(kind, target)
    assert 0 < empty.sum() < empty.numel()
    changed = torch.where(empty, torch.randn(prediction.shape), prediction)
    assert not torch.equal(changed, prediction)
    torch.testing.assert_close(LOSSES[kind](changed, target), LOSSES[kind](prediction, target))


@pytest.mark.parametrize('kind', TASKS)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(kind, dtype):
    torch.manual_seed(2)
    prediction, target = build(kind)
    prediction = prediction.to(dtype)
    loss = LOSSES[kind](prediction, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[kind](prediction.float(), target))


def test_perfect_normals_never_give_a_negative_loss():
    torch.manual_seed(4)
    for _ in range(50):
        normal = F.normalize(torch.randn(1, 3, 3, 3), dim=1)
        assert 0 <= normal_loss(normal.clone(), normal) < 1e-6


def test_zero_vector_is_at_right_angles_with_a_finite_gradient():
    prediction = torch.zeros(1, 3, 1, 2, requires_grad=True)
    normal = torch.tensor([0.0, 0, 1]).reshape(1, 3, 1, 1).expand(1, 3, 1, 2)
    loss = normal_loss(prediction, normal)
    loss.backward()
    assert loss.item() == 1
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


@pytest.mark.parametrize('kind', CHECKED)
def test_shapes_that_would_broadcast_are_refused(kind):
    prediction, target = build(kind)
    for wrong in (target[:1], target[:, 0]):
        with pytest.raises(ValueError, match='`prediction` should have the shape of its target'):
            LOSSES[kind](prediction, wrong)
