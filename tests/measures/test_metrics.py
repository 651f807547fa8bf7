"""The metrics: values by hand, independence of the batches, agreement with numpy."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('numpy', reason='numpy is not installed')

import numpy as np

from go4align_plugins.measures import (
    AttributeMetric,
    DepthMetric,
    NormalMetric,
    RegressionMetric,
    SegmentationMetric,
)

from .samples import CHECKED, NO_LABEL, TASKS, build, build_metric, column


def directions(degrees: list[float]) -> torch.Tensor:
    """Vectors (1, 3, 1, N), turned by those angles from the z axis."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.sin(), 0 * angle, angle.cos()]).float().reshape(1, 3, 1, -1)


LOGITS = F.one_hot(torch.tensor([[[0, 0, 1, 2, 1]]]), 4).movedim(-1, 1).float()
ZERO = torch.zeros(1, 3, 1, 2)


@pytest.mark.parametrize(
    ('metric', 'prediction', 'target', 'expected'),
    [
        # Class 0: 1 of 2; class 1: 1 of 3; class 2 is predicted but never true; class 3 is absent.
        (
            SegmentationMetric(4),
            LOGITS,
            torch.tensor([[[0, 1, 1, 1, -1]]]),
            {'mIoU': (1 / 2 + 1 / 3 + 0) / 3, 'pixAcc': 2 / 4},
        ),
        (
            DepthMetric(),
            column(1, 5, 9)[..., None, None],
            column(2, 4, 0)[..., None, None],
            {'abs_err': 1.0, 'rel_err': (0.5 + 0.25) / 2},
        ),
        (
            NormalMetric(),
            3 * directions([0, 10, 20, 90]),
            directions([0] * 4),
            {'mean': 30, 'median': 15, '<11.25': 0.5, '<22.5': 0.75, '<30': 0.75},
        ),
        # A zero vector is at right angles to everything; NaN is no exception.
        (
            NormalMetric(),
            ZERO,
            directions([0, 50]),
            {'mean': 90, 'median': 90, '<11.25': 0, '<22.5': 0, '<30': 0},
        ),
        (
            NormalMetric(),
            ZERO + math.nan,
            directions([0, 50]),
            {'mean': math.nan, 'median': math.nan, '<11.25': 0, '<22.5': 0, '<30': 0},
        ),
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
def test_by_hand(metric, prediction, target, expected) -> None:
    metric.update(prediction, target)
    assert metric.compute() == pytest.approx(expected, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize('kind', TASKS)
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


@pytest.mark.parametrize('kind', TASKS)
def test_scores_are_named_as_in_the_table_and_nan_without_a_label(kind: str) -> None:
    metric = build_metric(kind)
    prediction, target = build(kind)
    names = [entry.name for entry in TASKS[kind].metrics]
    for _ in range(2):
        scores = metric.compute()
        assert list(scores) == names
        assert all(map(math.isnan, scores.values()))
        metric.update(prediction, torch.full_like(target, NO_LABEL[kind]))
    metric.update(prediction, target)
    assert list(metric.compute()) == names
    assert all(map(math.isfinite, metric.compute().values()))


@pytest.mark.parametrize('kind', TASKS)
def test_training_predictions_leave_no_graph_behind(kind: str) -> None:
    metric = build_metric(kind)
    prediction, target = build(kind)
    metric.update(prediction.requires_grad_(), target)
    kept = metric.sums if isinstance(metric.sums, list) else [metric.sums]
    assert not any(tensor.requires_grad for tensor in kept)


@pytest.mark.parametrize('count', [1, 2, 3, 1000, 1001])
def test_angles_agree_with_numpy(count: int) -> None:
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
    metric.update(directions(degrees), directions([0] * len(degrees)))
    assert metric.compute()['median'] == pytest.approx(median, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize('kind', CHECKED)
def test_shapes_that_would_broadcast_are_refused(kind: str) -> None:
    prediction, target = build(kind)
    with pytest.raises(ValueError, match=r'Found `prediction.shape = \(1, '):
        build_metric(kind).update(prediction[:1], target)
