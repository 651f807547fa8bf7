"""Group assignment indicators: one number a task, by which AGRM groups the tasks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import exp, fsum, log
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from go4align_plugins.weighting.checks import check_step_size, check_switch
from go4align_plugins.weighting.small import Array, arrays, buffer, write

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

LARGEST = sys.float_info.max
LARGEST_EXPONENT = log(LARGEST)
SMALL = 1e-150
"""Between it and its inverse, a quotient of two numbers times a third is within float64's range."""
FAR = -log(SMALL)
RISK_SCALES = ('sum', 'mean')


class RiskGuidedIndicator(nn.Module):
    r"""The risk-guided indicator of GO4Align (https://arxiv.org/abs/2404.06486, Eq. 5 to 7).

    .. math::
        p_m &= \frac{\sum_n L_n}{L_m} && \text{scale balance (Eq. 5)} \\
        q_m &\propto \exp\Big(-\beta \sum_{s \le t} L_m^{(s)}\Big),
            \quad \textstyle\sum_m q_m = 1 && \text{smooth alignment (Eq. 6)} \\
        \gamma_m &= p_m q_m && \text{(Eq. 7)}

    - :math:`L` (M,): the losses (risks) of this step, detached;
    - :math:`\beta`: the step size;
    - :math:`p` (M,): puts all tasks on one scale: the smaller the loss, the larger;
    - :math:`q` (M,): the history; a product over all steps, so that a task that has lost more in
      all counts less. It starts at 1 / M and includes the current step;
    - :math:`\gamma` (M,): the indicator.

    Differences from the released code: all of it is computed in log space and float64, so that
    neither a small q nor a long training loses anything to rounding; and Eq. 5 as printed
    (``risk_scale='mean'``) is there beside the released ``'sum'``, which is M times larger.

    Args:
        num_tasks: M.
        step_size: beta, at least 0. What matters is beta times the losses summed over the training.
        risk_scale: ``'sum'`` (the released code) or ``'mean'`` (Eq. 5) of the losses over the one.
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
        if risk_scale not in RISK_SCALES:
            raise ValueError(
                f'Parameter `risk_scale` should be one of {RISK_SCALES}. '
                f'Found `risk_scale = {risk_scale!r}`.'
            )
        self.step_size = check_step_size(step_size)
        self.risk_scale = risk_scale
        self.scale_balance = check_switch('scale_balance', scale_balance)
        self.smooth_alignment = check_switch('smooth_alignment', smooth_alignment)
        self.register_buffer('accumulated_risk', torch.zeros(num_tasks, dtype=torch.float64))

    @torch.no_grad()
    def forward(self, losses: Tensor, micro_batches: int = 1) -> Tensor:
        """Take one step.

        Args:
            losses: (M,) float64, finite, at least 0; 0 marks a task that is absent.
            micro_batches: how many such calls make up one step of the optimiser; each then counts
                for that part of a step.

        Returns:
            (M,) float64: the indicator; 0 for an absent task.
        """
        present = losses > 0
        log_indicator = torch.zeros_like(losses)
        if self.scale_balance:
            log_losses = losses.log()
            log_indicator = log_losses.logsumexp(0) - log_losses
            if self.risk_scale == 'mean':
                log_indicator = log_indicator - present.sum().double().log()
        if self.smooth_alignment:
            # Kept as a plain sum, so that an absent task's entry stays as it is, and bounded, so
            # that even losses near the end of float64's range leave a finite state.
            self.accumulated_risk.add_(losses, alpha=self.step_size / micro_batches)
            self.accumulated_risk.clamp_(max=torch.finfo(torch.float64).max)
            log_indicator = log_indicator + (-self.accumulated_risk).log_softmax(0)
        indicator = log_indicator.exp().clamp(max=torch.finfo(torch.float64).max)
        return torch.where(present, indicator, 0.0)

    def on_numbers(
        self, losses: Sequence[float], regular: bool, micro_batches: int = 1
    ) -> list[float]:
        """Take one step on plain numbers: the same equations, faster where tasks are few.

        Sums are exact before they are rounded, so the order of the tasks does not matter; beside
        :meth:`forward`'s, the last bits may differ.

        Args:
            losses: M numbers as :meth:`forward` takes them.
            regular: what :func:`is_regular` says of them.
            micro_batches: how many such calls make up one step of the optimiser.

        Returns:
            M numbers: the indicator; 0 for an absent task.
        """
        rate = self.step_size / micro_batches
        risks = [0.0]
        if self.smooth_alignment:
            accumulated = buffer(self, 'accumulated_risk')
            risks = [risk + rate * x for risk, x in zip(accumulated.tolist(), losses)]
            write(risks, accumulated)
        least = min(risks)
        near = max(risks) - least <= FAR  # neither is infinite
        if not near or not regular:
            return self._in_logs(losses, risks)
        # Nothing can leave float64's range: the equations as they are printed.
        scale = self._scale(losses)
        if not self.smooth_alignment:
            return [scale / x for x in losses] if self.scale_balance else [1.0] * len(losses)
        history = [exp(least - risk) for risk in risks]
        scale /= fsum(history)
        if not self.scale_balance:
            return [scale * part for part in history]
        return [scale / x * part for x, part in zip(losses, history)]

    def on_arrays(
        self, losses: Sequence[float], regular: bool, micro_batches: int = 1
    ) -> list[float] | Array:
        """Take one step on numpy's arrays, faster for tens of tasks; all as :meth:`on_numbers`."""
        rate = self.step_size / micro_batches
        if not regular or rate > 1 / SMALL:
            return self.on_numbers(losses, regular, micro_batches)
        values, scale = arrays.array(losses), self._scale(losses)
        if not self.smooth_alignment:
            return scale / values if self.scale_balance else arrays.ones_like(values)
        accumulated = buffer(self, 'accumulated_risk').numpy()
        accumulated += rate * values
        risks = accumulated.tolist()
        least = min(risks)
        if max(risks) - least > FAR:
            return self._in_logs(losses, risks)
        history = arrays.exp(least - accumulated)
        scale /= fsum(history.tolist())
        history *= scale / values if self.scale_balance else scale
        return history

    def _scale(self, losses: Sequence[float]) -> float:
        """What Eq. 5 divides by each loss."""
        if not self.scale_balance:
            return 1.0
        return fsum(losses) / (len(losses) if self.risk_scale == 'mean' else 1)

    def _in_logs(self, losses: Sequence[float], risks: Sequence[float]) -> list[float]:
        """The indicator where a task is absent, or a term may leave float64's range."""
        # Everything is taken relative to the largest term, so that nothing overflows.
        logs = [0.0] * len(losses)
        if self.scale_balance:
            largest = max(losses) or 1.0
            log_total = log(largest) + log(fsum([x / largest for x in losses]) or 1.0)
            if self.risk_scale == 'mean':
                log_total -= log(len(losses) - losses.count(0.0) or 1)
            logs = [log_total - log(x or 1.0) for x in losses]
        if self.smooth_alignment:
            if max(risks) > LARGEST:
                risks = [min(risk, LARGEST) for risk in risks]
                write(risks, buffer(self, 'accumulated_risk'))
            least = min(risks)
            log_total = log(fsum([exp(least - risk) for risk in risks]))
            logs = [x - log_total + (least - risk) for x, risk in zip(logs, risks)]
        indicator = [exp(x) if x < LARGEST_EXPONENT else LARGEST for x in logs]
        return [gamma if x else 0.0 for gamma, x in zip(indicator, losses)]

    def reset(self) -> None:
        """Forget all steps."""
        self.accumulated_risk.zero_()

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state, prefix, *args)
        risk = self.accumulated_risk
        if not (risk.isfinite() & (risk >= 0)).all():
            errors: list[str] = args[-1]
            errors.append(
                f'`{prefix}accumulated_risk` should be finite and at least 0. '
                f'Found {risk.tolist()!s:.200}.'
            )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        # `model.half()` and the like move the state, but never round it.
        exact = self.accumulated_risk
        super()._apply(fn, recurse)
        self.accumulated_risk = exact.to(self.accumulated_risk.device)
        return self

    def extra_repr(self) -> str:  # noqa: D102
        options: dict[str, Any] = {
            'step_size': self.step_size,
            'risk_scale': self.risk_scale,
            'scale_balance': self.scale_balance,
            'smooth_alignment': self.smooth_alignment,
        }
        return ', '.join(f'{name}={value!r}' for name, value in options.items())


def is_regular(losses: Sequence[float]) -> bool:
    """Whether no task is absent, all are finite, and no term of Eq. 5 leaves float64's range."""
    return min(losses) >= SMALL and sum(losses) <= 1 / SMALL


def takes_numbers(indicator: object) -> TypeGuard[RiskGuidedIndicator]:
    """Whether :meth:`RiskGuidedIndicator.on_numbers` does all that a call of this one would do."""
    return type(indicator) is RiskGuidedIndicator and not (
        indicator._forward_hooks or indicator._forward_pre_hooks
    )
