"""Weighting steps as tables and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from go4align_plugins.benchmarks.canvas import GREY, PALETTE, add_caption, new_figure, save
from go4align_plugins.speed.hardware import align_columns
from go4align_plugins.speed.measure import PASSES, Measure
from go4align_plugins.speed.methods import EQUAL, OURS


def step_tables(measures: Sequence[Measure]) -> str:
    """A table a pass: a line for tasks and groups, a column a method."""
    methods = list(dict.fromkeys(measure.method for measure in measures))
    cells = {(m.num_tasks, m.num_groups, m.scope, m.method): m for m in measures}
    tables = []
    for scope in PASSES:
        lines = [[scope, *methods]]
        for tasks, groups in dict.fromkeys((m.num_tasks, m.num_groups) for m in measures):
            found = [cells.get((tasks, groups, scope, method)) for method in methods]
            lines.append([f'{tasks} tasks, {groups} groups', *map(_entry, found)])
        tables.append(align_columns(lines))
    return '\n\n'.join(tables)


def _entry(measure: Measure | None) -> str:
    if measure is None:
        return '-'
    text = f'{_time(median(measure.seconds))}'
    if measure.method != OURS:
        text += f' ({median(measure.ratios):.3g} x)'
    if measure.host_waits is not None:
        text += f' {measure.host_waits} waits'
    return f'{text} {_memory(measure.memory):>7}'


def _time(seconds: float) -> str:
    return f'{seconds * 1e6:,.1f} us' if seconds < 1e-3 else f'{seconds * 1e3:,.1f} ms'


def _memory(size: int) -> str:
    return f'{size / 2**20:.1f} MiB' if size >= 2**20 else f'{size / 2**10:.1f} KiB'


def draw_steps(measures: Sequence[Measure], caption: str, path: str | Path) -> None:
    """Draws time over the number of tasks: a column a number of groups, a row a pass.

    Args:
        measures: of the methods.
        caption: what was timed on what.
        path: of the picture; the suffix tells the format.
    """
    from matplotlib.ticker import FuncFormatter

    groups = list(dict.fromkeys(sorted(measure.num_groups for measure in measures)))
    methods = dict.fromkeys(measure.method for measure in measures)
    figure = new_figure(3.4 * len(groups) + 1.6, 7)
    panels = figure.subplots(2, len(groups), sharex=True, sharey=True, squeeze=False)
    others = [method for method in methods if method != EQUAL]
    for row, scope in zip(panels, PASSES):
        for axes, num_groups in zip(row, groups):
            for method in methods:
                own = [
                    m
                    for m in measures
                    if (m.method, m.scope, m.num_groups) == (method, scope, num_groups)
                ]
                colour = GREY if method == EQUAL else PALETTE[others.index(method) % len(PALETTE)]
                axes.plot(
                    [m.num_tasks for m in own], [median(m.seconds) for m in own],
                    '--' if method == EQUAL else 'o-', markersize=4, color=colour, label=method,
                    linewidth=2.2 if method == OURS else 1.2,
                )  # fmt: skip
            axes.set_xscale('log')
            axes.set_yscale('log')
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _axis_time(value)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.0f}'))
            axes.grid(color='0.92')
            axes.spines[['top', 'right']].set_visible(False)
    for axes, num_groups in zip(panels[0], groups):
        axes.set_title(f'{num_groups} groups', fontsize=10)
    for row, scope in zip(panels, PASSES):
        row[0].set_ylabel(f'time of {scope}')
    for axes in panels[-1]:
        axes.set_xlabel('number of tasks')
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside right upper', frameon=False)
    add_caption(figure, caption)
    save(figure, path)


def _axis_time(seconds: float) -> str:
    for unit, scale in (('s', 1), ('ms', 1e3), ('us', 1e6)):
        if seconds * scale >= 0.999:
            return f'{seconds * scale:g} {unit}'
    return f'{seconds * 1e9:g} ns'
