"""A benchmark's tasks as LibMTL's ``task_dict``, over the losses and metrics of ``measures``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.tasks import Task

LibMTL: Any = import_libmtl()


class TaskLoss(LibMTL.loss.AbsLoss):
    """Loss of a task, in LibMTL's form."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.loss = task.kind.loss

    def compute_loss(self, pred: Tensor, gt: Tensor) -> Tensor:
        """Compute the mean loss of a batch."""
        return self.loss(pred, gt)


class TaskMetric(LibMTL.metrics.AbsMetric):
    """Metrics of a task, in LibMTL's form: scores in the order of the benchmark's table.

    Args:
        task: the task to measure.
        scale: for a regression, the standard deviation in the published unit.
    """

    def __init__(self, task: Task, scale: float = 1.0) -> None:
        super().__init__()
        self.names = [metric.name for metric in task.metrics]
        self.metric = task.kind.metric(task, scale)

    def update_fun(self, pred: Tensor, gt: Tensor) -> None:
        """Add a batch."""
        self.metric.update(pred, gt)

    def score_fun(self) -> list[float]:
        """Compute the scores over all batches."""
        scores = self.metric.compute()
        return [scores[name] for name in self.names]

    def reinit(self) -> None:
        """Forget all batches."""
        super().reinit()
        self.metric.reset()


def build_task_dict(
    tasks: Iterable[Task], scales: Mapping[str, float] | None = None
) -> dict[str, dict[str, Any]]:
    """Build LibMTL's ``task_dict``: metrics, their directions and the loss of each task.

    Args:
        tasks: in the order of the losses.
        scales: standard deviations, of the tasks that are learned standardised.
    """
    scales = scales or {}
    return {
        task.name: {
            'metrics': [metric.name for metric in task.metrics],
            'metrics_fn': TaskMetric(task, scales.get(task.name, 1.0)),
            'loss_fn': TaskLoss(task),
            'weight': [int(metric.higher_is_better) for metric in task.metrics],
        }
        for task in tasks
    }
