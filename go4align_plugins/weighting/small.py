"""Tensors of not many tasks at the least cost: by numpy, where torch shares memory with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

Array = Any
"""A tensor, or an array of numpy's."""


def _find_arrays() -> Any:
    try:
        torch.zeros(1).numpy()
    except RuntimeError:  # numpy is absent, or not the one that torch was built for
        return None
    import numpy

    return numpy


arrays = _find_arrays()
"""numpy, or None where torch does not share memory with it."""


def buffer(module: nn.Module, name: str) -> Tensor:
    """A module's buffer at once, where access as an attribute searches: half a microsecond."""
    found: Any = module._buffers[name]
    return found


def write(numbers: Any, buffer: Tensor) -> None:
    """Put numbers (M,) into a tensor (M,) on the CPU, in place."""
    if arrays:
        buffer.numpy()[:] = numbers
    else:
        buffer.copy_(torch.tensor(numbers, dtype=buffer.dtype))
