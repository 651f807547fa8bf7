"""How long a training step takes relative to equal weighting (the paper's Figure 4)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, TypeVar

import torch
from tqdm import tqdm

from go4align_plugins.leaderboard.columns import EQUAL_WEIGHTING
from go4align_plugins.leaderboard.execute import describe_machine

WARM_UP = 2

Cell = tuple[int, str]  # number of tasks and method
Entrant = TypeVar('Entrant')


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


def time_in_rounds(
    steps: Mapping[Entrant, Callable[[], None]],
    repeats: int,
    title: Callable[[Entrant], str],
    clock: Callable[[], float] = perf_counter,
) -> tuple[dict[Entrant, list[float]], dict[Entrant, str]]:
    """Times entrants side by side: all of them take a step in each round.

    So what else the machine does, and how warm it is, meets all of them alike.

    Args:
        steps: what is called an entrant's step.
        repeats: number of rounds, after some to warm up.
        title: what the progress bar calls an entrant.
        clock: seconds, wall time by default.

    Returns:
        The seconds of each entrant's steps, one a round; and of those whose first step failed the
        reason.

    Raises:
        ValueError: if ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ValueError(f'Parameter `repeats` should be at least 1. Found `repeats = {repeats}`.')
    failures: dict[Entrant, str] = {}
    seconds: dict[Entrant, list[float]] = {entrant: [] for entrant in steps}
    rounds = WARM_UP + repeats
    with tqdm(total=rounds * len(steps), unit='step', disable=None, smoothing=0) as bar:
        for number in range(rounds):
            entrants = [entrant for entrant in steps if entrant not in failures]
            # Another one begins each round: no method always follows the same one.
            start = number % len(entrants)
            for entrant in entrants[start:] + entrants[:start]:
                bar.set_description(title(entrant))
                before = clock()
                try:
                    steps[entrant]()
                except Exception as error:  # whatever the method's code may raise
                    if number:
                        raise
                    failures[entrant] = f'{type(error).__name__}: {error}'
                    bar.total -= rounds - 1
                seconds[entrant].append(clock() - before)
                bar.update()
    finished = {key: own[WARM_UP:] for key, own in seconds.items() if key not in failures}
    return finished, failures


def time_steps(
    steps: Mapping[Cell, Callable[[], None]], repeats: int
) -> tuple[list[Timing], dict[Cell, str]]:
    """Times training steps of methods side by side, relative to equal weighting.

    Args:
        steps: number of tasks and method -> a function that takes a step. Equal weighting is among
            the methods with each number of tasks.
        repeats: number of rounds, after some to warm up.

    Returns:
        The timings, in the order given; and of those whose first step failed the reason: some of
        LibMTL's methods are for three tasks only.

    Raises:
        ValueError: if ``repeats`` is below 1, or equal weighting is missing or fails.
    """
    seconds, failures = time_in_rounds(steps, repeats, lambda cell: f'{cell[0]} tasks, {cell[1]}')
    timings = []
    for count, method in seconds:
        equal = (count, EQUAL_WEIGHTING)
        if equal not in seconds:
            raise ValueError(
                f'Times are relative to {EQUAL_WEIGHTING}, which should be timed with {count} '
                f'tasks. Found: {failures.get(equal, "it is not among the methods")}.'
            )
        own, theirs = seconds[count, method], seconds[equal]
        ratios = tuple(mine / other for mine, other in zip(own, theirs))
        timings.append(Timing(count, method, tuple(own), ratios))
    return timings, failures


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
    return align_columns(lines)


def align_columns(lines: Sequence[Sequence[str]]) -> str:
    """A table as text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join(
        '  '.join((line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])))
        for line in lines
    )
