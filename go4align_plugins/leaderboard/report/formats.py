"""Write a report in its forms, each by its file's suffix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from go4align_plugins.leaderboard.report.html import render_html
from go4align_plugins.leaderboard.report.metafile import render_metafile
from go4align_plugins.leaderboard.report.table import Table
from go4align_plugins.leaderboard.report.text import (
    render_console,
    render_csv,
    render_latex,
    render_markdown,
)
from go4align_plugins.utils.files import save_bytes

FORMATS: dict[str, tuple[str, Callable[[Table], str]]] = {
    'md': ('report.md', render_markdown),
    'csv': ('report.csv', render_csv),
    'tex': ('report.tex', render_latex),
    'yml': ('metafile.yml', render_metafile),
    'html': ('report.html', render_html),
}


class Report(Table):
    """A table of methods that prints and writes itself."""

    markdown = render_markdown
    console = render_console
    csv = render_csv

    def write(self, folder: str | Path, formats: Sequence[str] = ('md', 'csv')) -> list[Path]:
        """Write the report into a folder in some of ``FORMATS``; return the files.

        Raises:
            ValueError: if a format is unknown.
            OSError: if a file cannot be written; the message names it.
        """
        unknown = sorted(set(formats) - set(FORMATS))
        if unknown:
            known = ', '.join(FORMATS)
            raise ValueError(
                f'Parameter `formats` should be of {known}. Found {", ".join(unknown)}.'
            )
        folder = Path(folder)
        texts = {folder / name: render(self) for name, render in map(FORMATS.__getitem__, formats)}
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            save_bytes(path, text.encode())
        return list(texts)
