"""The method's equations by mpmath, to as many digits as are set there."""

from __future__ import annotations

from typing import Any

from mpmath import mp

LARGEST = 1e150  # a larger loss counts as this one, and the indicator saturates at it
# Of a weight, relative, given the state, a unit of the logarithms that add up to its own.
WEIGHT_ERROR = 2.0**-50


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


def magnitudes(risks, losses, groups):
    """The sums of logarithms that a weight's error is a multiple of: the largest of its group."""
    total, least, largest = mp.log(mp.fsum(losses)) if any(losses) else 0, min(risks), {}
    for x, risk, group in zip(losses, risks, groups):
        # A share that underflows adds nothing to the mean.
        size = float(abs(total) + abs(mp.log(x)) + min(risk - least, 800)) if x > 0 else 0.0
        largest[group] = max(size, largest.get(group, 0.0))
    return [1 + largest[group] for group in groups]
