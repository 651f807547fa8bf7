"""The demands on options and losses: range, shape, sign, and the same losses on all ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, distributed

from go4align_plugins.utils.options import require
from go4align_plugins.weighting.arrays import Array, is_followed


def check_names(names: Any, num_tasks: int) -> tuple[str, ...]:
    """Require one name a task; by default their numbers."""
    names = range(num_tasks) if names is None else names
    listed = isinstance(names, Iterable) and not isinstance(names, (str, bytes))
    found = tuple(map(str, names)) if listed else names
    require(listed and len(found) == num_tasks, 'task_names', f'have {num_tasks} names', found)
    return found


def check_losses(losses: Tensor, num_tasks: int) -> None:
    """Require (M,) floating-point numbers, outside of ``torch.func``'s transforms."""
    is_tensor = isinstance(losses, Tensor)
    if not is_tensor or losses.shape != (num_tasks,) or not losses.is_floating_point():
        kind = f'{losses.dtype} of shape {tuple(losses.shape)}' if is_tensor else type(losses)
        raise ValueError(
            f'Parameter `losses` should be a floating-point tensor of shape ({num_tasks},), one '
            f'loss a task. Found `losses` of {kind}.'
        )
    if not is_followed() and torch._C._functorch.is_functorch_wrapped_tensor(losses):
        raise ValueError(
            'Parameter `losses` should be a plain tensor. Found `losses` inside of `torch.func` '
            '(`grad`, `vmap`, ...), where no state may change. Call the weighting outside, '
            '`weights = weighting(losses)`, and hand the weights to the transformed function.'
        )


def is_distributed() -> bool:
    """Whether there are several ranks to agree with."""
    return distributed.is_available() and distributed.is_initialized()


def average_over_ranks(losses: Array) -> Array:
    """Average the losses (M,) over all ranks; -1 where one is negative on any: all ranks raise."""
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
    """Raises for negative losses: at once on the CPU; on CUDA some steps later, without waiting.

    Code that is compiled, or captured in a CUDA graph, cannot raise.
    """

    _found: Tensor

    def __init__(self, task_names: Sequence[str]) -> None:
        self.task_names = task_names
        self._seen: Tensor | None = None

    def __call__(self, losses: Tensor, negative: Array) -> float | Tensor:
        """Raise, or give each weight of a step with bad losses: 1, or NaN to show a negative."""
        if is_followed() or (losses.is_cuda and torch.cuda.is_current_stream_capturing()):
            return torch.where(negative.any(), torch.nan, 1.0)
        found = self._look_later(negative) if losses.is_cuda else negative
        if found.any():
            self._seen = None  # A caller may skip the bad batch and go on.
            names = [f'`{name}`' for name, bad in zip(self.task_names, found.tolist()) if bad]
            late, now = 'a negative one in one of the last steps', f'`losses = {losses.tolist()}`'
            raise ValueError(
                'Parameter `losses` should be non-negative (0 for a task that is absent). Found '
                f'{late if losses.is_cuda else now}, of task {", ".join(names)}. Where rounding '
                'makes it negative: `loss.clamp(min=0)`. To a loss with a lower bound add an '
                'offset that keeps it above 0. For one without, as a log-likelihood is, choose a '
                'weighting that takes any sign.'
            )
        return 1.0

    def _look_later(self, negative: Tensor) -> Tensor:
        """The findings of steps that are done; this step's are copied behind the running work."""
        if self._seen is None:
            self._found = torch.zeros(len(negative), dtype=torch.bool, pin_memory=True)
            self._seen = negative
        found, self._seen = self._found.clone(), self._seen | negative
        self._found.copy_(self._seen, non_blocking=True)
        return found

    def __reduce__(self) -> tuple[type[NegativeLossCheck], tuple[Sequence[str]]]:
        # Findings under way on a device stay there: a copy, deep or pickled, begins without.
        return type(self), (self.task_names,)
