r"""Exact K-means on a line: the global optimum, by dynamic programming over the sorted values.

Optimal groups of scalars are runs of the sorted values, so the best partition of the first ``t``
values into ``k`` runs follows from those into ``k - 1``:

.. math::
    D_k(t) = \min_{i \le t} D_{k-1}(i - 1) + c(i, t), \quad
    c(i, t) = \sum_{n=i}^t (x_n - x_i)^2 - \frac{1}{t - i + 1} \Big(\sum_{n=i}^t (x_n - x_i)\Big)^2

Here :math:`D_k(t)` is the least cost of the values up to ``t`` in ``k`` runs, and :math:`c(i, t)`
the cost of the run ``i .. t``: its squared distances to its mean. Anchored at the run's first
value, the sums lose nothing where tight groups lie far from zero.

Distances below about 1e-154 of the largest value, whose squares float64 has not, cost nothing.
"""

from __future__ import annotations

import torch

from go4align_plugins.weighting.arrays import Array, namespace, numpy, positions
from go4align_plugins.weighting.large import group_large

DENSE_LIMIT = 512
"""Up to this many values the costs of all runs are held at once (2 MiB), on the values' device."""
HOST_LIMIT = 200
"""On the CPU, divide and conquer is faster for more values, within a training."""
NO_RUN = 1e300
LARGEST = torch.finfo(torch.float64).max


def kmeans_1d(values: Array, num_groups: int, present: Array | None = None) -> Array:
    """Group scalars with the least sum of squared distances to the groups' means.

    Equal values are never separated, so fewer distinct values than groups give fewer groups.

    Args:
        values: (M,) finite numbers, a tensor on any device or numpy's array.
        num_groups: the largest number of groups, 1 or more; exactly
            ``min(num_groups, distinct values)`` are used.
        present: (M,) bool: the values that take part; nobody waits for their number. The others get
            any group. None: all take part.

    Returns:
        (M,) int64: the group of each value, numbered from 0 by rising value. Of several optimal
        partitions, the one whose last groups begin earliest is returned, always.
    """
    xp = namespace(values)
    values = xp.asarray(values, dtype=xp.float64)
    counts = xp.ones_like(values)
    if present is not None:
        # An absent value stands in as a copy of the largest that counts nothing.
        largest = xp.where(present, values, -xp.inf).max().clip(min=-LARGEST)
        values, counts = xp.where(present, values, largest), xp.where(present, counts, 0.0)
    order = values.argsort()
    ordered, groups = values[order], xp.empty_like(order)
    if num_groups == 1 or num_groups >= len(values):  # the distinct values are numbered
        groups[order] = (ordered > _before(ordered)).cumsum(0).clip(max=num_groups - 1)
        return groups
    many = numpy and len(values) > (DENSE_LIMIT if xp is torch else HOST_LIMIT)
    solve = group_large if many else group_sorted
    groups[order] = solve(in_units(ordered), counts[order], num_groups)
    return groups


def in_units(values: Array) -> Array:
    """Divide values (M,) by a power of two, which rounds nothing, so that no square overflows."""
    xp = namespace(values)
    largest = xp.abs(values).max().clip(min=1e-290)
    return values * (xp.frexp(largest)[0] / largest)


def group_sorted(values: Array, counts: Array, num_groups: int) -> Array:
    """Solve the recurrence for rising values (M,), each of which counts 0 times or once."""
    xp, position = namespace(values), positions(values, len(values))
    # At [t, i]: the run i .. t, in which values before i are none.
    distance = (values[:, None] - values).clip(min=0)
    weighted = distance * counts[:, None]
    first, second = weighted.cumsum(0), (weighted * distance).cumsum(0)
    total = counts.cumsum(0)
    number = (total[:, None] - (total - counts)).clip(min=1)
    costs = second - first * first / number
    best, begins = costs[:, 0], []
    # The added run is not empty, and does not part equal values. At 0 there is no added run, which
    # is worse than any, for want of distinct values alone.
    costs = xp.where((_before(values) < values) & (values <= values[:, None]), costs, xp.inf)
    costs[:, 0] = NO_RUN
    for _ in range(min(num_groups, len(values)) - 1):
        totals = costs + _before(best, best[:1] * 0)
        begins.append(totals.argmin(1))
        best = totals.take(begins[-1] + position * len(values))
    # Walk back from the last value, which is at 0 - 1 as well: without an added run it stays.
    starts = [position[:1] * 0]
    for begin in reversed(begins):
        starts.append(begin[starts[-1] - 1])
    starts = xp.concatenate(starts)[:, None]
    return ((position >= starts) & (starts > 0)).sum(0)


def _before(row: Array, first: Array | None = None) -> Array:
    """Move a row (M,) by one place; its first entry stays there, too, unless another is given."""
    return namespace(row).concatenate([row[:1] if first is None else first, row[:-1]])
