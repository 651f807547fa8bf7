"""Convergence epochs of single tasks, and GO4Align's convergence difference between them.

The paper (https://arxiv.org/abs/2404.06486, Fig. 2) takes the standard deviation of the epochs at
which the tasks converge, and leaves open when a task has converged. Here it has as soon as its
curve has made 95 % of its progress from the first epoch to the best one. This depends on no unit,
scale or direction, and on no overfitting later. Curves are smoothed first, because one lucky epoch
is no convergence.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean, pstdev

from go4align_plugins.utils.options import require


def convergence_epoch(
    values: Sequence[float], higher_is_better: bool, share: float = 0.95, window: int = 5
) -> int:
    """Find the first epoch at which a curve has made its progress.

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
    require(0 < share <= 1, 'share', 'be above 0 and at most 1', share)
    finite = len(values) > 0 and all(map(isfinite, values))
    require(finite, 'values', 'hold one finite value an epoch', list(values))
    scores = smooth([value if higher_is_better else -value for value in values], window)
    first, best = scores[0], max(scores)
    if share == 1:  # rounding must not put the target above the best
        return scores.index(best)
    target = first + share * (best - first)
    return next(epoch for epoch, score in enumerate(scores) if score >= target)


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Replace each epoch's value by the mean over a window (an odd number of epochs) around it."""
    require(window >= 1 and window % 2 == 1, 'window', 'be an odd number from 1', window)
    # It shrinks towards both ends, on both sides alike: a straight line stays as it is.
    last = len(values) - 1
    reaches = [min(window // 2, epoch, last - epoch) for epoch in range(len(values))]
    return [fmean(values[i - reach : i + reach + 1]) for i, reach in enumerate(reaches)]


def convergence_difference(epochs: Sequence[float]) -> float:
    """Standard deviation (of the population) of the tasks' convergence epochs, in epochs.

    Args:
        epochs: the convergence epoch of each task.

    Raises:
        ValueError: if there are fewer than two tasks.
    """
    require(len(epochs) >= 2, 'epochs', 'hold two tasks or more', list(epochs))
    return pstdev(epochs)
