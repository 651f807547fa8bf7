"""The other groupings of the paper's Table 5, by the libraries that it names.

Each takes distinct indicators (M,) float64 and a number of groups below M, and returns the group of
each. They are here to compare with; the default is exact and needs none of these packages.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from functools import partial
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from go4align_plugins.weighting.kmeans import kmeans_1d


def _require(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'This grouping needs {package}, which is not installed: '
            'pip install "go4align-plugins[clustering]"'
        ) from error


def _scaled(values: Tensor) -> Tensor:
    """The values in units of the largest magnitude, on the host: no square overflows."""
    values = values.double().cpu()
    return values / values.abs().max().clamp(min=1e-290)


class BoundedMeter:
    """Takes the place of kmeans-pytorch's progress bar: silent, and its loop ends."""

    def __init__(self, limit: int, **_: object) -> None:
        self.remaining = limit

    def set_postfix(self, **_: object) -> None:
        """Print nothing."""

    def update(self) -> None:
        """Count an iteration."""
        self.remaining -= 1
        if self.remaining <= 0:
            raise NotConverged


class NotConverged(Exception):
    """A random start of kmeans-pytorch did not converge."""


class KMeansPytorch:
    """``kmeans_pytorch.kmeans``, which the released code uses: one random start at every call.

    It prints, draws a progress bar, starts from numpy's global generator and loops for ever on
    repeated or non-finite values, in each of its releases. Here it is silent, leaves the global
    generators as they were, gets distinct values alone, and gives up on a start that does not
    converge.

    Args:
        seed: of the random starts; the same values always get the same groups.
        max_iterations: of one start.
        max_starts: starts to try before giving up.

    Raises:
        ImportError: if kmeans-pytorch is not installed.
    """

    def __init__(self, seed: int = 0, max_iterations: int = 300, max_starts: int = 10) -> None:
        self.module = _require('kmeans_pytorch', 'kmeans-pytorch')
        self.seed = seed
        self.max_iterations = max_iterations
        self.max_starts = max_starts

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,).

        Raises:
            ValueError: if a value is not finite.
            RuntimeError: if no start converged.
        """
        if not values.isfinite().all():
            raise ValueError(
                f'Parameter `values` should be finite. Found `values = {values.tolist()}`.'
            )
        # The package works in float32, where distinct values may meet or overflow.
        points = _scaled(values).float()
        distinct, inverse = torch.unique(points, return_inverse=True)
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
        import numpy as np

        state = np.random.get_state()  # noqa: NPY002  (the package draws from the global one)
        np.random.seed(seed)  # noqa: NPY002
        try:
            meter = partial(BoundedMeter, self.max_iterations)
            silence = mock.patch.object(self.module, 'tqdm', meter)
            with silence, contextlib.redirect_stdout(io.StringIO()):
                return self.module.kmeans(points, num_groups, device=points.device)[0]
        finally:
            np.random.set_state(state)  # noqa: NPY002


class Spectral:
    """scikit-learn's spectral clustering with a linear affinity and cluster-QR labels.

    Raises:
        ImportError: if scikit-learn is not installed.
    """

    def __init__(self) -> None:
        self.module = _require('sklearn.cluster', 'scikit-learn')

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        scaled = _scaled(values).numpy()
        clustering = self.module.SpectralClustering(
            n_clusters=num_groups, affinity='linear', assign_labels='cluster_qr', random_state=0
        )
        with warnings.catch_warnings():
            # A linear affinity of scalars has rank one, of which scikit-learn warns each time.
            warnings.simplefilter('ignore')
            return torch.from_numpy(clustering.fit_predict(scaled[:, None])).long()


class SemidefiniteKMeans:
    r"""The semidefinite relaxation of K-means (Peng and Wei, 2007), rounded by exact K-means.

    .. math::
        \min_Z \langle D, Z \rangle \quad \text{s.t.} \quad
        Z \succeq 0,\; Z \ge 0,\; Z 1 = 1,\; \operatorname{tr} Z = K

    - :math:`D` (M, M): squared distances of the values;
    - :math:`Z` (M, M): for a true partition, 1 / size of the group for each two of its members, so
      that :math:`Z \gamma` holds each value's group mean. The relaxed one's is rounded by grouping
      it on the line.

    Args:
        solver: a solver of cvxpy's, by name.

    Raises:
        ImportError: if cvxpy is not installed.
    """

    def __init__(self, solver: str = 'CLARABEL') -> None:
        self.module: Any = _require('cvxpy', 'cvxpy')
        self.solver = solver

    def __call__(self, values: Tensor, num_groups: int) -> Tensor:
        """Group distinct values (M,)."""
        cvxpy = self.module
        values = _scaled(values)
        scaled = ((values - values.mean()) / values.std().clamp(min=1e-290)).numpy()
        relation = cvxpy.Variable((len(scaled), len(scaled)), PSD=True)
        cost = cvxpy.sum(cvxpy.multiply((scaled[:, None] - scaled) ** 2, relation))
        rules = [relation >= 0, cvxpy.sum(relation, axis=1) == 1]
        rules.append(cvxpy.trace(relation) == num_groups)
        cvxpy.Problem(cvxpy.Minimize(cost), rules).solve(solver=self.solver)
        return kmeans_1d(torch.from_numpy(relation.value @ scaled), num_groups)
