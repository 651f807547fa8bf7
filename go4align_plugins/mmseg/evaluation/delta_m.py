"""delta_m beside the metrics that it is made of, against single tasks from wherever they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Union

from mmengine.evaluator import Evaluator
from mmseg.registry import EVALUATOR

from go4align_plugins.data import Benchmark, get_benchmark
from go4align_plugins.measures import delta_m
from go4align_plugins.utils.files import describe_damage
from go4align_plugins.utils.options import require
from go4align_plugins.utils.run_folder import METRICS

PUBLISHED = 'published'
LAST = 10  # epochs of a run that are averaged, as the papers do
Scores = Mapping[str, Mapping[str, float]]
"""Task -> metric -> value."""
Baseline = Union[str, Path, Sequence[Union[str, Path]], Scores]


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
        rule = f'have every metric of the tasks, {missing} too'
        require(not missing, 'baseline', rule, self.baseline)
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
    path = path / METRICS if is_run else path
    try:
        content = path.read_bytes()
        entries = list(map(json.loads, content.splitlines()[-LAST:] if is_run else [content]))
    except (OSError, ValueError, RecursionError) as error:
        found = describe_damage(path, error)
        raise ValueError(
            f'{path}: should hold JSON, a baseline of delta_m. Found: {found}.'
        ) from error
    try:
        tests = [entry['test']['metrics'] if is_run else entry for entry in entries]
        return {
            task: {name: fmean(test[task][name] for test in tests) for name in tests[-1][task]}
            for task in tests[-1]
        }
    except (KeyError, TypeError, IndexError, ValueError, OverflowError) as error:
        rule = 'test metrics in every line' if is_run else 'tasks, their metrics and values'
        raise ValueError(f'{path}: should hold {rule}. {error!r}') from error
