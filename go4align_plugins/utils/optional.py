"""Packages that only some users need."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_optional(module: str, extra: str = 'libmtl', user: str = 'The data tools') -> ModuleType:
    """Import a module of an extra; where it is missing, say who need it and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'{user} need `{module.split(".")[0]}`: pip install "go4align-plugins[{extra}]"'
        ) from error
