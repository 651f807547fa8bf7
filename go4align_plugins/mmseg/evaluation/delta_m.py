"""delta_m beside the metrics that it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric, Evaluator
from mmseg.registry import EVALUATOR

from go4align_plugins.data import Benchmark, get_benchmark
from go4align_plugins.measures import delta_m
from go4align_plugins.mmseg.evaluation.baselines import PUBLISHED, Baseline, load_baseline


@EVALUATOR.register_module()
class MTLDeltaM(Evaluator):
    """MMEngine's evaluator, which adds ``delta_m``, in percent, to the metrics; lower is better.

    It goes where all metrics go: console, ``vis_data``, TensorBoard, ``save_best='delta_m'``::

        val_evaluator = dict(
            type='MTLDeltaM',
            baseline='published',
            metrics=[
                dict(type='MTLSegmentationMetric'),
                dict(type='MTLDepthMetric'),
                dict(type='MTLNormalMetric'),
            ],
        )

    Args:
        metrics: of all tasks of the data set, each under its task's name; others are welcome.
        baseline: single-task results: task -> metric -> value; ``'published'`` (default), those of
            the paper; or paths of JSON files or run folders (see :func:`load_baseline`).

    Raises:
        ValueError: when the data set is made known, which is before training: if it is not one of
            this package's, or metrics or baselines of a task are missing.
    """

    def __init__(
        self,
        metrics: Mapping[str, Any] | BaseMetric | Sequence[Any],
        baseline: Baseline = PUBLISHED,
    ) -> None:
        super().__init__(metrics)
        self.baseline = baseline

    @Evaluator.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        """The facts of the data set: its tasks, and with them the columns of delta_m."""
        Evaluator.dataset_meta.fset(self, dataset_meta)
        if not dataset_meta or 'benchmark' not in dataset_meta:
            raise ValueError(
                'Evaluator `MTLDeltaM` should be used with a data set of this package, which tells '
                'benchmark and tasks. Use `Evaluator` with others.'
            )
        benchmark = get_benchmark(dataset_meta['benchmark'])
        tasks = benchmark.select(dataset_meta['tasks'])
        self._check_metrics([task.name for task in tasks])
        self._check_classes(benchmark, len(dataset_meta['classes']))
        columns = [(task.name, metric) for task in tasks for metric in task.metrics]
        self._names = [f'{task}/{metric.name}' for task, metric in columns]
        self._higher_is_better = [metric.higher_is_better for _, metric in columns]
        scores = load_baseline(self.baseline, benchmark)
        missing = [
            f'{task}/{metric.name}'
            for task, metric in columns
            if metric.name not in scores.get(task, {})
        ]
        if missing:
            raise ValueError(
                'Parameter `baseline` should have every metric of the tasks. '
                f'Missing: {", ".join(missing)}.'
            )
        self._baselines = [scores[task][metric.name] for task, metric in columns]

    def evaluate(self, size: int) -> dict[str, float]:
        """The metrics of all frames, and ``delta_m``.

        Args:
            size: number of frames.
        """
        metrics = super().evaluate(size)
        values = [metrics[name] for name in self._names]
        metrics['delta_m'] = delta_m(values, self._baselines, self._higher_is_better)
        return metrics

    def _check_metrics(self, tasks: Sequence[str]) -> None:
        prefixes = {metric.prefix for metric in self.metrics}
        missing = [task for task in tasks if task not in prefixes]
        if missing:
            raise ValueError(
                'Parameter `metrics` should have one for every task of the data set. Missing: '
                f'{", ".join(f"`MTL{task.title()}Metric`" for task in missing)}.'
            )

    def _check_classes(self, benchmark: Benchmark, num_classes: int) -> None:
        expected = len(benchmark.class_names)
        if self.baseline == PUBLISHED and num_classes != expected:
            raise ValueError(
                f'Parameter `baseline` should not be {PUBLISHED!r}, which is for the {expected} '
                f'classes of {benchmark.name}. Found {num_classes} classes.'
            )
