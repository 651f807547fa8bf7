r"""CAGrad of LibMTL 1.1.5 for any number of tasks: its own works for three alone.

`Conflict-Averse Gradient Descent <https://arxiv.org/abs/2110.14048>`_ moves along

.. math::
    g_0 + c \lVert g_0 \rVert \frac{g_w}{\lVert g_w \rVert}, \qquad
    w = \arg\min_{w \in \Delta} \; g_w^\top g_0 + c \lVert g_0 \rVert \lVert g_w \rVert

- :math:`g_0` is the mean of the tasks' gradients, :math:`g_w = \sum_m w_m g_m`;
- :math:`\Delta` is the simplex (no negative weights, their sum is 1), :math:`c` is ``calpha``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from go4align_plugins.libmtl.compat import import_libmtl

if TYPE_CHECKING:
    import numpy as np

LibMTL: Any = import_libmtl()

WRITTEN_FOR = 3
EPSILON = 1e-8
RESCALES = {0: lambda c: 1.0, 1: lambda c: 1 + c**2, 2: lambda c: 1 + c}


class CAGrad(LibMTL.weighting.CAGrad):
    """LibMTL's CAGrad; for three tasks its step is LibMTL's own."""

    def backward(self, losses: Tensor, **kwargs: Any) -> np.ndarray:
        """Combine the tasks' gradients.

        Args:
            losses: (M,) the tasks' losses.
            **kwargs: ``calpha`` and ``rescale``, as LibMTL hands them over.

        Returns:
            (M,) the weights.
        """
        if self.rep_grad or self.task_num == WRITTEN_FOR:
            return super().backward(losses, **kwargs)
        self._compute_grad_dim()
        gradients = self._compute_grad(losses, mode='backward')
        combined, weights = combine(gradients, kwargs['calpha'], kwargs['rescale'])
        self._reset_grad(combined)
        return weights


def combine(gradients: Tensor, calpha: float, rescale: int) -> tuple[Tensor, np.ndarray]:
    """Combine the tasks' gradients (M, D) into the direction (D,) of a step.

    Args:
        gradients: (M, D), one a task.
        calpha: c, how far the direction may be from the mean gradient.
        rescale: 0, 1 or 2: the direction is divided by 1, 1 + c² or 1 + c.

    Returns:
        The direction (D,), and the weights (M,) float64 that gave it.

    Raises:
        ValueError: if ``rescale`` is none of the three.
    """
    import numpy as np
    from scipy.optimize import minimize

    if rescale not in RESCALES:
        raise ValueError(f'Parameter `rescale` should be 0, 1 or 2. Found `rescale = {rescale}`.')
    products = gradients @ gradients.T
    radius = (calpha * (products.mean() + EPSILON).sqrt() + EPSILON).item()
    matrix = products.cpu().numpy()
    start = np.full(len(matrix), 1 / len(matrix))

    def objective(weights: np.ndarray) -> float:
        return weights @ matrix @ start + radius * np.sqrt(weights @ matrix @ weights + EPSILON)

    found = minimize(
        objective,
        start,
        bounds=[(0, 1)] * len(start),
        constraints={'type': 'eq', 'fun': lambda weights: 1 - weights.sum()},
    ).x
    weighted = torch.as_tensor(found, dtype=gradients.dtype, device=gradients.device) @ gradients
    direction = gradients.mean(0) + radius / (weighted.norm() + EPSILON) * weighted
    return direction / RESCALES[rescale](calpha), found
