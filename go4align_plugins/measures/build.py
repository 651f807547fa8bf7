"""The metric of each task of the table of benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from go4align_plugins.measures.metrics import DepthMetric, Metric, NormalMetric, SegmentationMetric
from go4align_plugins.measures.values import AttributeMetric, RegressionMetric

if TYPE_CHECKING:
    from go4align_plugins.data.table import Task

METRICS: dict[str, Callable[[Task, float], Metric]] = {
    'segmentation': lambda task, _: SegmentationMetric(task.channels),
    'depth': lambda *_: DepthMetric(),
    'normal': lambda *_: NormalMetric(),
    'regression': lambda _, scale: RegressionMetric(scale),
    'attribute': lambda *_: AttributeMetric(),
}


def build_metric(task: Task, scale: float = 1.0) -> Metric:
    """The metric of a task of :mod:`go4align_plugins.data.table`, chosen by its kind.

    Args:
        task: whose metric.
        scale: of a regression: see :class:`RegressionMetric`.

    Raises:
        ValueError: if there is no metric for a task of that kind.
    """
    if task.kind not in METRICS:
        known = ', '.join(METRICS)
        raise ValueError(f'Parameter `task` should be of kind {known}. Found `task = {task.name}`.')
    return METRICS[task.kind](task, scale)
