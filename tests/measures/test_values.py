"""Losses and metrics of one value a sample: by hand, missing labels, batches."""

from __future__ import annotations

import math

import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.measures import (
    AttributeMetric,
    RegressionMetric,
    attribute_loss,
    regression_loss,
)

TASKS = {'regression': get_benchmark('qm9').tasks[0], 'attribute': get_benchmark('celeba').tasks[0]}
LOSSES = {'regression': regression_loss, 'attribute': attribute_loss}
MISSING = {'regression': math.nan, 'attribute': -1.0}


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def samples(kind: str, count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and targets, a third of which are missing."""
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, count, 1, generator=generator)
    target = target if kind == 'regression' else (target > 0.5).float()
    missing = torch.rand(count, 1, generator=generator) < 1 / 3
    return prediction, torch.where(missing, MISSING[kind], target)


def test_squared_error_by_hand() -> None:
    assert regression_loss(column(1, 5, 9), column(2, 2, math.nan)).item() == (1 + 9) / 2


def test_binary_cross_entropy_by_hand() -> None:
    loss = attribute_loss(column(math.log(3), math.log(3), 7), column(1, 0, -1))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_absolute_error_by_hand_in_its_own_unit() -> None:
    metric = RegressionMetric(scale=10)
    metric.update(column(1, 5, 9), column(2, 2, math.nan))
    assert metric.compute() == {'MAE': 10 * (1 + 3) / 2}


def test_f1_by_hand() -> None:
    metric = AttributeMetric()
    metric.update(column(2, 1, 0.5, -1, -2, 0, 8), column(1, 1, 0, 1, 0, 1, -1))
    # 2 found of 4, with 1 false alarm: precision 2/3, recall 1/2. A logit of 0 does not find.
    precision, recall = 2 / 3, 1 / 2
    expected = 2 * precision * recall / (precision + recall)
    assert metric.compute() == pytest.approx({'F1': expected})


@pytest.mark.parametrize('label', [0.0, 1.0])
def test_f1_of_an_attribute_that_is_never_found_is_0(label: float) -> None:
    metric = AttributeMetric()
    metric.update(column(-1, -1), column(label, 0))
    assert metric.compute() == {'F1': 0.0}


@pytest.mark.parametrize('kind', LOSSES)
def test_missing_labels_do_not_count(kind: str) -> None:
    prediction, target = samples(kind)
    there = ~(target.isnan() | (target == -1))
    assert 0 < there.sum() < len(there)
    kept = LOSSES[kind](prediction[there][:, None], target[there][:, None])
    torch.testing.assert_close(LOSSES[kind](prediction, target), kept)


@pytest.mark.parametrize('kind', LOSSES)
def test_no_label_gives_an_exact_zero_with_zero_gradient_and_a_score_of_nan(kind: str) -> None:
    prediction = torch.randn(4, 1, requires_grad=True)
    target = torch.full((4, 1), MISSING[kind])
    loss = LOSSES[kind](prediction, target)
    loss.backward()
    assert loss.item() == 0
    assert not prediction.grad.any()
    metric = TASKS[kind].kind.metric(TASKS[kind], 1.0)
    assert all(map(math.isnan, metric.compute().values()))
    metric.update(prediction, target)
    assert all(map(math.isnan, metric.compute().values()))


@pytest.mark.parametrize('kind', LOSSES)
def test_half_precision_is_computed_in_float32(kind: str) -> None:
    prediction, target = samples(kind)
    loss = LOSSES[kind](prediction.half(), target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[kind](prediction.half().float(), target))


@pytest.mark.parametrize('kind', LOSSES)
def test_batches_merging_and_reset_do_not_matter(kind: str) -> None:
    prediction, target = samples(kind)
    whole, parts, other = (TASKS[kind].kind.metric(TASKS[kind], 1.0) for _ in range(3))
    whole.update(prediction, target)
    parts.update(-prediction, target)
    parts.reset()
    for batch in ((0, 7), (7, 8)):
        parts.update(prediction[slice(*batch)], target[slice(*batch)])
    other.update(prediction[8:], target[8:])
    parts.merge(other)
    assert parts.compute() == pytest.approx(whole.compute())
    assert list(whole.compute()) == [metric.name for metric in TASKS[kind].metrics]


@pytest.mark.parametrize('kind', LOSSES)
def test_shapes_that_would_broadcast_are_refused(kind: str) -> None:
    prediction, target = samples(kind)
    for measure in (LOSSES[kind], TASKS[kind].kind.metric(TASKS[kind], 1.0).update):
        with pytest.raises(ValueError, match='should have the shape of its target'):
            measure(prediction, target[:, 0])
