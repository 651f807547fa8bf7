"""Relative runtime over the number of tasks, as the paper's Figure 4."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from go4align_plugins.benchmarks.canvas import GREY, PALETTE, add_caption, new_figure, save
from go4align_plugins.leaderboard.analyse.pictures import LINE_STYLES
from go4align_plugins.leaderboard.analyse.runtime import Timing
from go4align_plugins.leaderboard.report.columns import EQUAL_WEIGHTING

MARKERS = 'os^Dv'
DODGE = 0.02  # of a method from the next one, so that their bars can be told apart
EMPHASISED = 'GO4Align'


def draw_runtime(timings: Sequence[Timing], caption: str, path: str | Path) -> None:
    """Draws a line a method: the median of its ratios, and a bar from quartile to quartile.

    Args:
        timings: of the methods.
        caption: what was timed on what.
        path: of the picture; the suffix tells the format.
    """
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    counts = sorted({timing.num_tasks for timing in timings})
    figure = new_figure(10, 5)
    axes = figure.subplots()
    methods = dict.fromkeys(timing.method for timing in timings)
    others = [method for method in methods if method != EQUAL_WEIGHTING]
    # The legend's order is that of the lines' right ends.
    ends = {t.method: t.ratio for t in sorted(timings, key=lambda t: t.num_tasks)}
    handles: dict[str, Any] = {}
    for method in sorted(methods, key=lambda method: -ends[method]):
        own = sorted((t for t in timings if t.method == method), key=lambda t: t.num_tasks)
        places = [counts.index(timing.num_tasks) for timing in own]
        ratios = [timing.ratio for timing in own]
        if method == EQUAL_WEIGHTING:
            handles[method] = axes.axhline(1, color=GREY, linestyle='--')
            continue
        rank = others.index(method)
        aside = DODGE * (rank - (len(others) - 1) / 2)
        spread = [
            [timing.ratio - timing.quartiles[0] for timing in own],
            [timing.quartiles[1] - timing.ratio for timing in own],
        ]
        handles[method] = axes.errorbar(
            [place + aside for place in places], ratios, spread, capsize=3, markersize=6,
            marker=MARKERS[rank % len(MARKERS)],
            linestyle=LINE_STYLES[rank // len(PALETTE) % len(LINE_STYLES)],
            color=PALETTE[rank % len(PALETTE)],
            linewidth=2.5 if method == EMPHASISED else 1.5,
            zorder=3 if method == EMPHASISED else 2,
        )  # fmt: skip
    axes.set_yscale('log')
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.set_xticks(range(len(counts)), list(map(str, counts)))
    axes.margins(x=0.06)
    axes.set_xlabel('number of tasks')
    axes.set_ylabel(f'time of a training step, relative to {EQUAL_WEIGHTING}')
    axes.grid(axis='y', color='0.92')
    axes.spines[['top', 'right']].set_visible(False)
    figure.legend(list(handles.values()), list(handles), loc='outside right upper', frameon=False)
    add_caption(figure, caption)
    save(figure, path)
