"""Groupings: the tasks that share a weight. ``'exact'`` is the default; any callable will do.

A grouping takes the indicator of M tasks (M,) and the number of groups, and returns the group of
each task (M,), integers in any numbering. The optional ones are those of the paper's Table 5.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import check_choice
from go4align_plugins.weighting.arrays import Array, namespace, positions
from go4align_plugins.weighting.kmeans import kmeans_1d

Grouping = Callable[[Tensor, int], Tensor]


def get_grouping(grouping: str | Grouping) -> Grouping:
    """Look a grouping up by its name; a callable is returned as it is."""
    if callable(grouping):
        return grouping
    return GROUPINGS[check_choice('grouping', grouping, GROUPINGS, ' or a callable')]()


def assign(indicator: Array, present: Array, num_groups: int, grouping: Grouping) -> Array:
    """Group the tasks that are present.

    Returns:
        (M,) int64: the group of each task, numbered from 0 by rising mean; -1 for an absent one.
    """
    xp = namespace(indicator)
    if grouping is not kmeans_1d and 1 < num_groups < len(indicator):
        values = torch.as_tensor(indicator[present])
        distinct, inverse = torch.unique(values, return_inverse=True)
        if len(distinct) > num_groups:
            found = torch.as_tensor(grouping(distinct, num_groups), device=values.device)
            whole = found.shape == distinct.shape and not found.is_floating_point()
            if not whole or len(found.unique()) > num_groups:
                raise ValueError(
                    f'Parameter `grouping` should return {len(distinct)} integers for as many '
                    f'tasks, at most {num_groups} different ones. Found `{found.tolist()}`.'
                )
            groups = torch.unique(found[inverse], return_inverse=True)[1]
            indicator = indicator * 1.0  # a copy
            indicator[present] = average(values, groups, num_groups)
        num_groups = len(indicator)  # equal means are one group
    return xp.where(present, kmeans_1d(indicator, num_groups, present), -1)


def average(indicator: Array, groups: Array, num_groups: int) -> Array:
    """Average the indicator over each group: (M,) each task's mean, 0 for an absent one."""
    if num_groups == len(indicator):
        return indicator
    xp = namespace(indicator)
    # One fixed order of summation on every device, which an atomic scatter would not keep.
    member = groups == positions(groups, num_groups)[:, None]
    means = xp.where(member, indicator, 0.0).sum(1) / member.sum(1).clip(min=1)
    return xp.where(groups < 0, 0.0, means[groups])


def _import(module: str) -> Any:
    # It is kept nowhere: an attribute that is a module could not be copied.
    return import_optional(module, 'clustering', 'Groupings by other packages')


def _scale(values: Tensor) -> Tensor:
    """Divide values by the largest magnitude, on the host: no square overflows."""
    values = values.double().cpu()
    return values / values.abs().max().clamp(min=1e-290)


class KMeansPytorch:
    """``kmeans_pytorch.kmeans``, which the released code uses: one random start at every call.

    Here it prints nothing, has a generator of its own, and gives up where it would loop for ever.

    Args:
        seed: of the random starts; the same values always get the same groups.
        max_iterations: of one start.
        max_starts: starts to try before giving up by a RuntimeError.
    """

    def __init__(self, seed: int = 0, max_iterations: int = 300, max_starts: int = 10) -> None:
        _import('kmeans_pytorch')
        self.seed, self.max_iterations, self.max_starts = seed, max_iterations, max_starts

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        # The package works in float32, where distinct values may meet or overflow.
        distinct, inverse = torch.unique(_scale(values).float(), return_inverse=True)
        if len(distinct) <= num_groups:
            return inverse
        for start in range(self.max_starts):
            with suppress(StopIteration):
                return self._run(distinct[:, None], num_groups, self.seed + start)[inverse]
        raise RuntimeError(
            f'kmeans-pytorch did not converge in {self.max_starts} starts of '
            f"{self.max_iterations} iterations; `grouping='exact'` always does."
        )

    def _run(self, points: Tensor, num_groups: int, seed: int) -> Tensor:
        package = _import('kmeans_pytorch')
        random = package.np.random.RandomState(seed)
        start = random.choice(len(points), num_groups, replace=False)
        # Its loop ends where it has converged, or where the updates of its progress bar do.
        updates = iter(range(self.max_iterations - 1))
        bar = SimpleNamespace(set_postfix=lambda **_: None, update=lambda: next(updates))
        own: Any = {'print': lambda _: None, 'tqdm': lambda **_: bar}
        own['initialize'] = lambda *_: points[start]
        with mock.patch.multiple(package, create=True, **own):
            return package.kmeans(points, num_groups, device=points.device)[0]


class Spectral:
    """scikit-learn's spectral clustering with a linear affinity and cluster-QR labels."""

    def __init__(self) -> None:
        _import('sklearn.cluster')

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        clustering = _import('sklearn.cluster').SpectralClustering(
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

    D (M, M) holds the values' squared distances. Z (M, M) of a partition times the values gives
    their groups' means.
    """

    def __init__(self, solver: str = 'CLARABEL') -> None:
        _import('cvxpy')
        self.solver = solver

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        cvxpy, values = _import('cvxpy'), _scale(values)
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
