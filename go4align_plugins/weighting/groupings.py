"""Groupings: the tasks that share a weight. ``'exact'`` is the default; any callable will do.

A grouping takes the indicator of M tasks (M,) and the number of groups, and returns the group of
each task (M,) as integers in any numbering. The optional ones are the clusterings of the paper's
Table 5, by the libraries that it names.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from go4align_plugins.utils.options import check_choice, require
from go4align_plugins.weighting.arrays import Array, namespace, positions
from go4align_plugins.weighting.kmeans import DENSE_LIMIT, kmeans_1d

Grouping = Callable[[Tensor, int], Tensor]


def get_grouping(grouping: str | Grouping) -> Grouping:
    """Look a grouping up by its name; a callable is returned as it is."""
    if callable(grouping):
        return grouping
    return GROUPINGS[check_choice('grouping', grouping, GROUPINGS, ' or a callable')]()


def weigh(
    indicator: Array, present: Array, num_groups: int, grouping: Grouping
) -> tuple[Array, Array]:
    r"""Group the tasks that are present (Eq. 4), and average the indicator over each group (Eq. 3).

    Args:
        indicator: (M,) float64, finite, a tensor or numpy's array.
        present: (M,) bool: the tasks that take part.
        num_groups: K; no more than the distinct values are used.
        grouping: as :func:`get_grouping` gives it.

    Returns:
        (M,) float64 the weight :math:`w = \gamma G^+` of each task, 0 for an absent one; and (M,)
        int64 its group, numbered from 0 by rising weight, -1 for an absent one.
    """
    xp, size = namespace(indicator), len(indicator)
    if num_groups == size:
        groups = xp.where(present, _rank(xp.where(present, indicator, xp.inf)), -1)
        return xp.where(present, indicator, 0.0), groups
    if grouping is kmeans_1d and xp is torch and size <= DENSE_LIMIT:
        groups = xp.where(present, kmeans_1d(indicator, num_groups, present), -1)
    else:
        groups = xp.where(present, 0, -1)
        if present.any():
            exact = grouping is kmeans_1d
            group = kmeans_1d if exact else partial(_group_distinct, grouping=grouping)
            groups[present] = group(indicator[present], num_groups)
    # One fixed order of summation on every device, which an atomic scatter would not keep.
    member = groups == positions(groups, num_groups)[:, None]
    means = xp.where(member, indicator, 0.0).sum(1) / member.sum(1).clip(min=1)
    return xp.where(present, means[groups], 0.0), groups


def _rank(values: Array) -> Array:
    """Number values (M,) by their rank from 0; equal values share one."""
    order = values.argsort()
    rises = namespace(values).zeros_like(order)
    rises[1:] = values[order[1:]] > values[order[:-1]]
    ranks = rises * 0
    ranks[order] = rises.cumsum(0)
    return ranks


def _group_distinct(indicator: Array, num_groups: int, grouping: Grouping) -> Tensor:
    """Group by any callable, equal values together, and number the groups by rising mean."""
    indicator = torch.as_tensor(indicator)
    distinct, inverse = torch.unique(indicator, return_inverse=True)
    if num_groups == 1 or len(distinct) <= num_groups:
        return inverse.clamp(max=num_groups - 1)
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
    return _rank(torch.stack([indicator[groups == i].mean() for i in range(len(names))]))[groups]


def _require(module: str, package: str) -> None:
    """Import a module, but keep it nowhere: an attribute that is one could not be copied."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'This grouping needs {package}, which is not installed: '
            'pip install "go4align-plugins[clustering]"'
        ) from error


def _scale(values: Tensor) -> Tensor:
    """Bring values into units of the largest magnitude, on the host: no square overflows."""
    values = values.double().cpu()
    return values / values.abs().max().clamp(min=1e-290)


