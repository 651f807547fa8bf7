"""Import LibMTL, whichever release is installed, on today's torch.

PyPI's LibMTL 1.1.5 (2021) and GitHub's main have the same version number: each difference is found
by looking at the package.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import torch

REMOVED_MODULE = 'torchvision.models.utils'


def import_libmtl() -> Any:
    """Import the package ``LibMTL``.

    LibMTL 1.1.5 imports ``torchvision.models.utils``, which torchvision removed in 0.13. Its one
    function is also in ``torch.hub``, which stands in for it while LibMTL is imported.

    Raises:
        ImportError: if LibMTL, or a package that it imports, is not installed; the message names
            the extra.
    """
    stand_in = not _exists(REMOVED_MODULE)
    if stand_in:
        sys.modules[REMOVED_MODULE] = torch.hub
    try:
        library = importlib.import_module('LibMTL')
        importlib.import_module('LibMTL.config')
    except ModuleNotFoundError as error:
        missing = (error.name or 'LibMTL').split('.')[0]
        extra = 'libmtl' if missing in ('LibMTL', 'torchvision', 'scipy') else 'libmtl-main'
        raise ImportError(
            f'go4align_plugins.libmtl needs {missing}, which is not installed: '
            f'pip install "go4align-plugins[{extra}]"'
        ) from error
    finally:
        if stand_in:
            del sys.modules[REMOVED_MODULE]
    return library


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def default_device(gpu_id: str = '0') -> torch.device:
    """Choose the CUDA device of that number, or the CPU where there is none."""
    return torch.device(f'cuda:{gpu_id}' if torch.cuda.is_available() else 'cpu')
