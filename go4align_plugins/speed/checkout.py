"""LibMTL's examples, which its packages leave out: from a checkout of its repository."""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path
from types import ModuleType

VARIABLE = 'LIBMTL_MAIN'


def add_checkout_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the checkout is."""
    parser.add_argument(
        '--libmtl',
        type=Path,
        default=os.environ.get(VARIABLE),
        metavar='DIR',
        help=f"a checkout of LibMTL's repository, for its examples (${VARIABLE}; without one they "
        'are left out)',
    )


def import_example(checkout: Path | None, name: str) -> ModuleType | None:
    """A module of LibMTL's NYUv2 example; None without a checkout.

    Args:
        checkout: the folder.
        name: of the module.

    Raises:
        ValueError: if the folder has no such example.
    """
    if checkout is None:
        return None
    path = Path(checkout, 'examples/nyu', f'{name}.py')
    if not path.is_file():
        raise ValueError(
            f'Parameter `libmtl` should be a checkout of LibMTL with {path.relative_to(checkout)}. '
            f'Found `{checkout}`.'
        )
    import go4align_plugins.libmtl  # noqa: F401  (makes LibMTL importable)

    spec = importlib.util.spec_from_file_location(f'libmtl_example_{name}', path)
    if spec is None or spec.loader is None:
        raise ValueError(f'{path} should be a module of Python.')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
