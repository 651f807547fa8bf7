"""Figures without global state, one palette, safe saving: the part that all pictures share."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, made for colour-blind readers; yellow is left out: too pale for a line.
PALETTE = ('#D55E00', '#0072B2', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
GREY = '0.45'


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; pyplot and its global state are not touched.

    Raises:
        ImportError: if matplotlib is absent; the message says how to install it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib: pip install "go4align-plugins[libmtl]"'
        ) from error
    return Figure(figsize=(width, height), dpi=150, layout='constrained')


def save(figure: Figure, path: str | Path) -> None:
    """Writes a figure aside and renames it; its folder is made if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f'.{path.name}')
    figure.savefig(aside, format=path.suffix.lstrip('.') or 'png')
    aside.replace(path)


def add_caption(figure: Figure, text: str) -> None:
    """Puts small grey lines below a figure, broken to its width."""
    characters = int(15 * figure.get_figwidth())
    figure.supxlabel(
        textwrap.fill(text, characters), x=0.01, ha='left', fontsize=8, color=GREY, linespacing=1.4
    )
