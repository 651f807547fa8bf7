"""MMEngine's log of the latest iterations, task by task.

The values are those of its message hub, which its checkpoints hold, too: a resumed run knows what
happened before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from go4align_plugins.mmengine.optim_wrapper import TaskOptimWrapper


def latest(runner: Any, key: str, window: int) -> np.ndarray:
    """The latest values of a scalar, one an iteration; none if nothing was logged by that name."""
    buffer = runner.message_hub.log_scalars.get(key)
    return buffer.data[0][-window:] if buffer is not None else np.zeros(0)


def mean_losses(runner: Any, tasks: Sequence[str], window: int) -> dict[str, float]:
    """The loss of each task that has one: the sum of the keys ``<task>.*loss*``."""
    losses: dict[str, float] = {}
    for key in runner.message_hub.log_scalars:
        task = key.removeprefix('train/').split('.', 1)[0]
        if task in tasks and 'loss' in key:
            losses[task] = losses.get(task, 0.0) + float(latest(runner, key, window).mean())
    return losses


def mean_weights(runner: Any, tasks: Sequence[str], window: int) -> dict[str, float]:
    """Each task's weight: 1 where nothing weighs the tasks; nothing where they are not told."""
    if not isinstance(runner.optim_wrapper, TaskOptimWrapper):
        return dict.fromkeys(tasks, 1.0)
    weights = {task: latest(runner, f'train/weight/{task}', window) for task in tasks}
    return {task: float(values.mean()) for task, values in weights.items() if len(values)}


def group_shares(runner: Any, tasks: Sequence[str], window: int) -> dict[str, list[float]]:
    """The share of iterations that each task spent in each group; nothing without groups."""
    num_groups = getattr(runner.optim_wrapper, 'num_groups', None)
    if num_groups is None:
        return {}
    groups = np.arange(num_groups)
    return {
        task: (latest(runner, f'train/group/{task}', window)[:, None] == groups).mean(0).tolist()
        for task in tasks
    }


def by_task(metrics: Mapping[str, float], tasks: Sequence[str]) -> dict[str, dict[str, float]]:
    """``'depth/abs_err'`` -> ``['depth']['abs_err']``; what belongs to no task is left out."""
    return {
        task: {
            key.removeprefix(f'{task}/'): float(value)
            for key, value in metrics.items()
            if key.startswith(f'{task}/')
        }
        for task in tasks
    }