class KMeansPytorch:
    """``kmeans_pytorch.kmeans``, which the released code uses: one random start at every call.

    It prints, draws a progress bar, starts from numpy's global generator and loops for ever on
    repeated or non-finite values. Here it is silent, leaves the global generator as it was, gets
    distinct values alone, and gives up on a start that does not converge.

    Args:
        seed: of the random starts; the same values always get the same groups.
        max_iterations: of one start.
        max_starts: starts to try before giving up by a RuntimeError.
    """

    def __init__(self, seed: int = 0, max_iterations: int = 300, max_starts: int = 10) -> None:
        _require('kmeans_pytorch', 'kmeans-pytorch')
        self.seed, self.max_iterations, self.max_starts = seed, max_iterations, max_starts

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        require(bool(values.isfinite().all()), 'values', 'be finite', values.tolist())
        # The package works in float32, where distinct values may meet or overflow.
        distinct, inverse = torch.unique(_scale(values).float(), return_inverse=True)
        if len(distinct) <= num_groups:
            return inverse
        for start in range(self.max_starts):
            with contextlib.suppress(NotConverged):
                return self._run(distinct[:, None], num_groups, self.seed + start)[inverse]
        raise RuntimeError(
            f'kmeans-pytorch did not converge in {self.max_starts} starts of '
            f"{self.max_iterations} iterations; `grouping='exact'` always does."
        )

    def _run(self, points: Tensor, num_groups: int, seed: int) -> Tensor:
        import kmeans_pytorch
        import numpy as np

        state = np.random.get_state()  # noqa: NPY002  (the package draws from the global one)
        np.random.seed(seed)  # noqa: NPY002
        silence = mock.patch.object(kmeans_pytorch, 'tqdm', partial(_Meter, self.max_iterations))
        try:
            with silence, contextlib.redirect_stdout(io.StringIO()):
                return kmeans_pytorch.kmeans(points, num_groups, device=points.device)[0]
        finally:
            np.random.set_state(state)  # noqa: NPY002


class NotConverged(Exception):
    """A random start of kmeans-pytorch did not converge."""


class _Meter:
    """Takes the place of kmeans-pytorch's progress bar: silent, and its loop ends."""

    def __init__(self, limit: int, **_: object) -> None:
        self.remaining, self.set_postfix = limit, lambda **_: None

    def update(self) -> None:
        self.remaining -= 1
        if self.remaining <= 0:
            raise NotConverged


class Spectral:
    """scikit-learn's spectral clustering with a linear affinity and cluster-QR labels."""

    def __init__(self) -> None:
        _require('sklearn.cluster', 'scikit-learn')

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        from sklearn.cluster import SpectralClustering

        clustering = SpectralClustering(
            n_clusters=num_groups, affinity='linear', assign_labels='cluster_qr', random_state=0
        )
        with warnings.catch_warnings():
            # A linear affinity of scalars has rank one, of which scikit-learn warns each time.
            warnings.simplefilter('ignore')
            return torch.from_numpy(clustering.fit_predict(_scale(values).numpy()[:, None])).long()


class SemidefiniteKMeans:
    r"""The semidefinite relaxation of K-means (Peng and Wei, 2007), rounded by exact K-means.

    .. math::
        \min_Z \langle D, Z \rangle \quad \text{s.t.} \quad
        Z \succeq 0,\; Z \ge 0,\; Z 1 = 1,\; \operatorname{tr} Z = K

    - :math:`D` (M, M): squared distances of the values;
    - :math:`Z` (M, M): of a true partition, 1 / size of the group for each two of its members, so
      that :math:`Z \gamma` holds each value's group mean. The relaxed one's is grouped exactly.
    """

    def __init__(self, solver: str = 'CLARABEL') -> None:
        _require('cvxpy', 'cvxpy')
        self.solver = solver

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        import cvxpy

        values = _scale(values)
        scaled = ((values - values.mean()) / values.std().clamp(min=1e-290)).numpy()
        relation = cvxpy.Variable((len(scaled), len(scaled)), PSD=True)
        cost = cvxpy.sum(cvxpy.multiply((scaled[:, None] - scaled) ** 2, relation))
        rules = [relation >= 0, cvxpy.sum(relation, axis=1) == 1]
        rules.append(cvxpy.trace(relation) == num_groups)
        cvxpy.Problem(cvxpy.Minimize(cost), rules).solve(solver=self.solver)
        return kmeans_1d(torch.from_numpy(relation.value @ scaled), num_groups)


GROUPINGS: dict[str, Callable[[], Any]] = {
    'exact': lambda: kmeans_1d,
    'kmeans_pytorch': KMeansPytorch,
    'spectral': Spectral,
    'sdp': SemidefiniteKMeans,
}
"""Each name's constructor; the optional ones say at construction which extra they need."""
