"""Single-task results that delta_m compares with, from wherever they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Union

from go4align_plugins.data import Benchmark
from go4align_plugins.utils.files import describe_damage
from go4align_plugins.utils.run_folder import METRICS

PUBLISHED = 'published'
LAST = 10
"""Epochs of a run that are averaged, as the papers do."""

Scores = Mapping[str, Mapping[str, float]]
"""Task -> metric -> value."""
Baseline = Union[str, Path, Sequence[Union[str, Path]], Scores]


def load_baseline(source: Baseline, benchmark: Benchmark) -> Scores:
    """Single-task results.

    Args:
        source: task -> metric -> value; or ``'published'``, the single-task row of the paper; or
            the path of a JSON file with such a mapping, or of a run folder, whose last 10 epochs
            are averaged; or several such paths, as single-task runs have a folder for each task.
        benchmark: whose results they are.

    Returns:
        Task -> metric -> value, in the units of the metrics: shares in [0, 1].

    Raises:
        ValueError: if nothing is published, or a file cannot be read or holds something else.
    """
    if source == PUBLISHED:
        if benchmark.single_task is None:
            raise ValueError(
                f'Parameter `baseline` should be results of your own, such as the run folders of '
                f'three single-task runs: none are published for {benchmark.name}. '
                f'Found `baseline = {PUBLISHED!r}`.'
            )
        return benchmark.single_task
    if isinstance(source, Mapping):
        return source
    paths = [source] if isinstance(source, (str, Path)) else source
    scores: dict[str, Mapping[str, float]] = {}
    for path in map(Path, paths):
        scores.update(_read_run(path / METRICS) if path.is_dir() else _read_json(path))
    return scores


def _read_json(path: Path) -> Scores:
    loaded = _parse(path, _read(path))
    if not isinstance(loaded, dict) or not all(map(_are_figures, loaded.values())):
        raise ValueError(f'{path}: should map tasks to metrics to values. Found {loaded!r:.80}.')
    return loaded


def _are_figures(metrics: Any) -> bool:
    return isinstance(metrics, dict) and all(
        isinstance(figure, (int, float)) and not isinstance(figure, bool)
        for figure in metrics.values()
    )


def _read_run(path: Path) -> Scores:
    """Test metrics, averaged over the last epochs."""
    lines = _read(path).splitlines()[-LAST:]
    try:
        tests = [_parse(path, line)['test']['metrics'] for line in lines]
        return {
            task: {name: fmean(test[task][name] for test in tests) for name in tests[-1][task]}
            for task in tests[-1]
        }
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f'{path}: should hold test metrics in every line. {error!r}') from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(
            f'{path}: should be a JSON file or a run folder, the baseline of delta_m. '
            f'{error.strerror}.'
        ) from error


def _parse(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        found = describe_damage(path, error)
        raise ValueError(f'{path}: should hold JSON. Found: {found}.') from error
