"""Groups and weights on plain numbers: for few tasks, arithmetic costs less than any call."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed

from go4align_plugins.weighting.few import FEW, begin_runs
from go4align_plugins.weighting.small import arrays

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

HOST_LIMIT = 256 if arrays else FEW
"""Up to this many tasks a step is taken on the host: on numbers, or on arrays."""

CODES = {torch.float32: 'f', torch.float64: 'd'}
HOST_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LARGEST = {dtype: torch.finfo(dtype).max for dtype in HOST_DTYPES}


# The public name came with torch 2.3.
_is_compiling = getattr(torch.compiler, 'is_compiling', None) or torch._utils.is_compiling


def finite(numbers: Sequence[float]) -> bool:
    """Whether all are finite and at least 0."""
    return all(0.0 <= number < math.inf for number in numbers)


def fits(losses: object, num_tasks: int) -> TypeGuard[Tensor]:
    """Whether a step on these losses is taken on the host: not many, on the CPU, of one process.

    Code that is being compiled or traced keeps to tensors, which can be followed; losses that are
    not as they should be are left to the checks.
    """
    return (
        type(losses) is Tensor
        and losses.shape == (num_tasks,)
        and num_tasks <= HOST_LIMIT
        and losses.is_cpu
        and losses.dtype in HOST_DTYPES
        and not (distributed.is_available() and distributed.is_initialized())
        and not (_is_compiling() or torch.jit.is_tracing())
    )


def weigh(
    indicator: Sequence[float], losses: Sequence[float], num_groups: int
) -> tuple[list[float], list[int]]:
    r"""Eq. 2 to 4: group the tasks that are present; a task's weight is its group's mean.

    Args:
        indicator: of the M tasks, finite.
        losses: of the M tasks; 0 marks one that is absent.
        num_groups: K; no more than the distinct values are used.

    Returns:
        The weight of each task, 0 for an absent one; and its group, numbered from 0 by rising
        weight, -1 for an absent one.
    """
    weights, groups = [0.0] * len(losses), [-1] * len(losses)
    order = sorted(range(len(losses)), key=indicator.__getitem__)
    if 0.0 in losses:
        order = [task for task in order if losses[task]]
    ordered = [indicator[task] for task in order]
    begins = begin_runs(ordered, num_groups) if ordered else []
    for group, (begin, end) in enumerate(zip(begins, [*begins[1:], len(order)])):
        weight = ordered[begin] if end == begin + 1 else mean(ordered[begin:end])
        for task in order[begin:end]:
            weights[task], groups[task] = weight, group
    return weights, groups


def mean(ordered: Sequence[float]) -> float:
    """The mean of sorted numbers, summed without rounding and without overflow."""
    if ordered[0] == ordered[-1]:
        return ordered[0]
    try:
        return math.fsum(ordered) / len(ordered)
    except OverflowError:
        return math.fsum([value / len(ordered) for value in ordered])


def to_tensor(weights: Sequence[float], dtype: torch.dtype) -> Tensor:
    """A tensor (M,) on the CPU; beyond the dtype's range, its largest finite value."""
    largest = LARGEST[dtype]
    if max(weights) > largest:
        weights = [min(weight, largest) for weight in weights]
    if dtype in CODES:
        return torch.frombuffer(array(CODES[dtype], weights), dtype=dtype)
    return torch.tensor(weights, dtype=torch.float64).to(dtype)
