"""Group assignment indicators: one number a task, by which AGRM groups the tasks."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from go4align_plugins.utils.options import check_choice, check_switch, require
from go4align_plugins.weighting.arrays import Array, as_array, is_followed, namespace

LARGEST, FAR = 1e150, 1e300
"""Losses and the indicator saturate far beyond any training, so that nothing leaves float64."""
RISK_SCALES = ('sum', 'mean')


def balance_scale(loss: Any, total: Any) -> Any:
    """Eq. 5, of numbers or arrays: the losses' total over one; of the total times q, Eq. 7."""
    return total / loss


def align_smoothly(risk: Any, least: Any, exp: Callable[[Any], Any]) -> Any:
    """Eq. 6, of numbers or arrays, but for the sum that it is divided by."""
    return exp(least - risk)


class RiskGuidedIndicator(nn.Module):
    r"""The risk-guided indicator of GO4Align (https://arxiv.org/abs/2404.06486, Eq. 5 to 7).

    .. math::
        p_m &= \frac{\sum_n L_n}{L_m} && \text{scale balance (Eq. 5)} \\
        q_m &\propto \exp\Big(-\beta \sum_{s \le t} L_m^{(s)}\Big),
            \quad \textstyle\sum_m q_m = 1 && \text{smooth alignment (Eq. 6)} \\
        \gamma_m &= p_m q_m && \text{(Eq. 7)}

    L (M,) are the losses (risks) of this step, and beta is the step size. p puts all tasks on one
    scale: the smaller the loss, the larger. q is the history, from 1 / M on and with this step: a
    task that has lost more in all counts less. The sums over n run over the tasks that are present.
    The released code keeps the history as a product; a sum in float64 loses nothing to rounding.

    Args:
        num_tasks: M.
        step_size: beta, at least 0.
        risk_scale: ``'sum'`` (the released code) or ``'mean'`` (Eq. 5, M times smaller).
        scale_balance: False takes Eq. 5 out (p = 1).
        smooth_alignment: False takes Eq. 6 out (q = 1).

    Raises:
        ValueError: if a parameter is out of its range.
    """

    accumulated_risk: Tensor
    """(M,) float64 buffer: beta times the summed losses of each task; q = softmax of its minus."""

    def __init__(
        self,
        num_tasks: int,
        step_size: float = 1e-4,
        risk_scale: str = 'sum',
        scale_balance: bool = True,
        smooth_alignment: bool = True,
    ) -> None:
        super().__init__()
        number = isinstance(step_size, Real) and not isinstance(step_size, bool)
        # Beyond 1e100, a product with a loss could leave float64's range.
        valid = number and 0 <= step_size <= 1e100
        require(valid, 'step_size', 'be finite and at least 0', step_size)
        self.step_size = float(step_size)
        self.risk_scale = check_choice('risk_scale', risk_scale, RISK_SCALES)
        self.scale_balance = check_switch('scale_balance', scale_balance)
        self.smooth_alignment = check_switch('smooth_alignment', smooth_alignment)
        self.register_buffer('accumulated_risk', torch.zeros(num_tasks, dtype=torch.float64))

    def forward(self, losses: Array, micro_batches: int = 1) -> Array:
        """Take one step; in ``eval()`` the indicator is the same, and the state stays as it is.

        Args:
            losses: (M,) float64, a tensor or numpy's array, detached, finite; 0 of an absent task.
            micro_batches: the number of calls that make up one step of the optimizer.

        Returns:
            (M,) float64: the indicator, at most 1e150; 0 for an absent task.
        """
        xp, present = namespace(losses), losses > 0
        losses = xp.where(losses < LARGEST, losses, LARGEST)
        indicator = xp.sign(losses)
        if self.smooth_alignment:
            history = self.accumulated_risk if xp is torch else self.accumulated_risk.numpy()
            risk = history + self.step_size / micro_batches * losses
            if self.training:
                history[...] = risk
            risk = xp.where(present, risk, FAR)
            indicator = indicator * align_smoothly(risk, risk.min(), xp.exp)
            # Where no task is present, all are 0 over 1.
            indicator = indicator / xp.where(present.any(), indicator.sum(), 1.0)
        if self.scale_balance:
            number = present.sum().clip(min=1) if self.risk_scale == 'mean' else 1
            total = losses.sum() / number
            # Bounded before it is divided: nothing overflows, and an absent task has 0 over 1.
            bounded = xp.minimum(total * indicator, LARGEST * losses)
            indicator = balance_scale(xp.where(present, losses, 1.0), bounded)
        return indicator

    def reset(self) -> None:
        """Forget all steps."""
        self.accumulated_risk.zero_()

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state, prefix, *args)
        risk = self.accumulated_risk
        if not (risk.is_meta or (risk.isfinite() & (risk >= 0)).all()):
            found = f'Found {risk.tolist()!s:.200}.'
            args[-1].append(f'`{prefix}accumulated_risk` should be finite and at least 0. {found}')

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        def keep_precision(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        # `model.half()` and the like move the state, but never round it.
        return super()._apply(keep_precision, recurse)

    def extra_repr(self) -> str:  # noqa: D102
        names = ('step_size', 'risk_scale', 'scale_balance', 'smooth_alignment')
        return ', '.join(f'{name}={getattr(self, name)!r}' for name in names)


def indicate(indicator: Callable[..., Any], risks: Array, present: Array, **options: Any) -> Array:
    """Call any indicator: (M,) float64, finite, 0 for an absent task.

    Raises:
        ValueError: if it returns anything else than M finite numbers.
    """
    if type(indicator) is RiskGuidedIndicator:
        return indicator(risks, **options)
    risks, present = torch.as_tensor(risks), torch.as_tensor(present)
    if not is_followed() and not present.any():
        return as_array(risks)
    with torch.no_grad():
        if isinstance(indicator, nn.Module) and not indicator.training:
            # Whatever it does with its state, it does to a copy.
            state = {name: buffer.clone() for name, buffer in indicator.named_buffers()}
            found = functional_call(indicator, state, (risks,), options)
        else:
            found = indicator(risks, **options)
    if found.shape == risks.shape:
        found = torch.where(present, found.double(), 0.0)
    if found.shape != risks.shape or not (is_followed() or found.isfinite().all()):
        raise ValueError(
            f'Parameter `indicator` should return {len(risks)} finite numbers. '
            f'Found `{found.tolist()}`.'
        )
    return as_array(found)
