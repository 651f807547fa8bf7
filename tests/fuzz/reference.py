"""The method's equations by mpmath, to as many digits as are set there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mpmath import mp

LARGEST = 1e150  # a larger loss counts as this one, and the indicator saturates at it
# Of a weight, relative, given the state, a unit of the logarithms that add up to its own.
WEIGHT_ERROR = 2.0**-50


def error_of_weights(
    weights: torch.Tensor,
    losses: Sequence[float],
    risks: Sequence[float],
    groups: Sequence[int],
    risk_scale: str = 'sum',
    scale_balance: bool = True,
    smooth_alignment: bool = True,
) -> float:
    """The largest error of weights, in stated ones; ``risks`` and ``groups`` are after the step."""
    present = [task for task, x in enumerate(losses) if x > 0]
    total, least = mp.fsum(losses), min(risks)
    scale = total / (len(present) if risk_scale == 'mean' else 1)
    shares = [mp.exp(least - risk) if x > 0 else mp.mpf(0) for x, risk in zip(losses, risks)]
    indicator, sizes = {}, {}
    for task in present:  # Eq. 5 to 7
        balance = scale / losses[task] if scale_balance else mp.mpf(1)
        alignment = shares[task] / mp.fsum(shares) if smooth_alignment else 1
        indicator[task] = min(balance * alignment, mp.mpf(LARGEST))
        # A share that underflows adds nothing to the mean.
        logarithms = abs(mp.log(total)) + abs(mp.log(losses[task]))
        sizes[task] = 1 + logarithms + min(risks[task] - least, 800)
    kind, worst = torch.finfo(weights.dtype), 0.0
    # What underflows is off by the least numbers of float64 and of the weights' dtype.
    smallest = 16 * mp.mpf(2) ** -1074 + mp.mpf(kind.tiny) * kind.eps
    for task in present:  # Eq. 4
        members = [other for other in present if groups[other] == groups[task]]
        exact = mp.fsum(indicator[other] for other in members) / len(members)
        exact = min(exact, mp.mpf(kind.max))
        size = max(sizes[other] for other in members) + len(groups)
        error = abs(weights[task].item() - exact)
        worst = max(worst, float(error / (exact * (WEIGHT_ERROR * size + kind.eps) + smallest)))
    return worst
