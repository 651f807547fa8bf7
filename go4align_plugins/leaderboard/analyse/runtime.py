"""How long a training step takes relative to equal weighting (the paper's Figure 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from go4align_plugins.leaderboard.report.columns import EQUAL_WEIGHTING
from go4align_plugins.speed.hardware import align_columns
from go4align_plugins.speed.rounds import Ratios, compare, time_in_rounds

Cell = tuple[int, str]  # number of tasks and method


@dataclass(frozen=True)
class Timing(Ratios):
    """A method's steps with one number of tasks, relative to equal weighting's.

    Attributes:
        num_tasks: M.
        method: its name.
    """

    num_tasks: int
    method: str


def time_steps(
    steps: Mapping[Cell, Callable[[], None]], repeats: int
) -> tuple[list[Timing], dict[Cell, str]]:
    """Times training steps of methods side by side, relative to equal weighting.

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
    for count, _ in steps:
        if (count, EQUAL_WEIGHTING) not in steps:
            raise ValueError(
                f'Times are relative to {EQUAL_WEIGHTING}, which should be timed with {count} '
                'tasks. Found: it is not among the methods.'
            )
    equal = [cell for cell in steps if cell[1] == EQUAL_WEIGHTING]
    seconds, failures = time_in_rounds(
        steps, repeats, lambda cell: f'{cell[0]} tasks, {cell[1]}', required=equal
    )
    timings = []
    for count, method in seconds:
        own, theirs = seconds[count, method], seconds[count, EQUAL_WEIGHTING]
        timings.append(Timing(*compare(own, theirs), count, method))
    return timings, failures


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
