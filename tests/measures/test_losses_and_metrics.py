"""Losses and metrics: values by hand, missing labels, rounding, batches, agreement with numpy."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from go4align_plugins.data import BENCHMARKS, Task
from go4align_plugins.measures import (
    AttributeMetric,
    Metric,
    NormalMetric,
    RegressionMetric,
    SegmentationMetric,
    normal_loss,
)

TASKS: dict[str, Task] = {task.kind.name: task for task in BENCHMARKS['nyuv2'].tasks}
TASKS |= {task.kind.name: task for name in ('qm9', 'celeba') for task in BENCHMARKS[name].tasks[:1]}
LOSSES = {kind: task.kind.loss for kind, task in TASKS.items()}
NO_LABEL = {'segmentation': -1, 'depth': 0, 'normal': 0, 'regression': math.nan, 'attribute': -1}
every_kind = pytest.mark.parametrize('kind', TASKS)


def build(kind: str, count: int = 6) -> tuple[Tensor, Tensor]:
    """Random samples that differ in how much of them has a label."""
    dense = kind in ('segmentation', 'depth', 'normal')
    shape = (count, 1, 9, 8) if dense else (8 * count, 1)
    shares = torch.linspace(0.1, 0.9, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    labelled = torch.rand(shape) > shares
    prediction = torch.randn(shape[0], TASKS[kind].channels, *shape[2:])
    target = {
        'segmentation': torch.randint(0, 13, shape),
        'depth': 0.5 + torch.rand(shape),
        'normal': F.normalize(torch.randn(prediction.shape), dim=1),
        'regression': torch.randn(shape),
        'attribute': torch.randint(0, 2, shape).float(),
    }[kind]
    target = torch.where(labelled, target, NO_LABEL[kind])
    return prediction, target[:, 0] if kind == 'segmentation' else target


def build_metric(kind: str) -> Metric:
    return TASKS[kind].kind.metric(TASKS[kind], 1.0)


def column(*values: float) -> Tensor:
    """One value a sample."""
    return torch.tensor(values)[:, None]


def directions(*degrees: float) -> Tensor:
    """Vectors (1, 3, 1, N), turned by those angles from the z axis."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.sin(), 0 * angle, angle.cos()]).float().reshape(1, 3, 1, -1)


LOGITS = torch.tensor([[0.0, 1.0, 9.0], [0.0, 1.0 + math.log(3), 0.0]]).reshape(1, 2, 1, 3)
CLASSES = F.one_hot(torch.tensor([[[0, 0, 1, 2, 1]]]), 4).movedim(-1, 1).float()
NORMAL = directions(0, 0, 0, 0, 0) * torch.tensor([1, 1, 1, 1, 0])
ZERO = torch.zeros(1, 3, 1, 2)
UNKNOWN = {'mean': math.nan, 'median': math.nan}
FAR = {'<11.25': 0, '<22.5': 0, '<30': 0}


def test_every_kind_of_task_is_tested() -> None:
    kinds = {task.kind.name for benchmark in BENCHMARKS.values() for task in benchmark.tasks}
    assert kinds == set(TASKS)


@pytest.mark.parametrize(
    ('kind', 'prediction', 'target', 'expected'),
    [
        ('segmentation', LOGITS, torch.tensor([[[0, 1, -1]]]), (math.log(2) + math.log(4 / 3)) / 2),
        ('depth', column(1, 5, 9)[..., None, None], column(2, 2, 0)[..., None, None], (1 + 3) / 2),
        ('normal', 5 * directions(0, 90, 60, 90, 45), NORMAL, (0 + 1 + 0.5 + 1) / 4),
        ('regression', column(1, 5, 9), column(2, 2, math.nan), (1 + 9) / 2),
        (
            'attribute',
            column(math.log(3), math.log(3), 7),
            column(1, 0, -1),
            (math.log(4 / 3) + math.log(4)) / 2,
        ),
    ],
)
def test_losses_by_hand(kind: str, prediction: Tensor, target: Tensor, expected: float) -> None:
    assert LOSSES[kind](prediction, target).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ('metric', 'prediction', 'target', 'expected'),
    [
        # Class 0: 1 of 2; class 1: 1 of 3; class 2 is predicted but never true; class 3 is absent.
        (
            SegmentationMetric(4),
            CLASSES,
            torch.tensor([[[0, 1, 1, 1, -1]]]),
            {'mIoU': (1 / 2 + 1 / 3 + 0) / 3, 'pixAcc': 2 / 4},
        ),
        (
            build_metric('depth'),
            column(1, 5, 9)[..., None, None],
            column(2, 4, 0)[..., None, None],
            {'abs_err': 1.0, 'rel_err': (0.5 + 0.25) / 2},
        ),
        (
            NormalMetric(),
            3 * directions(0, 10, 20, 90, 45),
            NORMAL,
            {'mean': 30, 'median': 15, '<11.25': 0.5, '<22.5': 0.75, '<30': 0.75},
        ),
        # A zero vector is at right angles to everything; NaN is no exception.
        (NormalMetric(), ZERO, directions(0, 50), {'mean': 90, 'median': 90, **FAR}),
        (NormalMetric(), ZERO + math.nan, directions(0, 50), {**UNKNOWN, **FAR}),
        # In its own unit.
        (RegressionMetric(10), column(1, 5, 9), column(2, 2, math.nan), {'MAE': 10 * (1 + 3) / 2}),
        # 2 found of 4, with 1 false alarm: precision 2/3, recall 1/2. A logit of 0 does not find.
        (
            AttributeMetric(),
            column(2, 1, 0.5, -1, -2, 0, 8),
            column(1, 1, 0, 1, 0, 1, -1),
            {'F1': 2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2)},
        ),
        (AttributeMetric(), column(-1, -1), column(1, 0), {'F1': 0.0}),
        (AttributeMetric(), column(-1, -1), column(0, 0), {'F1': 0.0}),
    ],
)
def test_metrics_by_hand(
    metric: Metric, prediction: Tensor, target: Tensor, expected: dict[str, float]
) -> None:
    metric.update(prediction, target)
    assert metric.compute() == pytest.approx(expected, abs=1e-5, nan_ok=True)


