"""Opens pictures by Pillow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from go4align_plugins.benchmarks.optional import import_optional


@contextmanager
def open_picture(
    path: Path, formats: Sequence[str] | None = None, remedy: str = ''
) -> Iterator[Any]:
    """Opens a picture; what goes wrong with it inside the block is told by the same error.

    Args:
        path: of the file.
        formats: Pillow's names of those that the file may have, whatever its name ends with. None:
            any that Pillow knows.
        remedy: what the error says to do.

    Raises:
        ValueError: if it cannot be read whole; the message names the file.
    """
    try:
        with import_optional('PIL.Image').open(path, formats=formats) as picture:
            yield picture
    except ImportError:
        raise
    except Exception as error:  # every decoder raises different ones
        text = f'{path}: should be a whole image. Found: {error}. {remedy}'
        raise ValueError(text.rstrip()) from error
