"""Which task each of a model's losses belongs to, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from mmengine.dist import all_gather_object
from torch import Tensor


class TaskPatterns:
    """Tells the task of a loss by the loss's key.

    Args:
        tasks: task name -> glob patterns of the loss keys that belong to it, e.g.
            ``{'segmentation': ['decode.*', 'aux_*'], 'depth': ['depth_*']}``; a single pattern may
            stand without its list. None: the task is the part of the key before the first dot
            (``depth.loss_l1`` -> ``depth``), or the key itself where it has none.

    Raises:
        ValueError: if ``tasks`` is neither None nor a mapping of names to patterns.
    """

    def __init__(self, tasks: Mapping[str, str | Sequence[str]] | None = None) -> None:
        self._patterns: dict[str, list[str]] | None = None
        if tasks is None:
            return
        if not isinstance(tasks, Mapping) or not tasks:
            raise ValueError(
                'Parameter `tasks` should map the name of each task to the patterns of its loss '
                f"keys, e.g. `{{'depth': ['depth.*']}}`, or be None. Found `tasks = {tasks!r}`."
            )
        self._patterns = {str(name): _as_patterns(name, tasks[name]) for name in tasks}

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks in their order, if they are given; empty if the loss keys will tell."""
        return tuple(self._patterns or ())

    def __call__(self, key: str) -> str:
        """The task of the loss ``key``.

        Raises:
            ValueError: if no task or more than one claims the key.
        """
        if self._patterns is None:
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


def union_over_ranks(names: Iterable[str]) -> list[str]:
    """The tasks that any rank has seen, in the same order on all: some may lack one at first."""
    seen = all_gather_object(list(names))
    return list(dict.fromkeys(name for ranks_names in seen for name in ranks_names))


def sum_by_task(
    terms: Mapping[str, Tensor], tasks: Mapping[str, str], names: Sequence[str]
) -> Tensor:
    """The loss of each task, with its graph.

    Args:
        terms: loss key -> (): its value.
        tasks: loss key -> task.
        names: the M tasks in order.

    Returns:
        (M,) in float32 at least; 0 for a task without a loss.
    """
    losses: dict[str, Tensor] = {}
    for key, value in terms.items():
        name = tasks[key]
        value = value.to(torch.promote_types(value.dtype, torch.float32))
        losses[name] = losses[name] + value if name in losses else value
    absent = torch.zeros_like(next(iter(losses.values())))
    return torch.stack([losses.get(name, absent) for name in names])


def _as_patterns(name: str, patterns: str | Sequence[str]) -> list[str]:
    listed = [patterns] if isinstance(patterns, str) else patterns
    kind = isinstance(listed, (list, tuple)) and bool(listed)
    if not kind or not all(isinstance(pattern, str) and pattern for pattern in listed):
        raise ValueError(
            f'Parameter `tasks` should give task `{name}` at least one pattern of loss keys. '
            f'Found `{name!r}: {patterns!r}`.'
        )
    return list(listed)
