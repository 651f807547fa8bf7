"""Times things side by side, in rounds: each takes a turn in every round."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median, quantiles
from time import perf_counter
from typing import TypeVar

from tqdm import tqdm

WARM_UP = 2

Entrant = TypeVar('Entrant')


@dataclass(frozen=True)
class Ratios:
    """The times of one entrant, and how they compare with another one's.

    Attributes:
        seconds: of each turn, one a round.
        ratios: of each turn to the other one's in the same round.
    """

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


def compare(
    own: Sequence[float], theirs: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The fields of :class:`Ratios`."""
    return tuple(own), tuple(mine / other for mine, other in zip(own, theirs))


def time_in_rounds(
    turns: Mapping[Entrant, Callable[[], object]],
    repeats: int,
    title: Callable[[Entrant], str],
    clock: Callable[[], float] = perf_counter,
    required: Collection[Entrant] = (),
) -> tuple[dict[Entrant, list[float]], dict[Entrant, str]]:
    """Times entrants side by side.

    So what else the machine does, and how warm it is, meets all of them alike.

    Args:
        turns: what is called when it is an entrant's turn.
        repeats: number of rounds, after some to warm up.
        title: what the progress bar calls an entrant.
        clock: seconds, wall time by default.
        required: entrants without which the others are of no use.

    Returns:
        The seconds of each entrant's turns, one a round; and of those of which a turn failed the
        reason.

    Raises:
        ValueError: if ``repeats`` is below 1, or one of ``required`` fails.
    """
    if repeats < 1:
        raise ValueError(f'Parameter `repeats` should be at least 1. Found `repeats = {repeats}`.')
    failures: dict[Entrant, str] = {}
    seconds: dict[Entrant, list[float]] = {entrant: [] for entrant in turns}
    rounds = WARM_UP + repeats
    with tqdm(total=rounds * len(turns), unit='turn', disable=None, smoothing=0) as bar:
        for number in range(rounds):
            entrants = [entrant for entrant in turns if entrant not in failures]
            # In a new order each round: none always follows the same one.
            Random(number).shuffle(entrants)
            for entrant in entrants:
                bar.set_description(title(entrant))
                before = clock()
                try:
                    turns[entrant]()
                except Exception as error:  # whatever an entrant's code may raise
                    failures[entrant] = explain_failure(error)
                    if entrant in required:
                        raise ValueError(
                            f'{title(entrant)}, which the others are compared with, should run. '
                            f'Found: {failures[entrant]}.'
                        ) from error
                    bar.total -= rounds - 1 - number
                seconds[entrant].append(clock() - before)
                bar.update()
    return {key: own[WARM_UP:] for key, own in seconds.items() if key not in failures}, failures


def explain_failure(error: Exception) -> str:
    """The kind of an error, and the first line of what it says: solvers say pages."""
    return f'{type(error).__name__}: {str(error).strip()}'.splitlines()[0].rstrip(': ')
