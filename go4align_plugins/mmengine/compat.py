"""Repairs for MMEngine 0.10 and mmcv-lite on today's torch. Each does nothing if not needed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pickle import UnpicklingError
from types import ModuleType
from typing import Any, Callable

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

COMPILED_MODULE = 'mmcv._ext'
STATISTICS = ('min', 'max', 'mean', 'current')
NUMBER_TYPES = '?bhilqBHILQefd'
"""The dtypes in MMEngine's log, as numpy's characters."""


def allow_checkpoints() -> None:
    """Let ``torch.load`` read MMEngine's own checkpoints, and nothing that could run code.

    Since torch 2.6 a checkpoint may hold only classes that are known to be harmless. This adds
    exactly the content of MMEngine's: ``HistoryBuffer`` with its four statistics, and numpy's
    arrays of numbers. Older releases of torch run any code in a file, and need nothing here.
    """
    if torch.__version__ < '2.6':
        return
    safe: list[Any] = [HistoryBuffer, np.ndarray, np.dtype]
    safe += {type(np.dtype(number)) for number in NUMBER_TYPES}
    # numpy 2 moved these; a checkpoint has the name in the numpy that saved it.
    for package in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        for value in (np.zeros(0), np.float64(0)):
            rebuild: Any = value.__reduce__()[0]
            safe.append((rebuild, f'{package}.{rebuild.__name__}'))
    # A statistic is saved as a call of `getattr`, which itself could reach anything.
    torch.serialization.add_safe_globals([*safe, (_get_statistic, 'builtins.getattr')])


def _get_statistic(owner: object, name: str) -> Any:
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise UnpicklingError(f'A checkpoint should not ask for `{name}` of `{owner}`.')
    return getattr(owner, name)


def provide_mmcv_operations() -> None:
    """Make mmcv-lite sufficient for all models that call no compiled operation.

    mmcv-lite has the Python half of ``mmcv.ops``, which imports the compiled half, ``mmcv._ext``;
    so do ``mmseg.models`` and all that use it. Where that module is not found, a stand-in takes its
    place, whose operations raise when they are called. Other editions of mmcv are left alone.
    """
    try:
        importlib.metadata.distribution('mmcv-lite')
    except importlib.metadata.PackageNotFoundError:
        return
    package: Any = importlib.util.find_spec('mmcv')
    compiled = PathFinder.find_spec(COMPILED_MODULE, package.submodule_search_locations)
    if compiled is None:
        sys.modules.setdefault(COMPILED_MODULE, MissingOperations(COMPILED_MODULE))


class MissingOperations(ModuleType):
    """A module that has every operation, each of which raises ``ImportError`` when called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # MMEngine's report looks for the loader of the module.
        self.__spec__ = ModuleSpec(name, PathFinder)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith('__'):
            raise AttributeError(name)
        if name in ('get_compiler_version', 'get_compiling_cuda_version'):  # for mmcv's report
            return lambda: 'not compiled'

        def operation(*args: Any, **kwargs: Any) -> None:
            raise ImportError(
                f'This model calls `{name}`, a compiled operation that mmcv-lite does not have. '
                'Choose a model without it, or install the full mmcv: `pip uninstall mmcv-lite`, '
                'then `pip install -U openmim && mim install "mmcv>=2.0.0,<2.2.0"`.'
            )

        return operation
