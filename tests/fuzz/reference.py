"""The method's equations by mpmath, to as many digits as are set there."""

from __future__ import annotations

from typing import Any

from mpmath import mp

LARGEST = 1e150
"""A larger loss counts as this one, and the indicator saturates at it."""


def exact_indicator(
    losses: list[float],
    risks: list[Any],
    risk_scale: str = 'sum',
    scale_balance: bool = True,
    smooth_alignment: bool = True,
) -> dict[int, Any]:
    """Eq. 5 to 7 of each present task, from the losses and the accumulated risks (Eq. 6's sum)."""
    present = [task for task, x in enumerate(losses) if x > 0]
    least = min((risks[task] for task in present), default=0)
    shares = {task: mp.exp(least - risks[task]) for task in present}
    total = mp.fsum(losses) / (len(present) if risk_scale == 'mean' else 1)
    return {
        task: min(
            (total / losses[task] if scale_balance else mp.mpf(1))
            * (shares[task] / mp.fsum(shares.values()) if smooth_alignment else 1),
            mp.mpf(LARGEST),
        )
        for task in present
    }


def exact_weights(indicator: dict[int, Any], groups: list[int]) -> list[Any]:
    """The mean of each task's group (Eq. 4), and 0 of a task that is absent."""
    weights = [mp.mpf(0)] * len(groups)
    for task in indicator:
        members = [value for other, value in indicator.items() if groups[other] == groups[task]]
        weights[task] = mp.fsum(members) / len(members)
    return weights
