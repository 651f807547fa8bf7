"""Packages that only some users need."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_optional(module: str) -> ModuleType:
    """Imports a package of the ``libmtl`` extra.

    Raises:
        ImportError: if it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'The data tools need `{module.split(".")[0]}`: pip install "go4align-plugins[libmtl]"'
        ) from error
