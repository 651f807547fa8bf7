"""The losses: values by hand, batches without labels, rounding, gradients."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from go4align_plugins.data import BENCHMARKS
from go4align_plugins.measures import LOSSES, depth_loss, normal_loss, segmentation_loss

SHAPES = {'segmentation': (2, 13, 5, 7), 'depth': (2, 1, 5, 7), 'normal': (2, 3, 5, 7)}
INVALID = {
    'segmentation': -torch.ones(2, 5, 7),
    'depth': torch.zeros(2, 1, 5, 7),
    'normal': torch.zeros(2, 3, 5, 7),
}


def targets() -> dict[str, torch.Tensor]:
    """Random targets in which about a third of the pixels have no label."""
    labelled = torch.rand(2, 1, 5, 7) > 0.3
    return {
        'segmentation': torch.where(labelled[:, 0], torch.randint(0, 13, (2, 5, 7)), -1),
        'depth': (1 + torch.rand(2, 1, 5, 7)) * labelled,
        'normal': F.normalize(torch.randn(2, 3, 5, 7), dim=1) * labelled,
    }


def test_segmentation_by_hand() -> None:
    logits = torch.tensor([[0.0, 1.0, 9.0], [0.0, 1.0 + math.log(3), 0.0]]).reshape(1, 2, 1, 3)
    loss = segmentation_loss(logits, torch.tensor([[[0, 1, -1]]]))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)


def test_depth_by_hand() -> None:
    prediction = torch.tensor([1.0, 5.0, 9.0]).reshape(1, 1, 1, 3)
    depth = torch.tensor([2.0, 2.0, 0.0]).reshape(1, 1, 1, 3)
    assert depth_loss(prediction, depth).item() == 2.0


def test_normal_by_hand() -> None:
    prediction = torch.tensor([[0.0, 0, 5], [3, 0, 0], [1, 1, 1]]).T.reshape(1, 3, 1, 3)
    normal = torch.tensor([[0.0, 0, 1], [0, 0, 1], [0, 0, 0]]).T.reshape(1, 3, 1, 3)
    assert normal_loss(prediction, normal).item() == pytest.approx(0.5)


def test_every_task_has_a_loss() -> None:
    kinds = {task.kind for benchmark in BENCHMARKS.values() for task in benchmark.tasks}
    assert kinds == set(LOSSES)


@pytest.mark.parametrize('task', SHAPES)
def test_no_label_gives_exact_zero_and_zero_gradient(task: str) -> None:
    prediction = torch.randn(SHAPES[task], requires_grad=True)
    loss = LOSSES[task](prediction, INVALID[task])
    loss.backward()
    assert loss.item() == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()


@pytest.mark.parametrize('task', SHAPES)
def test_unlabelled_pixels_do_not_count(task: str) -> None:
    torch.manual_seed(0)
    target = targets()[task]
    prediction = torch.randn(SHAPES[task])
    empty = (target == -1)[:, None] if task == 'segmentation' else target.abs().sum(1, True) == 0
    changed = torch.where(empty, torch.randn(SHAPES[task]), prediction)
    assert not torch.equal(changed, prediction)
    torch.testing.assert_close(LOSSES[task](changed, target), LOSSES[task](prediction, target))


@pytest.mark.parametrize('task', SHAPES)
def test_mean_is_over_pixels_and_not_over_frames(task: str) -> None:
    torch.manual_seed(1)
    target = targets()[task]
    target[0, ..., 1:] = INVALID[task][0, ..., 1:]
    prediction = torch.randn(SHAPES[task])
    whole = LOSSES[task](prediction, target)
    columns = LOSSES[task](prediction.transpose(-1, -2), target.transpose(-1, -2))
    frames = torch.stack([LOSSES[task](prediction[i : i + 1], target[i : i + 1]) for i in (0, 1)])
    torch.testing.assert_close(whole, columns)
    assert abs(whole - frames.mean()) > 1e-3


@pytest.mark.parametrize('task', SHAPES)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(task: str, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    target = targets()[task]
    prediction = torch.randn(SHAPES[task]).to(dtype)
    loss = LOSSES[task](prediction, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[task](prediction.float(), target))


def test_labels_may_be_float() -> None:
    torch.manual_seed(3)
    label = targets()['segmentation']
    logits = torch.randn(SHAPES['segmentation'])
    assert segmentation_loss(logits, label.float()) == segmentation_loss(logits, label)


def test_perfect_normals_never_give_a_negative_loss() -> None:
    torch.manual_seed(4)
    for _ in range(50):
        normal = F.normalize(torch.randn(1, 3, 3, 3), dim=1)
        assert 0 <= normal_loss(normal.clone(), normal) < 1e-6


def test_zero_vector_is_at_right_angles_with_a_finite_gradient() -> None:
    prediction = torch.zeros(1, 3, 1, 2, requires_grad=True)
    normal = torch.tensor([0.0, 0, 1]).reshape(1, 3, 1, 1).expand(1, 3, 1, 2)
    loss = normal_loss(prediction, normal)
    loss.backward()
    assert loss.item() == 1
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


@pytest.mark.parametrize('task', ['depth', 'normal'])
def test_shapes_that_would_broadcast_are_refused(task: str) -> None:
    target = INVALID[task]
    with pytest.raises(ValueError, match=r'`prediction` should have the shape of its target'):
        LOSSES[task](torch.randn(SHAPES[task]), target[:1])
