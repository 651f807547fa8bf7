"""The forms in which a report is written, each by its file's suffix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from go4align_plugins.benchmarks.files import save_bytes
from go4align_plugins.leaderboard.report.html import render_html
from go4align_plugins.leaderboard.report.latex import render_latex
from go4align_plugins.leaderboard.report.metafile import render_metafile
from go4align_plugins.leaderboard.report.table import Report

FORMATS: dict[str, tuple[str, Callable[[Report], str]]] = {
    'md': ('report.md', Report.markdown),
    'csv': ('report.csv', Report.csv),
    'tex': ('report.tex', render_latex),
    'yml': ('metafile.yml', render_metafile),
    'html': ('report.html', render_html),
}


def write_report(
    report: Report, folder: str | Path, formats: Sequence[str] = tuple(FORMATS)
) -> list[Path]:
    """Writes a report into a folder, which is made if need be.

    Args:
        report: to be written.
        folder: where to.
        formats: keys of ``FORMATS``.

    Returns:
        The files written.

    Raises:
        ValueError: if there is no such format.
        OSError: if a file cannot be written; the message names it.
    """
    unknown = set(formats) - set(FORMATS)
    if unknown:
        raise ValueError(
            f'Parameter `formats` should be of {", ".join(FORMATS)}. '
            f'Found {", ".join(sorted(unknown))}.'
        )
    texts = {name: render(report) for name, render in (FORMATS[key] for key in formats)}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        save_bytes(folder / name, text.encode())
    return [folder / name for name in texts]
