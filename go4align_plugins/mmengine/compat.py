"""What MMEngine 0.10 and mmcv-lite lack on today's torch. Each part steps aside if not needed."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Sequence
from pickle import UnpicklingError
from types import ModuleType
from typing import Any, Callable

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

COMPILED_MODULE = 'mmcv._ext'

STATISTICS = ('min', 'max', 'mean', 'current')

# The kinds of numbers that a training can leave in its log, as numpy's characters.
NUMBERS = '?bhilqBHILQefd'


def allow_checkpoints() -> None:
    """Let ``torch.load`` read MMEngine's own checkpoints, and nothing that could run code.

    Since torch 2.6 a checkpoint may hold only classes that are known to be harmless; MMEngine
    0.10.7 saves its log as one that is not known, and so cannot resume. Exactly what is in such
    checkpoints is made known: MMEngine's ``HistoryBuffer`` with its four statistics, and numpy's
    arrays of numbers. A file with anything else in it is still refused.

    Older releases of torch run what is in a file, and need nothing here.
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
            *{type(np.dtype(number)) for number in NUMBERS},
            # numpy 2 moved these; a checkpoint names the place of the numpy that it was saved by.
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
    is not found, a stand-in is imported in its place, whose operations raise when they are called.

    With any other edition of mmcv, nothing is done; one that has the compiled half keeps it.
    """
    try:
        importlib.metadata.distribution('mmcv-lite')
    except importlib.metadata.PackageNotFoundError:
        return
    if not any(isinstance(finder, OperationsFinder) for finder in sys.meta_path):
        # At the end: asked only for what no other finder has.
        sys.meta_path.append(OperationsFinder())


class OperationsFinder:
    """Finds the stand-in for ``mmcv._ext``, and makes it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The stand-in's specification, if it is asked for."""
        if name != COMPILED_MODULE:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin='go4align_plugins')  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty stand-in."""
        return MissingOperations(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: the stand-in makes its operations when they are asked for."""


class MissingOperations(ModuleType):
    """A module that has every operation, each of which raises ``ImportError`` when called."""

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
