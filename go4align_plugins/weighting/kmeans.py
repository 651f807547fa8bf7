r"""Exact K-means on a line: the global optimum, by dynamic programming over the sorted values.

Optimal groups of scalars are runs of the sorted values, so the best partition of the first ``t``
values into ``k`` runs follows from those into ``k - 1``:

.. math::
    D_k(t) = \min_{i \le t} D_{k-1}(i - 1) + c(i, t)

where :math:`c(i, t)` is the sum of squared distances of values ``i .. t`` to their mean. All of it
is in float64 and every difference is taken between neighbours before it is squared: prefix sums of
the raw values would cancel, and choose a wrong partition, where tight groups lie far from zero.

Distances below about 1e-154, whose squares float64 has not, cost nothing.
Equal values are never separated, so fewer distinct values than groups give fewer groups.
"""

from __future__ import annotations

import torch
from torch import Tensor

from go4align_plugins.weighting.cut import cut
from go4align_plugins.weighting.dense import best_begins, in_units, run_costs
from go4align_plugins.weighting.monotone import solve_monotone

DENSE_LIMIT = 512
"""For three groups or more, up to this many values the costs of all runs are held at once (2 MiB),
and nothing is copied to the host; beyond it the memory would grow with their number's square."""


def kmeans_1d(values: Tensor, num_groups: int, counts: Tensor | None = None) -> Tensor:
    """Assign scalars to at most ``num_groups`` groups with the least sum of squared distances.

    Args:
        values: (M,) finite floating-point numbers, on any device.
        num_groups: the largest number of groups, 1 or more; exactly
            ``min(num_groups, distinct values)`` are used.
        counts: (M,) how often each value counts, 1 by default. A value that counts 0 times should
            repeat one that counts: it then changes nothing.

    Returns:
        (M,) int64: the group of each value, numbered from 0 by rising value. Of several optimal
        partitions, the one whose last groups begin earliest is returned, always.
    """
    values = values.double()
    counts = torch.ones_like(values) if counts is None else counts.double()
    if num_groups <= 2 or len(values) <= DENSE_LIMIT:
        ordered, order = values.sort()
        labels = _label(ordered, counts[order], num_groups)
        return torch.empty_like(labels).scatter_(0, order, labels)
    distinct, inverse = torch.unique(values.cpu(), return_inverse=True)
    merged = torch.zeros_like(distinct).index_add_(0, inverse, counts.cpu())
    solve = _label if len(distinct) <= DENSE_LIMIT else solve_monotone
    return solve(distinct, merged, num_groups)[inverse].to(values.device)


def _label(values: Tensor, counts: Tensor, num_groups: int) -> Tensor:
    """The groups of sorted values, (M,) int64, without a copy to the host."""
    if num_groups == 1:
        return torch.zeros_like(values, dtype=torch.int64)
    if num_groups == 2:
        return cut(in_units(values), counts)
    costs = run_costs(values, counts)
    position = torch.arange(len(values), device=values.device)
    rows = best_begins(costs, min(num_groups, len(values)), position)
    labels = torch.zeros_like(position)
    end = torch.full_like(labels[:1], len(values) - 1)
    for before, best in reversed(rows[1:]):
        # A row that cannot be, for want of distinct values, is left out.
        possible, last = best[-1].isfinite(), before[end]
        labels += possible & (position > last)
        end = torch.where(possible, last, end)
    return labels
