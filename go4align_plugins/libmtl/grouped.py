"""LibMTL's own strategies under AGRM: their weights, shared within groups of tasks.

``AGRM_MGDA`` groups the tasks by the weights that MGDA gives them at each step, and each task gets
the mean weight of its group (https://arxiv.org/abs/2404.06486, Eq. 3 and Table 4). The strategy
itself is LibMTL's, unchanged: its weights are replaced by their groups' means only where they meet
the losses or the gradients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from go4align_plugins.libmtl.gradient_weights import add_marks, read_weights, remove_marks
from go4align_plugins.libmtl.options import GROUPED, read_options
from go4align_plugins.libmtl.strategies import SI, AGRMWeighting, inverse_loss
from go4align_plugins.weighting import AGRM

OWN_LOOP = ('MOML', 'FORUM', 'AutoLambda')
"""LibMTL's bilevel strategies, which it trains by a loop of their own."""

NOT_GROUPED = {
    'GO4Align': 'it is AGRM itself, with GO4Align_num_groups',
    'GradDrop': 'it drops single entries of the gradients, so a task has no weight in it',
    **dict.fromkeys(OWN_LOOP, 'LibMTL trains it by a loop of its own, not by a weighting strategy'),
}
"""The strategies that AGRM cannot group, and why."""


def refuse_ungrouped(weighting: str) -> None:
    """Say why a strategy cannot be grouped.

    Raises:
        ValueError: if it is one of :data:`NOT_GROUPED` under AGRM.
    """
    base = weighting.removeprefix(GROUPED)
    if weighting != base and base in NOT_GROUPED:
        raise ValueError(
            f'Parameter `weighting` should be a strategy that AGRM can group. Found `{weighting}`: '
            f'{NOT_GROUPED[base]}.'
        )


@dataclass
class Step:
    """The losses, gradients and weights within one step."""

    losses: Tensor
    """(M,) the tasks' losses, detached; of several batches, their mean."""
    several_batches: bool
    measuring: bool = False
    """Whether the strategy is just computing the gradients of single tasks."""
    gradients: Any = None
    """(M, D + M) the gradients of the first batch, marked."""
    weights: Tensor | None = None
    """(M,) the weights that took effect."""


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

    own_options: ClassVar[tuple[str, ...] | None] = None
    """The strategy's own options; None where LibMTL's command line does not know it."""
    average: ClassVar[str | None] = None
    """The attribute with the running average that is weighted; None: this step's gradients."""
    _step: Step

    def weights_losses(self) -> bool:
        """Tell whether the strategy's step never looks at ``rep_grad``."""
        return 'rep_grad' not in super().backward.__code__.co_names

    def build(self, weight_args: Mapping[str, Any]) -> AGRM:  # noqa: D102
        options = read_options(GROUPED, weight_args, self.task_num, self.own_options)
        return AGRM(self.task_num, indicator=given_weights, task_names=self.task_name, **options)

    def backward(self, losses: Tensor, **weight_args: Any) -> Any:
        """Let the strategy take its step, with grouped weights.

        Args:
            losses: (M,) the tasks' losses; (3, M) where the strategy takes three batches a step.
            **weight_args: as LibMTL hands them over at each step.

        Returns:
            (M,) the grouped weights; with as many groups as tasks, whatever the strategy returns,
            if it is not None.

        Raises:
            ValueError: if an option is out of its range, or the strategy's weights are not found.
        """
        self.configure(weight_args)
        several = losses.ndim > 1
        risks = losses.detach().abs()
        self._step = step = Step(risks.mean(0) if several else risks, several)
        followed = losses.clone()
        if followed.requires_grad:
            followed.register_hook(self._group_loss_weights)
        own = {name: value for name, value in weight_args.items() if not name.startswith(GROUPED)}
        with self._marked_average():
            returned = super().backward(followed, **own)
        if self._ungrouped and step.weights is None and returned is not None:
            self._group(torch.as_tensor(returned, device=losses.device))
        del self._step
        if self._ungrouped and (returned is not None or step.weights is None):
            return returned
        if step.weights is None:
            raise ValueError(
                f'{self.strategy_name()} should weight losses or gradients by one number a task. '
                'Found no weights in its step.'
            )
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

    def _group_loss_weights(self, weights: Tensor) -> Tensor | None:
        """Group the losses' gradient, which is their weights, unless it is one task's own."""
        return None if self._step.measuring else self._group(weights)

    def _compute_grad(self, losses: Any, mode: str, rep_grad: bool = False) -> Any:
        if self._step.several_batches:
            losses = [_Kept(loss) for loss in losses]
        self._step.measuring = True
        gradients = super()._compute_grad(losses, mode, rep_grad)
        self._step.measuring = False
        if rep_grad or self._ungrouped:
            return gradients
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

    @contextlib.contextmanager
    def _marked_average(self) -> Iterator[None]:
        if self.average is None or self._ungrouped:
            yield
            return
        setattr(self, self.average, add_marks(getattr(self, self.average)))
        try:
            yield
        finally:
            setattr(self, self.average, remove_marks(getattr(self, self.average)))


class GroupedSI(SI):
    """SI under AGRM: the inverse losses are the indicator. Options as of :class:`Grouped`."""

    def build(self, weight_args: Mapping[str, Any]) -> AGRM:  # noqa: D102
        options = read_options(GROUPED, weight_args, self.task_num)
        return AGRM(self.task_num, indicator=inverse_loss, task_names=self.task_name, **options)


@dataclass
class _Kept:
    """A loss whose backward pass keeps the graph, which several batches' losses have in common."""

    loss: Tensor

    def backward(self, retain_graph: bool = True) -> None:
        self.loss.backward(retain_graph=True)


def given_weights(losses: Tensor, weights: Tensor) -> Tensor:
    """Indicator of :class:`Grouped`: the strategy's own weights."""
    return weights
