"""LibMTL's own strategies under AGRM: their weights, shared within groups of tasks.

``AGRM_MGDA`` groups the tasks by the weights that MGDA gives them at each step, and each task gets
the mean weight of its group (https://arxiv.org/abs/2404.06486, Eq. 3 and Table 4). The strategy
itself is LibMTL's, unchanged: its weights are replaced by their groups' means only where they meet
the losses or the gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from go4align_plugins.libmtl.strategies import GROUPED, AGRMWeighting
from go4align_plugins.weighting import AGRM

OWN_LOOP = ('MOML', 'FORUM', 'AutoLambda')
"""LibMTL's bilevel strategies, which it trains by a loop of their own."""

NOT_GROUPED = {
    'GO4Align': 'it is AGRM itself, with GO4Align_num_groups',
    'GradDrop': 'it drops single entries of the gradients, so a task has no weight in it',
    **dict.fromkeys(OWN_LOOP, 'LibMTL trains it by a loop of its own, not by a weighting strategy'),
}
"""The strategies that AGRM cannot group, and why."""

TOLERANCE = 1e-3
"""Far above float32's rounding and far below any true difference, relative to the terms' sizes."""


def refuse_ungrouped(weighting: str) -> None:
    """Say why a strategy under AGRM cannot be grouped, if it is one of :data:`NOT_GROUPED`."""
    base = weighting.removeprefix(GROUPED)
    if weighting != base and base in NOT_GROUPED:
        rule = 'Parameter `weighting` should be a strategy that AGRM can group'
        raise ValueError(f'{rule}. Found `{weighting}`: {NOT_GROUPED[base]}.')


@dataclass
class Step:
    """The losses, gradients and weights within one step of M tasks."""

    losses: Tensor  # (M,), detached; of several batches, their mean
    several_batches: bool
    measuring: bool = False  # while the strategy computes the gradients of single tasks
    gradients: Any = None  # (M, D + M), of the first batch, marked
    weights: Tensor | None = None  # (M,), that took effect


