"""The metrics of the tasks for MMEngine's evaluators, over those of ``measures``; and delta_m.

Each frame's counts, sums or angles, collected over all ranks, give the metrics of the whole split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, Union

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmseg.registry import EVALUATOR, METRICS
from torch import Tensor

from go4align_plugins.data import Benchmark, get_benchmark
from go4align_plugins.measures import Metric, delta_m
from go4align_plugins.measures.losses import check_same_shape
from go4align_plugins.tasks import DEPTH, MAPS, NORMAL, SEGMENTATION, Task
from go4align_plugins.utils import run_folder
from go4align_plugins.utils.files import describe_damage
from go4align_plugins.utils.options import check_choice, require

PUBLISHED = 'published'
LAST = 10  # epochs of a run that are averaged, as the papers do
Scores = Mapping[str, Mapping[str, float]]  # task -> metric -> value
Baseline = Union[str, Path, Sequence[Union[str, Path]], Scores]


@METRICS.register_module()
class MTLMetric(BaseMetric):
    """The metrics of a task, under its name: ``<task>/<metric>``.

    Reads the fields of the task's kind: ``pred_depth_map`` and ``gt_depth_map`` (C, H, W), and so
    on. Of classes, labels beyond those of the data set (mmseg's 255) are no labels.

    Args:
        *args: of mmengine's ``BaseMetric``.
        task: the name of the task. None (default): the class's own.
        **kwargs: of mmengine's ``BaseMetric``.

    Raises:
        ValueError: if the task is unknown; later, if a map is missing or does not fit.
    """

    default_prefix: str | None = None

    def __init__(self, *args: Any, task: str | None = None, **kwargs: Any) -> None:
        self.kind = MAPS[check_choice('task', task or self.default_prefix, MAPS)]
        self.default_prefix = self.kind.name
        super().__init__(*args, **kwargs)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Measure the frames of a batch."""
        metric = self._new_metric()
        names = [f'{prefix}_{self.kind.field}' for prefix in ('pred', 'gt')]
        for sample in data_samples:
            for name in names:
                require(name in sample, 'data_samples', f'hold `{name}` to be evaluated', [*sample])
            predicted, truth = (sample[name]['data'] for name in names)
            check_same_shape(predicted, truth)
            predicted = self._one_hot(predicted) if self.kind.has_classes else predicted
            truth = truth if self.kind.has_classes else truth[None]
            metric.reset()
            metric.update(predicted[None], truth.to(predicted.device))
            sums = metric.sums
            self.results.append(sums.cpu() if isinstance(sums, Tensor) else sums)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """The scores of all frames."""
        metric = self._new_metric()
        keeps_sums = isinstance(metric.sums, Tensor)
        metric.sums = torch.stack(results).sum(dim=0) if keeps_sums else [*chain(*results)]
        return metric.compute()

    def _new_metric(self) -> Metric:
        channels = self.kind.channels or len(self.dataset_meta['classes'])
        return self.kind.metric(Task(self.kind.name, channels, (), self.kind), 1.0)

    def _one_hot(self, predicted: Tensor) -> Tensor:
        """(C, H, W): 1 for the predicted class, (1, H, W), and 0 for the others."""
        num_classes, found = len(self.dataset_meta['classes']), int(predicted.max()) + 1
        rule = f'be {num_classes} in the head, as in the data set'
        require(found <= num_classes, 'num_classes', rule, found)
        classes = torch.arange(num_classes, device=predicted.device)
        return (predicted == classes[:, None, None]).byte()


@METRICS.register_module()
class MTLSegmentationMetric(MTLMetric):
    """``segmentation/mIoU`` and ``segmentation/pixAcc`` in [0, 1]."""

    default_prefix = SEGMENTATION.name


@METRICS.register_module()
class MTLDepthMetric(MTLMetric):
    """``depth/abs_err`` in the data's unit and ``depth/rel_err`` as a share; 0 is not measured."""

    default_prefix = DEPTH.name


@METRICS.register_module()
class MTLNormalMetric(MTLMetric):
    """``normal/mean``, ``normal/median``, degrees; ``normal/<11.25``, ``<22.5``, ``<30``, shares.

    A true normal of 0 is none; those predicted have any length. The exact median needs every angle:
    four bytes a pixel until the split is evaluated.
    """

    default_prefix = NORMAL.name


@EVALUATOR.register_module()
class MTLDeltaM(Evaluator):
    """MMEngine's evaluator, which adds ``delta_m``, in percent, to the metrics; lower is better.

    It goes where all metrics go: console, ``vis_data``, TensorBoard, ``save_best='delta_m'``::

        metrics = [dict(type='MTLSegmentationMetric'), dict(type='MTLDepthMetric')]
        val_evaluator = dict(type='MTLDeltaM', baseline='published', metrics=metrics)

    Args:
        metrics: of all tasks of the data set, each under its task's name; others are welcome.
        baseline: single-task results, in the units of the metrics: task -> metric -> value; or
            ``'published'`` (default), the single-task row of the paper; or the path of a JSON file
            with the mapping, or of a run folder, whose last 10 epochs are averaged; or several
            paths, as single-task runs have a folder for each task.

    Raises:
        ValueError: when the data set is made known, which is before training: if it is not one of
            this package's, or metrics or baselines of a task are missing or cannot be read.
    """

    def __init__(self, metrics: Any, baseline: Baseline = PUBLISHED) -> None:
        super().__init__(metrics)
        self.baseline = baseline

    @Evaluator.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        """The facts of the data set: its tasks, and with them the columns of delta_m."""
        Evaluator.dataset_meta.fset(self, dataset_meta)
        rule = 'be of this package for `MTLDeltaM`; use `Evaluator` with others'
        require('benchmark' in dataset_meta, 'val_dataloader.dataset', rule, [*dataset_meta])
        benchmark = get_benchmark(dataset_meta['benchmark'])
        tasks = benchmark.select(dataset_meta['tasks'])
        prefixes = [metric.prefix for metric in self.metrics]
        for task in tasks:
            rule = f'have one for {task.name}: `dict(type="MTLMetric", task="{task.name}")`'
            require(task.name in prefixes, 'metrics', rule, prefixes)
        expected, classes = len(benchmark.class_names), dataset_meta['classes']
        rule = f'be the {expected} of {benchmark.name} for the published baseline'
        require(self.baseline != PUBLISHED or len(classes) == expected, 'classes', rule, classes)
        scores = load_baseline(self.baseline, benchmark)
        known = {f'{task}/{name}': score for task in scores for name, score in scores[task].items()}
        columns = [(task.name, metric) for task in tasks for metric in task.metrics]
        self._names = [f'{task}/{metric.name}' for task, metric in columns]
        self._higher_is_better = [metric.higher_is_better for _, metric in columns]
        missing = ', '.join(name for name in self._names if name not in known)
        require(not missing, 'baseline', f'have all metrics, {missing} too', self.baseline)
        self._baselines = [known[name] for name in self._names]

    def evaluate(self, size: int) -> dict[str, float]:
        """The metrics of all frames, as many as ``size``, and ``delta_m``."""
        metrics = super().evaluate(size)
        values = [metrics[name] for name in self._names]
        metrics['delta_m'] = delta_m(values, self._baselines, self._higher_is_better)
        return metrics


def load_baseline(source: Baseline, benchmark: Benchmark) -> Scores:
    """Single-task results, task -> metric -> value; see :class:`MTLDeltaM` for their sources."""
    if isinstance(source, Mapping):
        return source
    if source == PUBLISHED:
        rule = f'be results of your own, of single tasks: none are published for {benchmark.name}'
        require(benchmark.single_task is not None, 'baseline', rule, source)
        return benchmark.single_task or {}
    scores: dict[str, Mapping[str, float]] = {}
    for path in map(Path, [source] if isinstance(source, (str, Path)) else source):
        scores.update(_read_means(path))
    return scores


def _read_means(path: Path) -> Scores:
    """The figures of a JSON file, or their means over the last epochs of a run folder."""
    is_run = path.is_dir()
    path = path / run_folder.METRICS if is_run else path
    try:
        content = path.read_bytes()
        entries = list(map(json.loads, content.splitlines()[-LAST:] if is_run else [content]))
        tests = [entry['test']['metrics'] if is_run else entry for entry in entries]
        return {
            task: {name: fmean(test[task][name] for test in tests) for name in tests[-1][task]}
            for task in tests[-1]
        }
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        rule = 'test metrics in every line' if is_run else 'tasks, their metrics and values'
        found = describe_damage(path, ValueError(repr(error)))
        raise ValueError(f'{path}: should hold {rule}, as JSON. Found: {found}.') from error
