"""A benchmark's tasks as LibMTL's ``task_dict``, over the losses and metrics of ``measures``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from go4align_plugins.benchmarks import Task
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.measures import LOSSES, build_metric

LibMTL: Any = import_libmtl()


class DenseLoss(LibMTL.loss.AbsLoss):
    """The loss of a task, in LibMTL's form."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.loss = LOSSES[task.name]

    def compute_loss(self, pred: Tensor, gt: Tensor) -> Tensor:
        """The mean loss of a batch."""
        return self.loss(pred, gt)


class DenseMetric(LibMTL.metrics.AbsMetric):
    """The metrics of a task, in LibMTL's form: scores in the order of the benchmark's table."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.names = [metric.name for metric in task.metrics]
        self.metric = build_metric(task)

    def update_fun(self, pred: Tensor, gt: Tensor) -> None:
        """Add a batch."""
        self.metric.update(pred, gt)

    def score_fun(self) -> list[float]:
        """The scores over all batches."""
        scores = self.metric.compute()
        return [scores[name] for name in self.names]

    def reinit(self) -> None:
        """Forget all batches."""
        super().reinit()
        self.metric.reset()


def build_task_dict(tasks: Iterable[Task]) -> dict[str, dict[str, Any]]:
    """LibMTL's ``task_dict``: metrics, their directions and the loss of each task."""
    return {
        task.name: {
            'metrics': [metric.name for metric in task.metrics],
            'metrics_fn': DenseMetric(task),
            'loss_fn': DenseLoss(task),
            'weight': [int(metric.higher_is_better) for metric in task.metrics],
        }
        for task in tasks
    }
