"""Figures without global state, one palette, safe saving: the part that all pictures share."""

from __future__ import annotations

import textwrap
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from go4align_plugins.utils.files import save_bytes
from go4align_plugins.utils.optional import import_optional

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, made for colour-blind readers; yellow is left out: too pale for a line.
PALETTE = ('#D55E00', '#0072B2', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
GREY = '0.45'


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; pyplot and its global state are not touched."""
    return import_optional('matplotlib.figure', user='Pictures').Figure(
        figsize=(width, height), dpi=150, layout='constrained'
    )


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure aside and rename it; its folder is made if need be."""
    path, content = Path(path), BytesIO()
    figure.savefig(content, format=path.suffix.lstrip('.') or 'png')
    path.parent.mkdir(parents=True, exist_ok=True)
    save_bytes(path, content.getvalue())


def add_caption(figure: Figure, text: str) -> None:
    """Put small grey lines below a figure, broken to its width."""
    characters = int(15 * figure.get_figwidth())
    figure.supxlabel(
        textwrap.fill(text, characters), x=0.01, ha='left', fontsize=8, color=GREY, linespacing=1.4
    )
