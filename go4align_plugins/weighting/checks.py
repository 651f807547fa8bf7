"""What is asked of the losses before they count: shape, sign, and the same on all ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, distributed


def check_whole(name: str, value: Any, low: int, high: float, remark: str = '') -> int:
    """A whole number between bounds; configs and command lines may hold anything in its place.

    Raises:
        ValueError: if it is none; the message names the parameter.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and low <= value <= high):
        bounds = f'at least {low}' if high == math.inf else f'between {low} and {high}'
        raise ValueError(
            f'Parameter `{name}` should be {bounds}{remark}{"" if whole else ", a whole number"}. '
            f'Found `{name} = {value!r}`.'
        )
    return int(value)


def check_step_size(value: Any) -> float:
    """A finite number of at least 0; YAML reads ``1e-4`` as text.

    Raises:
        ValueError: if it is none.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    # A whole number may be too large to be one of float's.
    if not (number and 0 <= value < math.inf and value <= 1e308):
        raise ValueError(
            f'Parameter `step_size` should be finite and at least 0. Found `step_size = {value!r}`.'
        )
    return float(value)


def check_switch(name: str, value: Any) -> bool:
    """True or False; a text such as ``'false'`` would be taken for True.

    Raises:
        ValueError: if it is neither.
    """
    if value not in (True, False):
        raise ValueError(f'Parameter `{name}` should be True or False. Found `{name} = {value!r}`.')
    return bool(value)


def check_names(names: Any, num_tasks: int) -> tuple[str, ...]:
    """The tasks' names, by default their numbers.

    Raises:
        ValueError: if there are not as many as tasks.
    """
    if names is None:
        return tuple(map(str, range(num_tasks)))
    listed = isinstance(names, Iterable) and not isinstance(names, (str, bytes))
    found = tuple(map(str, names)) if listed else names
    if not listed or len(found) != num_tasks:
        raise ValueError(
            f'Parameter `task_names` should have {num_tasks} names. Found `task_names = {found!r}`.'
        )
    return found


def check_shape(losses: Tensor, num_tasks: int) -> None:
    """Refuse anything but ``num_tasks`` floating-point numbers.

    Raises:
        ValueError: if the losses are of another shape or kind.
    """
    if not isinstance(losses, Tensor) or not losses.is_floating_point():
        found = losses.dtype if isinstance(losses, Tensor) else type(losses).__name__
        raise ValueError(
            f'Parameter `losses` should be a floating-point tensor. Found `losses` of {found}.'
        )
    if losses.shape != (num_tasks,):
        raise ValueError(
            f'Parameter `losses` should be of shape ({num_tasks},), one loss a task. '
            f'Found `losses.shape = {tuple(losses.shape)}`.'
        )


def average_over_ranks(losses: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss of each task over all ranks, by one small all-reduce.

    Args:
        losses: (M,) float64, this rank's.

    Returns:
        The losses (M,) and which of them are negative (M,) on any rank, so that all ranks raise
        where one must, and none is left waiting.
    """
    negative = (losses < 0) & losses.isfinite()
    if not (distributed.is_available() and distributed.is_initialized()):
        return losses, negative
    both = torch.stack([losses / distributed.get_world_size(), negative.to(losses)])
    distributed.all_reduce(both)
    return both[0], both[1] > 0


class NegativeLossCheck:
    """Raises for negative losses: at once on the CPU, and without making the host wait on CUDA.

    On CUDA the finding is copied to the host behind the running work, and looked at in a later step
    once it is there.
    """

    def __init__(self, task_names: Sequence[str]) -> None:
        self.task_names = task_names
        self._seen: Tensor | None = None
        self._pending: tuple[Tensor, torch.cuda.Event] | None = None

    def __call__(self, losses: Tensor, negative: Tensor) -> None:
        """Look at one step.

        Args:
            losses: (M,) as the user gave them.
            negative: (M,) bool: which are negative on any rank.

        Raises:
            ValueError: if one is negative; the message names the task.
        """
        if not losses.is_cuda:
            if negative.any():
                self._raise(negative, f'Found `losses = {losses.tolist()}`')
            return
        if self._pending is not None and self._pending[1].query():
            if self._pending[0].any():
                self._raise(self._pending[0], 'Found a negative one in one of the last steps')
            self._pending = None
        self._seen = negative if self._seen is None else self._seen | negative
        if self._pending is None:
            host = torch.empty(len(negative), dtype=torch.bool, pin_memory=True)
            host.copy_(self._seen, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            self._seen, self._pending = None, (host, event)

    def __deepcopy__(self, memo: object) -> NegativeLossCheck:
        return type(self)(self.task_names)

    def __reduce__(self) -> tuple[type[NegativeLossCheck], tuple[Sequence[str]]]:
        # What is under way on a device stays there: a copy begins anew.
        return type(self), (self.task_names,)

    def _raise(self, negative: Tensor, found: str) -> None:
        names = [name for name, bad in zip(self.task_names, negative.tolist()) if bad]
        # The next call begins anew: a caller may skip the bad batch and go on.
        self._seen = self._pending = None
        raise ValueError(
            'Parameter `losses` should be non-negative (0 for a task that is absent). '
            f'{found}, of task {", ".join(f"`{name}`" for name in names)}.'
        )
