"""Import LibMTL, whichever release is installed, on today's torch; and mend its CAGrad.

PyPI's LibMTL 1.1.5 (2021) and GitHub's main have the same version number: each difference is found
by looking at the package.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from go4align_plugins.utils.options import require

if TYPE_CHECKING:
    import numpy as np  # which may be missing: the error below names the extra

REMOVED_MODULE = 'torchvision.models.utils'


def import_libmtl() -> Any:
    """Import the package ``LibMTL``.

    LibMTL 1.1.5 imports ``torchvision.models.utils``, gone since 0.13: ``torch.hub``, which has
    its function, stands in for it. An ImportError names the extra that has a missing package.
    """
    sys.modules[REMOVED_MODULE] = torch.hub
    try:
        library = importlib.import_module('LibMTL')
        importlib.import_module('LibMTL.config')
    except ModuleNotFoundError as error:
        missing = (error.name or 'LibMTL').split('.')[0]
        extra = 'libmtl' if missing in ('LibMTL', 'torchvision', 'scipy') else 'libmtl-main'
        raise ImportError(
            f'go4align_plugins.libmtl needs {missing}, which is not installed: '
            f'pip install "go4align-plugins[{extra}]"'
        ) from error
    finally:
        del sys.modules[REMOVED_MODULE]
    return library


def default_options(weighting: str) -> dict[str, Any] | None:
    """Ask LibMTL's command line for a strategy's default ``weight_args``; None if it knows none."""
    params = LibMTL.config.LibMTL_args.parse_args([])
    params.weighting = weighting
    with contextlib.suppress(ValueError), contextlib.redirect_stdout(io.StringIO()):
        return LibMTL.config.prepare_args(params)[0]['weight_args']
    return None


def default_device(gpu_id: str = '0') -> torch.device:
    """Choose the CUDA device of that number, or the CPU where there is none."""
    return torch.device(f'cuda:{gpu_id}' if torch.cuda.is_available() else 'cpu')


LibMTL: Any = import_libmtl()
EPSILON = 1e-8


class CAGrad(LibMTL.weighting.CAGrad):
    r"""CAGrad of LibMTL 1.1.5 for any number of tasks: its own works for three alone.

    `Conflict-Averse Gradient Descent <https://arxiv.org/abs/2110.14048>`_ moves along

    .. math::
        g_0 + c \lVert g_0 \rVert \frac{g_w}{\lVert g_w \rVert}, \qquad
        w = \arg\min_{w \in \Delta} \; g_w^\top g_0 + c \lVert g_0 \rVert \lVert g_w \rVert

    - :math:`g_0` is the mean of the tasks' gradients, :math:`g_w = \sum_m w_m g_m`;
    - :math:`\Delta` is the simplex (no negative weights, their sum is 1), :math:`c` is ``calpha``.
    """

    def backward(self, losses: Tensor, **kwargs: Any) -> np.ndarray:
        """Combine the tasks' gradients; return the weights (M,)."""
        if self.rep_grad or self.task_num == 3:
            return super().backward(losses, **kwargs)
        self._compute_grad_dim()
        gradients = self._compute_grad(losses, mode='backward')
        combined, weights = combine(gradients, kwargs['calpha'], kwargs['rescale'])
        self._reset_grad(combined)
        return weights


def combine(gradients: Tensor, calpha: float, rescale: int) -> tuple[Tensor, np.ndarray]:
    """Combine the tasks' gradients (M, D) into a step's direction (D,), and its weights (M,)."""
    from scipy.optimize import minimize

    require(rescale in (0, 1, 2), 'rescale', 'be 0, 1 or 2', rescale)
    products = gradients @ gradients.T
    radius = (calpha * (products.mean() + EPSILON).sqrt() + EPSILON).item()
    matrix = products.cpu().numpy()
    start = [1 / len(matrix)] * len(matrix)

    def objective(weights: np.ndarray) -> float:
        return weights @ matrix @ start + radius * math.sqrt(weights @ matrix @ weights + EPSILON)

    simplex = {'type': 'eq', 'fun': lambda weights: 1 - weights.sum()}
    found = minimize(objective, start, bounds=[(0, 1)] * len(start), constraints=simplex).x
    weighted = torch.as_tensor(found, dtype=gradients.dtype, device=gradients.device) @ gradients
    direction = gradients.mean(0) + radius / (weighted.norm() + EPSILON) * weighted
    return direction / (1, 1 + calpha**2, 1 + calpha)[rescale], found
