"""One code for tensors and for numpy's arrays, which cost less for tens of tasks on the CPU."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

Array = Any  # a tensor, or an array of numpy's

numpy: Any = None
# Where numpy is absent, or not of the version that torch was built for, tensors do all.
with suppress(RuntimeError):
    torch.zeros(1).numpy()
    numpy = importlib.import_module('numpy')

# The public name came with torch 2.3.
_is_compiling = getattr(torch.compiler, 'is_compiling', None) or torch._utils.is_compiling


def is_followed() -> bool:
    """Whether this code is compiled or traced: then it may not branch on numbers."""
    return _is_compiling() or torch.jit.is_tracing()


def namespace(array: Array) -> Any:
    """The library of an array: torch or numpy."""
    return torch if isinstance(array, Tensor) else numpy


def as_array(tensor: Tensor) -> Array:
    """View a tensor as numpy's array, where that may be."""
    return tensor.numpy() if tensor.is_cpu and numpy and not is_followed() else tensor


def positions(like: Array, size: int) -> Array:
    """The numbers 0 .. size - 1, of the kind and on the device of another array."""
    device = {'device': like.device} if isinstance(like, Tensor) else {}
    return namespace(like).arange(size, **device)
