"""The metrics: values by hand, independence of the batches, agreement with numpy."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('numpy', reason='numpy is not installed')

import numpy as np

from go4align_plugins.data import BENCHMARKS, Task
from go4align_plugins.measures import DepthMetric, NormalMetric, SegmentationMetric, build_metric

TASKS = {task.name: task for task in BENCHMARKS['nyuv2'].tasks}


def frames(task: str, count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Random predictions and targets; the frames differ in their number of labels."""
    shape = (count, 1, 9, 8)
    labelled = torch.rand(shape) > torch.linspace(0.1, 0.9, count)[:, None, None, None]
    prediction = torch.randn(count, TASKS[task].channels, 9, 8)
    if task == 'segmentation':
        return prediction, torch.where(labelled, torch.randint(0, 13, shape), -1)[:, 0]
    if task == 'depth':
        return prediction, (0.5 + torch.rand(shape)) * labelled
    return prediction, F.normalize(torch.randn(count, 3, 9, 8), dim=1) * labelled


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


@pytest.mark.parametrize('task', TASKS)
def test_names_are_those_of_the_table(task: str) -> None:
    metric = build_metric(TASKS[task])
    metric.update(*frames(task))
    assert list(metric.compute()) == [entry.name for entry in TASKS[task].metrics]


@pytest.mark.parametrize('task', TASKS)
def test_batches_merging_and_reset_do_not_matter(task: str) -> None:
    torch.manual_seed(0)
    prediction, target = frames(task)
    whole, parts, other = (build_metric(TASKS[task]) for _ in range(3))
    whole.update(prediction, target)
    parts.update(*frames(task))
    parts.reset()
    for i in range(4):
        parts.update(prediction[i : i + 1], target[i : i + 1])
    other.update(prediction[4:], target[4:])
    parts.merge(other)
    assert parts.compute() == pytest.approx(whole.compute(), rel=1e-6)


@pytest.mark.parametrize('task', TASKS)
def test_no_label_gives_nan(task: str) -> None:
    metric = build_metric(TASKS[task])
    names = [entry.name for entry in TASKS[task].metrics]
    prediction, target = frames(task)
    for update in (False, True):
        if update:
            metric.update(prediction, torch.full_like(target, -1 if task == 'segmentation' else 0))
        scores = metric.compute()
        assert list(scores) == names
        assert all(math.isnan(score) for score in scores.values())


@pytest.mark.parametrize('task', TASKS)
def test_training_predictions_leave_no_graph_behind(task: str) -> None:
    metric = build_metric(TASKS[task])
    prediction, target = frames(task)
    metric.update(prediction.requires_grad_(), target)
    kept = [value for value in vars(metric).values() if not isinstance(value, int)]
    tensors = kept[0] if isinstance(kept[0], list) else kept
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors)
    assert not any(tensor.requires_grad for tensor in tensors)


def test_depth_error_is_a_mean_over_pixels() -> None:
    torch.manual_seed(1)
    prediction, depth = frames('depth')
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


@pytest.mark.parametrize('task', ['depth', 'normal'])
def test_shapes_that_would_broadcast_are_refused(task: str) -> None:
    prediction, target = frames(task)
    with pytest.raises(ValueError, match=r'Found `prediction.shape = \(1, '):
        build_metric(TASKS[task]).update(prediction[:1], target)


def test_unknown_task() -> None:
    with pytest.raises(ValueError, match='Found `task = pose`'):
        build_metric(Task('pose', 1, ()))