@every_kind
def test_without_a_label_a_loss_is_exactly_0_and_a_score_is_nan(kind: str) -> None:
    metric = build_metric(kind)
    prediction, target = build(kind)
    names = [entry.name for entry in TASKS[kind].metrics]
    loss = LOSSES[kind](prediction.requires_grad_(), torch.full_like(target, NO_LABEL[kind]))
    loss.backward()
    assert loss.item() == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()
    for _ in range(2):
        scores = metric.compute()
        assert list(scores) == names
        assert all(map(math.isnan, scores.values()))
        metric.update(prediction, torch.full_like(target, NO_LABEL[kind]))
    metric.update(prediction, target)
    assert list(metric.compute()) == names
    assert all(map(math.isfinite, metric.compute().values()))
    # Predictions of a training leave no graph behind.
    kept = metric.sums if isinstance(metric.sums, list) else [metric.sums]
    assert not any(tensor.requires_grad for tensor in kept)


@every_kind
def test_missing_labels_do_not_count(kind: str) -> None:
    torch.manual_seed(0)
    prediction, target = build(kind)
    empty = target.isnan() | (target == NO_LABEL[kind])
    empty = empty[:, None] if kind == 'segmentation' else empty.all(1, keepdim=True)
    assert 0 < empty.sum() < empty.numel()
    changed = torch.where(empty, torch.randn(prediction.shape), prediction)
    assert not torch.equal(changed, prediction)
    torch.testing.assert_close(LOSSES[kind](changed, target), LOSSES[kind](prediction, target))


@every_kind
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    prediction, target = build(kind)
    prediction = prediction.to(dtype)
    loss = LOSSES[kind](prediction, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[kind](prediction.float(), target))


@every_kind
def test_batches_merging_and_reset_do_not_matter(kind: str) -> None:
    torch.manual_seed(0)
    prediction, target = build(kind)
    whole, parts, other = (build_metric(kind) for _ in range(3))
    whole.update(prediction, target)
    parts.update(*build(kind))
    parts.reset()
    for i in range(4):
        parts.update(prediction[i : i + 1], target[i : i + 1])
    other.update(prediction[4:], target[4:])
    parts.merge(other)
    assert parts.compute() == pytest.approx(whole.compute(), rel=1e-6)


@pytest.mark.parametrize('kind', [kind for kind in TASKS if kind != 'segmentation'])
def test_shapes_that_would_broadcast_are_refused(kind: str) -> None:
    prediction, target = build(kind)
    for measure in (LOSSES[kind], build_metric(kind).update):
        for wrong in (target[:1], target[:, 0]):
            with pytest.raises(ValueError, match='`prediction` should have the shape of its targe'):
                measure(prediction, wrong)


def test_the_loss_of_perfect_normals_and_of_a_zero_vector() -> None:
    torch.manual_seed(4)
    for _ in range(50):
        normal = F.normalize(torch.randn(1, 3, 3, 3), dim=1)
        assert 0 <= normal_loss(normal.clone(), normal) < 1e-6
    # It is at right angles to everything, and its gradient is finite.
    prediction = torch.zeros(1, 3, 1, 2, requires_grad=True)
    loss = normal_loss(prediction, directions(0, 0))
    loss.backward()
    assert loss.item() == 1
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


@pytest.mark.parametrize('count', [1, 2, 3, 1000, 1001])
def test_angles_agree_with_numpy(count: int) -> None:
    np = pytest.importorskip('numpy', reason='numpy is not installed')
    torch.manual_seed(count)
    prediction, normal = torch.randn(2, 1, 3, 1, count).unbind()
    normal = F.normalize(normal, dim=1)
    metric = NormalMetric()
    for columns in torch.arange(count).split(300):
        metric.update(prediction[..., columns], normal[..., columns])
    p, n = prediction.double().numpy(), normal.double().numpy()
    angles = np.degrees(np.arccos((p * n).sum(1) / np.linalg.norm(p, axis=1)))
    expected = {'mean': angles.mean(), 'median': np.median(angles)}
    expected |= {f'<{limit}': (angles < limit).mean() for limit in (11.25, 22.5, 30)}
    assert metric.compute() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ('degrees', 'median'),
    [
        ([7.0, 7.0, 7.0, 7.0], 7.0),
        ([180.0, 180.0], 180.0),
        ([0.0, 180.0], 90.0),
        ([1e-3, 2e-3, 3e-3], 2e-3),
        ([40.001, 40.002, 40.003, 40.004], 40.0025),
    ],
)
def test_median_of_ties_extremes_and_tiny_angles(degrees: list[float], median: float) -> None:
    metric = NormalMetric()
    metric.update(directions(*degrees), directions(*[0] * len(degrees)))
    assert metric.compute()['median'] == pytest.approx(median, rel=1e-5, abs=1e-5)
