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


def test_segmentation_by_hand() -> None:
    metric = SegmentationMetric(4)
    logits = F.one_hot(torch.tensor([[[0, 0, 1, 2, 1]]]), 4).movedim(-1, 1).float()
    metric.update(logits, torch.tensor([[[0, 1, 1, 1, -1]]]))
    # Class 0: 1 of 2; class 1: 1 of 3; class 2 is predicted but never true; class 3 is absent.
    assert metric.compute() == pytest.approx({'mIoU': (1 / 2 + 1 / 3 + 0) / 3, 'pixAcc': 2 / 4})


def test_depth_by_hand() -> None:
    metric = DepthMetric()
    metric.update(torch.tensor([[[[1.0, 5, 9]]]]), torch.tensor([[[[2.0, 4, 0]]]]))
    assert metric.compute() == pytest.approx({'abs_err': 1.0, 'rel_err': (0.5 + 0.25) / 2})


def test_normal_by_hand() -> None:
    metric = NormalMetric()
    metric.update(3 * directions([0, 10, 20, 90]), directions([0] * 4))
    expected = {'mean': 30, 'median': 15, '<11.25': 0.5, '<22.5': 0.75, '<30': 0.75}
    assert metric.compute() == pytest.approx(expected, abs=1e-5)


def test_regression_by_hand_in_its_own_unit() -> None:
    metric = RegressionMetric(scale=10)
    metric.update(column(1, 5, 9), column(2, 2, math.nan))
    assert metric.compute() == {'MAE': 10 * (1 + 3) / 2}


def test_attribute_by_hand() -> None:
    metric = AttributeMetric()
    metric.update(column(2, 1, 0.5, -1, -2, 0, 8), column(1, 1, 0, 1, 0, 1, -1))
    # 2 found of 4, with 1 false alarm: precision 2/3, recall 1/2. A logit of 0 does not find.
    assert metric.compute() == pytest.approx({'F1': 2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2)})


@pytest.mark.parametrize('label', [0.0, 1.0])
def test_f1_of_an_attribute_that_is_never_found_is_0(label: float) -> None:
    metric = AttributeMetric()
    metric.update(column(-1, -1), column(label, 0))
    assert metric.compute() == {'F1': 0.0}


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


def test_depth_error_is_a_mean_over_pixels() -> None:
    torch.manual_seed(1)
    prediction, depth = build('depth')
    metric = DepthMetric()
    for i in range(len(depth)):
        metric.update(prediction[i : i + 1], depth[i : i + 1])
    error = (prediction - depth).abs()[depth != 0].numpy()
    expected = {'abs_err': error.mean(), 'rel_err': (error / depth[depth != 0].numpy()).mean()}
    assert metric.compute() == pytest.approx(expected, rel=1e-5)


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


def test_zero_prediction_is_at_right_angles() -> None:
    metric = NormalMetric()
    metric.update(torch.zeros(1, 3, 1, 2), directions([0, 50]))
    assert metric.compute()['mean'] == pytest.approx(90)


def test_diverged_predictions_give_nan_and_no_exception() -> None:
    metric = NormalMetric()
    metric.update(torch.full((1, 3, 1, 2), torch.nan), directions([0, 50]))
    scores = metric.compute()
    assert math.isnan(scores['mean'])
    assert math.isnan(scores['median'])


@pytest.mark.parametrize('kind', CHECKED)
def test_shapes_that_would_broadcast_are_refused(kind: str) -> None:
    prediction, target = build(kind)
    with pytest.raises(ValueError, match=r'Found `prediction.shape = \(1, '):
        build_metric(kind).update(prediction[:1], target)
