"""Read run folders, one training run each, whatever framework trained it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from go4align_plugins.data import get_benchmark
from go4align_plugins.utils.options import require
from go4align_plugins.utils.run_folder import CONFIG, METRICS

SINGLE_TASK, EQUAL_WEIGHTING = 'STL', 'EW'
REQUIRED = {
    'benchmark': str, 'tasks': list, 'weighting': str, 'protocol': str, 'arch': str,
    'backbone': str, 'epochs': int, 'seed': int,
}  # fmt: skip
TYPES = {**REQUIRED, 'weight_args': dict, 'num_frames': dict}  # options that tables show


@dataclass(frozen=True)
class Run:
    """One training run: its folder, ``config.json``, and ``metrics.jsonl`` epoch by epoch."""

    folder: Path
    config: Mapping[str, Any]
    epochs: tuple[Mapping[str, Any], ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks that it trained."""
        return tuple(self.config['tasks'])

    @property
    def single_task(self) -> bool:
        """Whether it trained one task alone, so that it is a baseline."""
        return len(self.tasks) == 1

    @property
    def label(self) -> str:
        """The name of its method: the weighting, or ``STL`` for a task trained alone."""
        return SINGLE_TASK if self.single_task else self.config['weighting']

    @property
    def seconds(self) -> float:
        """Seconds that an epoch's training takes: the median, as the first one also warms up."""
        return median(entry['seconds']['train'] for entry in self.epochs)

    def final(self, last: int = 10) -> dict[str, dict[str, float]]:
        """Average test metrics, as stored, over the last epochs, as the papers do.

        A shorter run is averaged as a whole.

        Raises:
            ValueError: if ``last`` is below 1.
        """
        require(last >= 1, 'last', 'be at least 1', last)
        tests = [entry['test']['metrics'] for entry in self.epochs[-last:]]
        means: dict[str, dict[str, float]] = {}
        for task in self.tasks:
            names = [name for name in tests[-1][task] if all(name in test[task] for test in tests)]
            means[task] = {name: fmean(test[task][name] for test in tests) for name in names}
        return means

    def curve(self, task: str, metric: str) -> list[float]:
        """A test metric, epoch by epoch."""
        return [entry['test']['metrics'][task][metric] for entry in self.epochs]

    def relative_weights(self) -> np.ndarray:
        """Divide weights, (epochs, tasks), by the mean of their epoch; NaN without any weight.

        Raises:
            ValueError: if a weight is not recorded.
        """
        try:
            weights = [[entry['weights'][task] for task in self.tasks] for entry in self.epochs]
            values = np.array(weights, dtype=float)
        except (KeyError, TypeError, ValueError) as error:
            rule = 'should hold the weights of every task'
            raise ValueError(f'{self.folder} {rule}. {error}') from error
        with np.errstate(invalid='ignore'):
            return values / values.mean(axis=1, keepdims=True)


def load_run(folder: str | Path) -> Run:
    """Read a run folder: ``config.json`` and ``metrics.jsonl``.

    A last line that is only half written, as a killed run leaves it, is ignored with a warning.
    Of an epoch that appears twice, as a resumed run leaves it, the later line counts.

    Raises:
        ValueError: if a file is missing or broken; the message names it.
    """
    path = Path(folder, CONFIG)
    try:
        config = json.loads(path.read_bytes())
        path = Path(folder, METRICS)
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ValueError(f'{path} should be a file of a run. {error.strerror}.') from error
    except ValueError as error:
        raise ValueError(f'{path} should hold one JSON object. {error}') from error
    epochs = []
    for number, line in enumerate(lines, start=1):
        try:
            epochs.append(json.loads(line))
        except ValueError as error:
            where = f'{path}, line {number},'
            if number < len(lines):
                raise ValueError(f'{where} should be a JSON object. {error}') from error
            warnings.warn(f'{where} is only half written and is ignored.', stacklevel=2)
    return check_run(Run(Path(folder), config, tuple(epochs)))


def check_run(run: Run) -> Run:
    """Refuse a run that lacks a figure of the tables; of an epoch's entries keep the last."""
    path, config = run.folder / CONFIG, _plain(run.config) if isinstance(run.config, dict) else {}
    for key, kind in TYPES.items():
        value = config.get(key)
        if type(value) is not kind and (key in REQUIRED or value is not None):
            raise ValueError(f'{path}: `{key}` should be a {kind.__name__}. Found {value!r:.80}.')
    try:
        tasks = get_benchmark(config['benchmark']).select(config['tasks'])
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    path, epochs = run.folder / METRICS, {}
    for number, entry in enumerate(run.epochs, start=1):
        where = f'{path}, line {number},'
        try:
            figures = {'epoch': entry['epoch'], 'seconds': entry['seconds']['train']}
            for task in tasks:
                own = entry['test']['metrics'][task.name]
                for name in (*(metric.name for metric in task.metrics), *own):
                    figures[f'{task.name} {name}'] = own[name]
        except (KeyError, TypeError) as error:
            rule = 'should hold epoch, seconds and every test metric'
            raise ValueError(f'{where} {rule}. Missing: {error}.') from error
        for name, value in figures.items():
            if type(value) not in ((int,) if name == 'epoch' else (int, float)):
                raise ValueError(f'{where} should hold a number as {name}. Found {value!r}.')
        epochs[figures['epoch']] = entry
    found = sorted(epochs)
    if not found or found != list(range(len(found))):
        raise ValueError(f'{path} should hold every epoch from 0 on. Found {found or "none"}.')
    return replace(run, config=config, epochs=tuple(map(epochs.__getitem__, found)))


def _plain(value: Any, depth: int = 2) -> Any:
    """Make texts printable; deeper ones are only ever shown by their ``repr``."""
    if isinstance(value, dict) and depth:
        return {printable(key): _plain(own, depth - 1) for key, own in value.items()}
    return printable(value) if isinstance(value, str) else value


def printable(text: str) -> str:
    """Replace every character that could steer a terminal by a blank."""
    return ''.join(character if character.isprintable() else ' ' for character in text)


def by_method(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Group runs by their method, methods in the order of their first run.

    Runs of one weighting with other arguments are another method: the arguments that differ are
    then added to the label, as in ``GO4Align (num_groups=3)``.
    """
    variants: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        arguments = {} if run.single_task else run.config.get('weight_args') or {}
        key = json.dumps(arguments, sort_keys=True)
        variants.setdefault(run.label, {}).setdefault(key, []).append(run)
    methods = {}
    for label, groups in variants.items():
        decoded = [json.loads(key) for key in groups]
        for own, group in zip(decoded, groups.values()):
            names = [n for n in own if any(other.get(n) != own[n] for other in decoded)]
            distinct = ', '.join(f'{name.removeprefix(label + "_")}={own[name]}' for name in names)
            methods[f'{label} ({distinct})' if distinct else label] = group
    return methods