class Grouped(AGRMWeighting):
    """One of LibMTL's strategies under AGRM; the strategy is the other base class.

    - A weighted sum of losses: the gradient of the total with respect to the losses is the weights,
      whatever formula made them; it is grouped on its way back. Parameters of the strategy itself
      (UW's variances, ...) get the same gradient as without AGRM.
    - A weighted sum of gradients of the shared parameters (or of the representation): the weights
      given to LibMTL's ``_backward_new_grads``, or read off the gradient that is given to
      ``_reset_grad``. The tasks' own parameters keep their own gradients, as in LibMTL.

    With as many groups as tasks it is the strategy itself. A task whose loss is exactly 0 is absent
    and left out of the grouping; weights that are not finite pass as they are.

    Options, in ``weight_args`` or on LibMTL's command line: ``AGRM_num_groups`` and
    ``AGRM_grouping``, as GO4Align's, beside the strategy's own.
    """

    # The indicator is the strategy's own weights.
    method = staticmethod(partial(AGRM, indicator=lambda losses, weights: weights))
    prefix = GROUPED
    average: ClassVar[str | None] = None
    """The attribute with the running average that is weighted; None: this step's gradients."""
    _step: Step

    def backward(self, losses: Tensor, **weight_args: Any) -> Any:
        """Let the strategy take its step on losses (M,) or (3, M); return the grouped weights."""
        self.configure(weight_args)
        risks = losses.detach().abs().view(-1, self.task_num).mean(0)
        self._step = step = Step(risks, several_batches=losses.ndim > 1)
        followed = losses.clone()
        if followed.requires_grad:
            # The losses' gradient is their weights, unless it is of one task alone.
            followed.register_hook(lambda weights: None if step.measuring else self._group(weights))
        own = {name: value for name, value in weight_args.items() if not name.startswith(GROUPED)}
        marked = None if self._ungrouped else self.average
        if marked:
            setattr(self, marked, add_marks(getattr(self, marked)))
        returned = super().backward(followed, **own)
        if marked:
            setattr(self, marked, getattr(self, marked)[:, : -self.task_num])
        if self._ungrouped and step.weights is None and returned is not None:
            self._group(torch.as_tensor(returned, device=losses.device))
        del self._step
        # With as many groups as tasks it returns whatever the strategy itself does.
        if self._ungrouped and (returned is not None or step.weights is None):
            return returned
        if step.weights is None:
            rule = 'should weight losses or gradients by one number a task'
            raise ValueError(f'{self.strategy_name()} {rule}. Found no weights in its step.')
        return step.weights.float().cpu().numpy()

    @property
    def _ungrouped(self) -> bool:
        return self.agrm.num_groups == self.task_num

    def _group(self, weights: Tensor) -> Tensor:
        """Replace the strategy's weights (M,) by those that take effect, of the same dtype."""
        weights = weights.detach()
        if weights.isfinite().all():
            grouped = self.agrm(self._step.losses.to(weights), weights=weights)
            weights = weights if self._ungrouped else grouped
        self._step.weights = weights
        return weights

    def _compute_grad(self, losses: Any, mode: str, rep_grad: bool = False) -> Any:
        if self._step.several_batches:
            # They have parts of the graph in common, which LibMTL would free with the last loss.
            kept = [partial(loss.backward, retain_graph=True) for loss in losses]
            losses = [SimpleNamespace(backward=backward) for backward in kept]
        self._step.measuring = True
        gradients = super()._compute_grad(losses, mode, rep_grad)
        self._step.measuring = False
        if not (rep_grad or self._ungrouped):
            gradients = add_marks(gradients)
            if self._step.gradients is None:
                self._step.gradients = gradients
        return gradients

    def _backward_new_grads(
        self, batch_weight: Tensor, per_grads: Any = None, grads: Tensor | None = None
    ) -> None:
        super()._backward_new_grads(self._group(batch_weight), per_grads=per_grads, grads=grads)

    def _reset_grad(self, new_grads: Tensor) -> None:
        if not self._ungrouped and self._step.weights is None:
            gradients = getattr(self, self.average) if self.average else self._step.gradients
            weights = self._group(read_weights(new_grads, gradients, self.strategy_name()))
            if weights.isfinite().all():
                new_grads = weights @ gradients
        # LibMTL reads as many entries as there are parameters: the marks stay behind.
        super()._reset_grad(new_grads)


def add_marks(gradients: Tensor) -> Tensor:
    r"""Append a mark to each task's gradient: (M, D) -> (M, D + M).

    Some strategies (CAGrad, PCGrad, ...) return only the combined gradient
    :math:`g = \sum_m w_m g_m`. Solving for :math:`w` is ambiguous where gradients depend on each
    other. So each :math:`g_m` gets M further entries, all 0 but the m-th: a mark so small that its
    square is 0 in the gradients' dtype. No inner product or norm changes, and the combined gradient
    carries :math:`w_m` times the mark.
    """
    # A power of two, the largest whose square rounds to 0.
    limits = torch.finfo(gradients.dtype)
    mark = 2.0 ** (math.frexp(limits.smallest_normal * limits.eps)[1] // 2 - 2)
    return torch.cat([gradients, torch.diag(gradients.new_full((len(gradients),), mark))], 1)


def read_weights(combined: Tensor, gradients: Tensor, strategy: str) -> Tensor:
    """Read the weights (M,) with which marked gradients (M, D + M) were combined to (D + M,)."""
    weights = combined[-len(gradients) :] / gradients[:, -len(gradients) :].diagonal()
    difference = (combined - weights @ gradients).norm()
    if difference > TOLERANCE * (weights.abs() @ gradients.norm(dim=1)):
        raise ValueError(
            f"{strategy} should sum up the tasks' gradients, each times one weight, to be grouped. "
            f'Found a gradient that is no such sum, by {difference:.3g}: its options may weight '
            'parts of a gradient apart.'
        )
    return weights
