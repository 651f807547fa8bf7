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

    Since torch 2.6 a checkpoint may hold only classes that are known to be harmless. MMEngine
    0.10.7 saves its log as a class that is not known, and so cannot resume. This adds exactly the
    content of its checkpoints: ``HistoryBuffer`` with its four statistics, and numpy's arrays of
    numbers. A file with anything else in it is still refused.

    Older releases of torch run any code in a file, and need nothing here.
    """
    if torch.__version__ < '2.6':
        return
    rebuild_array: Any = np.zeros(0).__reduce__()[0]
    rebuild_scalar: Any = np.float64(0).__reduce__()[0]
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            # A statistic is saved as a call of `getattr`, which itself could reach anything.
            (_get_statistic, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            *{type(np.dtype(number)) for number in NUMBER_TYPES},
            # numpy 2 moved these; a checkpoint has the name in the numpy that saved it.
            *(
                (function, f'numpy.{package}.multiarray.{function.__name__}')
                for function in (rebuild_array, rebuild_scalar)
                for package in ('core', '_core')
            ),
        ]
    )


def _get_statistic(owner: object, name: str) -> Any:
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise UnpicklingError(f'A checkpoint should not ask for `{name}` of `{owner}`.')
    return getattr(owner, name)


def provide_mmcv_operations() -> None:
    """Make mmcv-lite sufficient for all models that call no compiled operation.

    mmcv-lite has the Python half of ``mmcv.ops``, which fails on importing the compiled half,
    ``mmcv._ext``; so do ``mmseg.models`` and all that import a single name of it. Where that module
    is not found, a stand-in takes its place, whose operations raise when they are called.

    With any other edition of mmcv, nothing is done; one that has the compiled half keeps it.
    """
    try:
        importlib.metadata.distribution('mmcv-lite')
    except importlib.metadata.PackageNotFoundError:
        return
    package = importlib.util.find_spec('mmcv')
    if package is None or COMPILED_MODULE in sys.modules:
        return
    if PathFinder.find_spec(COMPILED_MODULE, package.submodule_search_locations) is None:
        sys.modules[COMPILED_MODULE] = MissingOperations(COMPILED_MODULE)


class MissingOperations(ModuleType):
    """A module that has every operation, each of which raises ``ImportError`` when called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # MMEngine looks for the loader of the module to see whether it is there.
        self.__spec__ = ModuleSpec(name, PathFinder)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith('__'):
            raise AttributeError(name)
        if name in ('get_compiler_version', 'get_compiling_cuda_version'):
            # Called for mmcv's report of the environment.
            return lambda: 'not compiled'

        def operation(*args: Any, **kwargs: Any) -> None:
            raise ImportError(
                f'This model calls `{name}`, a compiled operation that mmcv-lite does not have. '
                'Choose a model without it, or install the full mmcv: `pip uninstall mmcv-lite`, '
                'then `pip install -U openmim && mim install "mmcv>=2.0.0,<2.2.0"`.'
            )

        return operation
