"""The tasks of a model: the losses that belong to each, and their sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

TaskPatterns = Mapping[str, 'str | Sequence[str]']


class TaskLosses:
    """Sums a model's losses by task.

    Args:
        tasks: task name -> glob patterns of the loss keys that belong to it, e.g.
            ``{'segmentation': ['decode.*', 'aux_*'], 'depth': ['depth_*']}``; a single pattern may
            stand without its list. None: the task is the part of the key before the first dot
            (``depth.loss_l1`` -> ``depth``), or the key itself where it has none.

    Raises:
        ValueError: if ``tasks`` is neither None nor a mapping of names to patterns.
    """

    names: tuple[str, ...]
    """The tasks in their order; empty until ``sum`` has seen the first losses."""
    resumed: bool = False
    """Whether the tasks come from a checkpoint."""

    def __init__(self, tasks: TaskPatterns | None = None) -> None:
        if tasks is not None and (not isinstance(tasks, Mapping) or not tasks):
            raise ValueError(
                'Parameter `tasks` should map the name of each task to the patterns of its loss '
                f"keys, e.g. `{{'depth': ['depth.*']}}`, or be None. Found `tasks = {tasks!r}`."
            )
        self._patterns = {str(name): _as_list(name, value) for name, value in (tasks or {}).items()}
        self.names = tuple(self._patterns)

    def find_task(self, key: str) -> str:
        """Find the task of the loss ``key``.

        Raises:
            ValueError: if no task or more than one claims the key.
        """
        if not self._patterns:
            return key.split('.', 1)[0]
        claims = [
            name
            for name, patterns in self._patterns.items()
            if any(fnmatchcase(key, pattern) for pattern in patterns)
        ]
        if len(claims) != 1:
            raise ValueError(
                f'Parameter `tasks` should assign the loss `{key}` to exactly one task. '
                f'Found {" and ".join(f"`{name}`" for name in claims) or "none"} of '
                f'`tasks = {self._patterns}`.'
            )
        return claims[0]

    def sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Sum the losses of each task, with their graph.

        The first call fixes the tasks where they are not given. All ranks then have the same, since
        some may lack a task at first.

        Args:
            terms: loss key -> (): its value.

        Returns:
            (M,) in float32 at least; 0 for a task without a loss.

        Raises:
            ValueError: if a loss belongs to no task or to two.
        """
        tasks = {key: self.find_task(key) for key in terms}
        if not self.names:
            gathered = all_gather_object(list(tasks.values()))
            self.names = tuple(dict.fromkeys(name for names in gathered for name in names))
        losses: dict[str, Tensor] = {}
        for key, value in terms.items():
            name = tasks[key]
            if name not in self.names:
                raise self._explain_unknown(key)
            value = value.to(torch.promote_types(value.dtype, torch.float32))
            losses[name] = losses[name] + value if name in losses else value
        absent = torch.zeros_like(next(iter(losses.values())))
        return torch.stack([losses.get(name, absent) for name in self.names])

    def _explain_unknown(self, key: str) -> ValueError:
        found = f'Found the loss `{key}`, and the tasks `{self.names}`.'
        if self.resumed:
            return ValueError(
                f'A run should be resumed with the tasks of its checkpoint. {found} Give it to '
                'one of these by `tasks`, or begin a new run from the trained parameters, by '
                '`load_from` without `resume`.'
            )
        return ValueError(
            'Parameter `tasks` should name all tasks where the first iteration does not show '
            f'them all. {found}'
        )


def _as_list(name: str, patterns: str | Sequence[str]) -> list[str]:
    listed = [patterns] if isinstance(patterns, str) else patterns
    is_list = isinstance(listed, (list, tuple)) and bool(listed)
    if not is_list or not all(isinstance(pattern, str) and pattern for pattern in listed):
        raise ValueError(
            f'Parameter `tasks` should give task `{name}` at least one pattern of loss keys. '
            f'Found `{name!r}: {patterns!r}`.'
        )
    return list(listed)
