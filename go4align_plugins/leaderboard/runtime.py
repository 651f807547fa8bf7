"""How long a training step takes relative to equal weighting (the paper's Figure 4)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import torch
from tqdm import tqdm

from go4align_plugins.leaderboard.cell import describe_machine
from go4align_plugins.leaderboard.columns import EQUAL_WEIGHTING

WARM_UP = 2

Cell = tuple[int, str]  # number of tasks and method


@dataclass(frozen=True)
class Timing:
    """A method's steps with one number of tasks.

    Attributes:
        num_tasks: M.
        method: its name.
        seconds: of each step, one a round.
        ratios: of each step to that of equal weighting in the same round.
    """

    num_tasks: int
    method: str
    seconds: tuple[float, ...]
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third, by linear interpolation."""
        if len(self.ratios) == 1:
            return self.ratios[0], self.ratios[0]
        first, _, third = quantiles(self.ratios, n=4, method='inclusive')
        return first, third


def time_steps(
    steps: Mapping[Cell, Callable[[], None]], repeats: int
) -> tuple[list[Timing], dict[Cell, str]]:
    """Times methods side by side: all of them take a step in each round.

    So what else the machine does, and how warm it is, meets all of them alike.

    Args:
        steps: number of tasks and method -> a function that takes a step. Equal weighting is among
            the methods with each number of tasks.
        repeats: number of rounds, after some to warm up.

    Returns:
        The timings, in the order given; and of those of which a step failed the reason: some of
        LibMTL's methods are for few tasks only, some call a solver that may find nothing.

    Raises:
        ValueError: if ``repeats`` is below 1, or equal weighting is missing or fails.
    """
    if repeats < 1:
        raise ValueError(f'Parameter `repeats` should be at least 1. Found `repeats = {repeats}`.')
    for count, _ in steps:
        if (count, EQUAL_WEIGHTING) not in steps:
            raise ValueError(_without_equal(count, 'it is not among the methods'))
    failures: dict[Cell, str] = {}
    seconds: dict[Cell, list[float]] = {cell: [] for cell in steps}
    rounds = WARM_UP + repeats
    with tqdm(total=rounds * len(steps), unit='step', disable=None, smoothing=0) as bar:
        for number in range(rounds):
            cells = [cell for cell in steps if cell not in failures]
            # Another one begins each round: no method always follows the same one.
            start = number % len(cells)
            for cell in cells[start:] + cells[:start]:
                bar.set_description(f'{cell[0]} tasks, {cell[1]}')
                before = perf_counter()
                try:
                    steps[cell]()
                except Exception as error:  # whatever LibMTL's code may raise
                    failures[cell] = explain_failure(error)
                    if cell[1] == EQUAL_WEIGHTING:
                        raise ValueError(_without_equal(cell[0], failures[cell])) from error
                    bar.total -= rounds - 1 - number
                seconds[cell].append(perf_counter() - before)
                bar.update()
    timings = []
    for count, method in (cell for cell in steps if cell not in failures):
        own, theirs = (
            seconds[cell][WARM_UP:] for cell in ((count, method), (count, EQUAL_WEIGHTING))
        )
        ratios = tuple(mine / other for mine, other in zip(own, theirs))
        timings.append(Timing(count, method, tuple(own), ratios))
    return timings, failures


def explain_failure(error: Exception) -> str:
    """The kind of an error, and the first line of what it says: solvers say pages."""
    return f'{type(error).__name__}: {str(error).strip()}'.splitlines()[0].rstrip(': ')


def _without_equal(count: int, reason: str) -> str:
    return (
        f'Times are relative to {EQUAL_WEIGHTING}, which should be timed with {count} tasks. '
        f'Found: {reason}.'
    )


def describe_hardware() -> dict[str, Any]:
    """What the steps were timed on."""
    return {
        **describe_machine(),
        'model': _processor_name(),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
    }


def _processor_name() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def timing_table(timings: Sequence[Timing]) -> str:
    """A line a method, a column a number of tasks: median and quartiles of the ratios."""
    counts = list(dict.fromkeys(timing.num_tasks for timing in timings))
    cells = {(timing.method, timing.num_tasks): timing for timing in timings}
    lines = [['time × EW', *(f'{count} tasks' for count in counts)]]  # noqa: RUF001
    for method in dict.fromkeys(timing.method for timing in timings):
        line = [method]
        for count in counts:
            timing = cells.get((method, count))
            spread = timing and ', '.join(f'{quartile:.2f}' for quartile in timing.quartiles)
            line.append(f'{timing.ratio:.2f} [{spread}]' if timing else 'failed')
        lines.append(line)
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join(
        '  '.join((line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])))
        for line in lines
    )
