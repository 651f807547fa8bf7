"""Time training steps relative to equal weighting, and draw the ratios (the paper's Figure 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter

import numpy as np
from tqdm import tqdm

from go4align_plugins.leaderboard.analyse.pictures import line_styles, panels
from go4align_plugins.leaderboard.run.runs import EQUAL_WEIGHTING
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import require

Cell = tuple[int, str]  # number of tasks and method
WARM_UP = 2
MARKERS = 'os^Dv'
DODGE = 0.02  # of a method from the next one, so that their bars stay apart


@dataclass
class Timing:
    """A method's steps: the seconds of each, and its ratio to equal weighting's of that round."""

    tasks: int
    method: str
    median_ratio: float = field(init=False)
    quartiles: list[float] = field(init=False)
    seconds: tuple[float, ...]
    ratios: tuple[float, ...]

    def __post_init__(self) -> None:
        self.median_ratio = float(np.median(self.ratios))
        self.quartiles = np.quantile(self.ratios, [0.25, 0.75]).tolist()


def time_steps(
    steps: Mapping[Cell, Callable[[], None]], repeats: int
) -> tuple[list[Timing], dict[Cell, str]]:
    """Time steps of methods side by side, relative to equal weighting; give reasons of failures.

    Each method takes one step in each round, in a new order each round: the load and the warmth of
    the machine meet all of them alike. (``torch.utils.benchmark`` takes more untimed steps.)
    """
    require(repeats >= 1, 'repeats', 'be at least 1', repeats)
    failures: dict[Cell, str] = {}
    seconds: dict[Cell, list[float]] = {cell: [] for cell in steps}
    for number in tqdm(range(WARM_UP + repeats), unit='round', disable=None):
        cells = [cell for cell in steps if cell not in failures]
        Random(number).shuffle(cells)
        for cell in cells:
            before = perf_counter()
            try:
                steps[cell]()
            except Exception as error:  # any error of a method's code
                failures[cell] = explain_failure(error)
                if cell[1] == EQUAL_WEIGHTING:
                    raise ValueError(
                        f'{cell[0]} tasks, {cell[1]}, which the others are compared with, should '
                        f'run. Found: {failures[cell]}.'
                    ) from error
            seconds[cell].append(perf_counter() - before)
    timings = []
    for count, method in (cell for cell in steps if cell not in failures):
        own, equal = (seconds[count, name][WARM_UP:] for name in (method, EQUAL_WEIGHTING))
        ratios = tuple(a / b for a, b in zip(own, equal))
        timings.append(Timing(count, method, tuple(own), ratios))
    return timings, failures


def explain_failure(error: Exception) -> str:
    """Return the kind of an error and its first line: solvers print pages."""
    return f'{type(error).__name__}: {str(error).strip()}'.splitlines()[0].rstrip(': ')


def timing_table(timings: Sequence[Timing]) -> str:
    """Print a line a method, a column a number of tasks: median and quartiles of the ratios."""
    columns: dict[str, dict[str, str]] = {}
    for timing in timings:
        text = '{:.2f} [{:.2f}, {:.2f}]'.format(timing.median_ratio, *timing.quartiles)
        columns.setdefault(f'{timing.tasks} tasks', {})[timing.method] = text
    methods = list(dict.fromkeys(timing.method for timing in timings))
    table = import_optional('pandas', user='Tables').DataFrame(columns, index=methods)
    title = f'time × {EQUAL_WEIGHTING}'  # noqa: RUF001
    return table.fillna('failed').rename_axis(columns=title).to_string()


def draw_runtime(timings: Sequence[Timing], caption: str, path: str | Path) -> None:
    """Draw a line a method: the median of its ratios, and a bar from quartile to quartile."""
    from matplotlib.ticker import LogLocator

    timings = sorted(timings, key=lambda timing: timing.tasks)
    counts = sorted({timing.tasks for timing in timings})
    styles = line_styles(dict.fromkeys(t.method for t in timings), EQUAL_WEIGHTING)
    methods = list(styles)
    # The legend has the order of the lines' right ends.
    ends = {timing.method: timing.median_ratio for timing in timings}
    with panels(path, (10, 5), 1, 1, legend='outside right upper', caption=caption) as (axes,):
        for method in sorted(methods, key=lambda method: -ends[method]):
            own = [timing for timing in timings if timing.method == method]
            rank, strong = methods.index(method), method == 'GO4Align'
            aside = DODGE * (rank - (len(methods) - 1) / 2)
            spread = [[abs(t.median_ratio - t.quartiles[end]) for t in own] for end in (0, 1)]
            axes.errorbar(
                [counts.index(t.tasks) + aside for t in own], [t.median_ratio for t in own], spread,
                capsize=3, marker=MARKERS[rank % len(MARKERS)], label=method,
                linewidth=2.5 if strong else 1.5, zorder=3 if strong else 2, **styles[method],
            )  # fmt: skip
        axes.set_yscale('log')
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter('{x:g}')
        axes.minorticks_off()
        axes.set_xticks(range(len(counts)), list(map(str, counts)))
        axes.set_xlabel('number of tasks')
        axes.set_ylabel(f'time of a training step, relative to {EQUAL_WEIGHTING}')
