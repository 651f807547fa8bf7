"""Reads texts that people edit or download: with a byte order mark, or without."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from go4align_plugins.utils.files import find_stand_in


def read_text(path: Path, errors: str = 'strict') -> str:
    """Read a text; a ValueError: it is no UTF-8, a web page or a pointer of Git LFS."""
    stand_in = find_stand_in(path)
    if stand_in:
        raise ValueError(stand_in)
    return path.read_text(encoding='utf-8-sig', errors=errors)


def read_table(path: Path) -> list[list[str]]:
    """Read a CSV as :func:`read_text` does, without a spreadsheet's empty rows and last columns."""
    try:
        table = csv.reader(io.StringIO(read_text(path)))
        rows = [row for row in ([cell.strip() for cell in row] for row in table) if any(row)]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    filled = (column for row in rows for column, cell in enumerate(row, start=1) if cell)
    width = max(filled, default=0)
    return [row[:width] for row in rows]
