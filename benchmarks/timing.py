"""Times the same work done in several ways, in interleaved rounds, by torch's timer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median, quantiles

from torch.utils.benchmark import Timer, select_unit
from tqdm import tqdm

HEADER = """\
| work | method | time | beside | time | ratio | quartiles | goal |
|---|---|---:|---|---:|---:|---|---|
"""


@dataclass(frozen=True)
class Comparison:
    """Several ways of doing the same work.

    Attributes:
        title: the work.
        methods: method -> does the work; the first is the base of all ratios.
        goals: method -> the largest ratio of its time to the base's.
        amount: units of work in a call, by which its time is divided.
    """

    title: str
    methods: Mapping[str, Callable[[], object]]
    goals: Mapping[str, float] = field(default_factory=dict)
    amount: int = 1


def compare(
    comparisons: Sequence[Comparison], options: argparse.Namespace, turn_seconds: float = 0.01
) -> str:
    """Time all methods, and list the ratios of their times to the base's.

    Every method takes a turn of several calls in every round, in a new order each round: other work
    of the machine meets all of them alike.

    Args:
        comparisons: the work to be timed.
        options: with ``rounds``.
        turn_seconds: duration of a turn, unless a single call takes longer.

    Returns:
        A Markdown table: medians over the rounds, and quartiles of the ratios.
    """
    lines = []
    for comparison in comparisons:
        seconds = _time(comparison, options.rounds, turn_seconds)
        base, *others = comparison.methods
        for method in others:
            ratios = [own / its for own, its in zip(seconds[method], seconds[base])]
            lines.append([
                comparison.title, method, _format_time(seconds[method]), base,
                _format_time(seconds[base]), f'{median(ratios):.3f}', _quartiles(ratios),
                judge(median(ratios), comparison.goals.get(method)),
            ])  # fmt: skip
    return HEADER + ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def judge(value: float, goal: float | None, unit: str = '') -> str:
    """Say whether a value is within its goal, which is the largest that is allowed."""
    return f'≤ {goal:g}{unit}, {"met" if value <= goal else "missed"}' if goal else ''


def _time(comparison: Comparison, rounds: int, turn_seconds: float) -> dict[str, list[float]]:
    timers = {
        method: Timer('work()', globals={'work': work}, num_threads=1)
        for method, work in comparison.methods.items()
    }
    calls = {  # by the fastest of several: others may have been interrupted
        method: max(1, round(turn_seconds / min(timer.timeit(2).mean for _ in range(5))))
        for method, timer in timers.items()
    }
    seconds: dict[str, list[float]] = {method: [] for method in timers}
    for number in tqdm(range(rounds), desc=comparison.title, disable=None, leave=False):
        order = list(timers)
        Random(number).shuffle(order)
        for method in order:
            mean = timers[method].timeit(calls[method]).mean
            seconds[method].append(mean / comparison.amount)
    return seconds


def _format_time(seconds: Sequence[float]) -> str:
    unit, scale = select_unit(median(seconds))
    return f'{median(seconds) / scale:.1f} {unit}'


def _quartiles(ratios: Sequence[float]) -> str:
    low, _, high = quantiles([*ratios] * (2 if len(ratios) == 1 else 1), n=4, method='inclusive')
    return f'{low:.3f} to {high:.3f}'
