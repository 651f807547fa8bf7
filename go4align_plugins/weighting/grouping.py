"""Groupings: which tasks share a weight. ``'exact'`` is the default; any callable will do.

A grouping takes the indicator of M tasks (M,) and the number of groups, and returns the group of
each task (M,) as integers in any numbering.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from go4align_plugins.weighting.clusterings import KMeansPytorch, SemidefiniteKMeans, Spectral
from go4align_plugins.weighting.kmeans import kmeans_1d

Grouping = Callable[[Tensor, int], Tensor]

GROUPINGS: dict[str, Callable[[], Grouping]] = {
    'exact': lambda: kmeans_1d,
    'kmeans_pytorch': KMeansPytorch,
    'spectral': Spectral,
    'sdp': SemidefiniteKMeans,
}
"""Each name's constructor; the optional ones say at construction which extra they need."""


def get_grouping(grouping: str | Grouping) -> Grouping:
    """A grouping by its name, or the callable that was given.

    Raises:
        ValueError: if it is neither.
        ImportError: if its package is not installed; the message names the extra.
    """
    if callable(grouping):
        return grouping
    if not isinstance(grouping, str) or grouping not in GROUPINGS:
        raise ValueError(
            f'Parameter `grouping` should be one of {tuple(GROUPINGS)} or a callable. '
            f'Found `grouping = {grouping!r}`.'
        )
    return GROUPINGS[grouping]()


def assign(indicator: Tensor, present: Tensor, num_groups: int, grouping: Grouping) -> Tensor:
    """Group the tasks that are present.

    Args:
        indicator: (M,) float64, finite.
        present: (M,) bool: which tasks take part.
        num_groups: K; no more than the distinct values are used.
        grouping: as :func:`get_grouping` gives it.

    Returns:
        (M,) int64: groups numbered from 0 by rising mean indicator; -1 for an absent task.

    Raises:
        ValueError: if the grouping does not return one integer a task.
    """
    if num_groups >= len(indicator):
        groups = _rank(torch.where(present, indicator, torch.inf))
    elif grouping is kmeans_1d:
        # An absent task stands in as a copy of the largest that counts nothing: no copy to the
        # host is needed to leave it out.
        largest = torch.where(present, indicator, -torch.inf).max()
        values = torch.where(present, indicator, largest.clamp(min=torch.finfo(torch.float64).min))
        groups = kmeans_1d(values, num_groups, present)
    else:
        groups = torch.zeros_like(present, dtype=torch.int64)
        if present.any():
            groups[present] = _group_distinct(indicator[present], num_groups, grouping)
    return torch.where(present, groups, -1)


def group_means(indicator: Tensor, groups: Tensor, num_groups: int) -> Tensor:
    r"""The mean indicator of each task's group: Eq. 3's right inverse, :math:`w = \gamma G^+`.

    Args:
        indicator: (M,) float64.
        groups: (M,) int64 in -1 .. K - 1.
        num_groups: K.

    Returns:
        (M,) float64; 0 where the group is -1.
    """
    if num_groups >= len(indicator):
        return torch.where(groups >= 0, indicator, 0.0)
    # One fixed order of summation on every device, which an atomic scatter would not keep.
    member = groups == torch.arange(num_groups, device=groups.device)[:, None]
    size = member.sum(1).clamp(min=1)
    means = torch.where(member, indicator / size.index_select(0, groups.clamp(min=0)), 0.0).sum(1)
    return torch.where(groups >= 0, means.index_select(0, groups.clamp(min=0)), 0.0)


def _rank(values: Tensor) -> Tensor:
    """(M,) int64: the rank of each value from 0; equal values share one."""
    ordered, order = values.sort()
    steps = torch.zeros_like(order)
    steps[1:] = ordered[1:] > ordered[:-1]
    return torch.empty_like(order).scatter_(0, order, steps.cumsum(0))


def _group_distinct(indicator: Tensor, num_groups: int, grouping: Grouping) -> Tensor:
    """Group by any callable, equal values together, and number the groups by rising mean."""
    distinct, inverse = torch.unique(indicator, return_inverse=True)
    if len(distinct) <= num_groups:
        return inverse
    if num_groups == 1:
        return torch.zeros_like(inverse)
    groups = torch.as_tensor(grouping(distinct, num_groups), device=indicator.device)
    if groups.shape != distinct.shape or groups.is_floating_point():
        raise ValueError(
            f'Parameter `grouping` should return {len(distinct)} integers for {len(distinct)} '
            f'tasks. Found shape {tuple(groups.shape)} of {groups.dtype}.'
        )
    names, groups = torch.unique(groups[inverse], return_inverse=True)
    if len(names) > num_groups:
        raise ValueError(
            f'Parameter `grouping` should return at most {num_groups} groups. '
            f'Found {len(names)} groups.'
        )
    means = [indicator[groups == group].mean() for group in range(len(names))]
    return torch.stack(means).argsort().argsort()[groups]
