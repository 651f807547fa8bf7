"""Random predictions and targets of every kind of task, some without a label."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from go4align_plugins.data import BENCHMARKS, Task
from go4align_plugins.measures import Metric

TASKS: dict[str, Task] = {task.kind.name: task for task in BENCHMARKS['nyuv2'].tasks}
TASKS |= {task.kind.name: task for name in ('qm9', 'celeba') for task in BENCHMARKS[name].tasks[:1]}
LOSSES = {kind: task.kind.loss for kind, task in TASKS.items()}
NO_LABEL = {'segmentation': -1, 'depth': 0, 'normal': 0, 'regression': math.nan, 'attribute': -1}
CHECKED = [kind for kind in TASKS if kind != 'segmentation']
"""The kinds whose predictions have the shape of their targets."""


def build(kind: str, count: int = 6) -> tuple[Tensor, Tensor]:
    """Samples that differ in how much of them has a label."""
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


def unlabelled(kind: str, target: Tensor) -> Tensor:
    """Where a target has no label, in the shape of one channel of the prediction."""
    if kind == 'segmentation':
        return target[:, None] == -1
    if kind == 'normal':
        return target.abs().sum(1, keepdim=True) == 0
    return target.isnan() | (target == NO_LABEL[kind])


def build_metric(kind: str) -> Metric:
    """A task's metric, without a batch."""
    return TASKS[kind].kind.metric(TASKS[kind], 1.0)


def column(*values: float) -> Tensor:
    """One value a sample."""
    return torch.tensor(values)[:, None]
