"""Packages that only some users need."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_optional(module: str, extra: str = 'libmtl', user: str = 'The data tools') -> ModuleType:
    """Imports a package of an extra.

    Args:
        module: to import.
        extra: of this package, that the module's package is in.
        user: who needs it, for the message; in the plural.

    Raises:
        ImportError: if it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'{user} need `{module.split(".")[0]}`: pip install "go4align-plugins[{extra}]"'
        ) from error
