"""The demands on options and losses: range, shape, sign, and the same losses on all ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, distributed

from go4align_plugins.utils.options import require
from go4align_plugins.weighting.arrays import Array, is_followed


def check_step_size(value: Any) -> float:
    """Require a finite number of at least 0; YAML reads ``1e-4`` as text."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    # Beyond 1e100, a product with a loss could leave float64's range.
    require(number and 0 <= value <= 1e100, 'step_size', 'be finite and at least 0', value)
    return float(value)


def check_names(names: Any, num_tasks: int) -> tuple[str, ...]:
    """Require one name a task; by default their numbers."""
    names = range(num_tasks) if names is None else names
    listed = isinstance(names, Iterable) and not isinstance(names, (str, bytes))
    found = tuple(map(str, names)) if listed else names
    require(listed and len(found) == num_tasks, 'task_names', f'have {num_tasks} names', found)
    return found


def check_losses(losses: Tensor, num_tasks: int, is_followed: bool) -> None:
    """Require (M,) floating-point numbers, outside of ``torch.func``'s transforms."""
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
    if not is_followed and torch._C._functorch.is_functorch_wrapped_tensor(losses):
        raise ValueError(
            'Parameter `losses` should be a plain tensor. Found `losses` inside of `torch.func` '
            '(`grad`, `vmap`, ...), where no state may change. Call the weighting outside, '
            '`weights = weighting(losses)`, and hand the weights to the transformed function.'
        )


def is_distributed() -> bool:
    """Whether there are several ranks to agree with."""
    return distributed.is_available() and distributed.is_initialized()


def average_over_ranks(losses: Array) -> Array:
    """Average the losses (M,) over all ranks; -1 for a task whose loss is negative on any rank.

    So all ranks raise where one must, and none is left waiting.
    """
    if not is_distributed():
        return losses
    ranks = torch.as_tensor(losses)
    # A negative loss is -inf on its way, which survives a sum; another that is not finite is NaN.
    ranks = torch.where(ranks.isfinite(), torch.where(ranks < 0, -torch.inf, ranks), torch.nan)
    ranks /= distributed.get_world_size()
    distributed.all_reduce(ranks)
    mean = torch.where(ranks == -torch.inf, -1.0, ranks)
    return mean if isinstance(losses, Tensor) else mean.numpy()


class NegativeLossCheck:
    """Raises for negative losses: at once on the CPU, and without making the host wait on CUDA.

    On CUDA the finding is copied to the host behind the running work, and looked at in the later
    steps. Code that is compiled, or captured in a CUDA graph, cannot raise.
    """

    _found: Tensor

    def __init__(self, task_names: Sequence[str]) -> None:
        self.task_names = task_names
        self._seen: Tensor | None = None

    def __call__(self, losses: Tensor, negative: Array) -> float | Tensor:
        """Look at the losses (M,) of this rank, and at those negative on any (M,).

        Returns:
            The weight of every task if the step is not usable: 1; or NaN for a negative loss where
            nobody can be told of it.
        """
        if is_followed() or (losses.is_cuda and torch.cuda.is_current_stream_capturing()):
            return torch.where(negative.any(), torch.nan, 1.0)
        if losses.is_cuda:
            self._look_later(negative)
        elif negative.any():
            self._raise(negative.tolist(), f'`losses = {losses.tolist()}`')
        return 1.0

    def _look_later(self, negative: Tensor) -> None:
        if self._seen is None:
            self._found = torch.zeros(len(negative), dtype=torch.bool, pin_memory=True)
        found = self._found.tolist()
        if any(found):
            self._seen = None  # A caller may skip the bad batch and go on.
            self._raise(found, 'a negative one in one of the last steps')
        self._seen = negative if self._seen is None else self._seen | negative
        self._found.copy_(self._seen, non_blocking=True)

    def __reduce__(self) -> tuple[type[NegativeLossCheck], tuple[Sequence[str]]]:
        # Findings under way on a device stay there: a copy, deep or pickled, begins without.
        return type(self), (self.task_names,)

    def _raise(self, negative: Sequence[bool], found: str) -> None:
        names = ', '.join(f'`{name}`' for name, bad in zip(self.task_names, negative) if bad)
        raise ValueError(
            'Parameter `losses` should be non-negative (0 for a task that is absent). Found '
            f'{found}, of task {names}. Where rounding makes it negative: `loss.clamp(min=0)`. To '
            'a loss with a lower bound add an offset that keeps it above 0. For one without, such '
            'as a log-likelihood, choose a weighting that takes any sign.'
        )
