"""When a task converges, and how far apart the tasks do: GO4Align's convergence difference.

The paper (https://arxiv.org/abs/2404.06486, Fig. 2) names the standard deviation of the epochs at
which the single tasks converge; it does not say when a task has. The rule here: as soon as a curve
has made 95 % of all the progress that it makes from its first epoch to its best one. So it does not
depend on units, scale or direction; a task that later overfits has converged nonetheless; and one
that creeps on for ever has when only a twentieth is left to gain. As one lucky epoch is no
convergence, curves are smoothed first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean, pstdev


def convergence_epoch(
    values: Sequence[float], higher_is_better: bool, share: float = 0.95, window: int = 5
) -> int:
    """The first epoch at which a curve has made its progress.

    Args:
        values: a test metric or loss at epoch 0, 1, ...
        higher_is_better: its direction.
        share: of the whole progress, from the first epoch to the best; 1 is the best epoch itself.
        window: number of epochs whose mean smooths the curve, an odd number; 1 is no smoothing.

    Returns:
        The epoch; 0 where no later epoch is better than the first.

    Raises:
        ValueError: if there is no value, one is not finite, or a parameter is out of its range.
    """
    if not 0 < share <= 1:
        raise ValueError(
            f'Parameter `share` should be above 0 and at most 1. Found `share = {share}`.'
        )
    if not values or not all(map(isfinite, values)):
        raise ValueError(
            f'Parameter `values` should hold one finite value an epoch. Found `{list(values)}`.'
        )
    scores = smooth([value if higher_is_better else -value for value in values], window)
    first, best = scores[0], max(scores)
    if share == 1:  # rounding must not put the target above the best
        return scores.index(best)
    target = first + share * (best - first)
    return next(epoch for epoch, score in enumerate(scores) if score >= target)


def smooth(values: Sequence[float], window: int) -> list[float]:
    """The mean over a window around each epoch.

    Towards both ends the window shrinks on both sides alike: no curve is drawn towards its middle,
    and a straight line stays as it is.

    Args:
        values: one an epoch.
        window: number of epochs, an odd number.

    Raises:
        ValueError: if the window is even or below 1.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(
            f'Parameter `window` should be an odd number from 1. Found `window = {window}`.'
        )
    smoothed = []
    for epoch in range(len(values)):
        reach = min(window // 2, epoch, len(values) - 1 - epoch)
        smoothed.append(fmean(values[epoch - reach : epoch + reach + 1]))
    return smoothed


def convergence_difference(epochs: Sequence[float]) -> float:
    """The standard deviation (of the population) of the tasks' convergence epochs.

    Args:
        epochs: at which each task converges.

    Returns:
        In epochs; 0 where all tasks converge together.

    Raises:
        ValueError: if there are fewer than two tasks.
    """
    if len(epochs) < 2:
        raise ValueError(
            f'Parameter `epochs` should hold two tasks or more. Found `{list(epochs)}`.'
        )
    return pstdev(epochs)
