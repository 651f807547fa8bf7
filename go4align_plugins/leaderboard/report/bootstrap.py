"""How sure a mean over a few seeds is: the paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

FEW = 5  # up to here every resample there is
DRAWS = 10_000
LEVEL = 0.95


def bootstrap_interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile interval of a mean, by resampling with replacement.

    The same differences give the same interval: up to five are resampled in all n^n ways, more by
    10,000 draws of a generator of their own. With two or three, the interval goes from the smallest
    to the largest: a single one of the n^n ways has more than 2.5 % of the weight.

    Args:
        differences: one a seed, both methods having been trained with it.

    Returns:
        The lower and the upper end; both are NaN if a difference is not finite.

    Raises:
        ValueError: if there are fewer than two.
    """
    count = len(differences)
    if count < 2:
        raise ValueError(f'Parameter `differences` should hold at least 2. Found {count}.')
    values = np.asarray(differences, dtype=float)
    if not np.isfinite(values).all():
        return np.nan, np.nan
    if count <= FEW:
        picks = np.array(list(product(range(count), repeat=count)))
    else:
        picks = np.random.default_rng(0).integers(count, size=(DRAWS, count))
    tail = (1 - LEVEL) / 2
    # Resampled means are steps, not a continuum: interpolation would invent means between them.
    low, high = np.quantile(values[picks].mean(axis=1), [tail, 1 - tail], method='inverted_cdf')
    return float(low), float(high)
