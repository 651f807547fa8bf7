"""Adaptive group risk minimization (AGRM) and GO4Align: losses in, one weight a task out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from go4align_plugins.utils.options import check_whole
from go4align_plugins.weighting.arrays import as_array, namespace
from go4align_plugins.weighting.checks import (
    NegativeLossCheck,
    average_over_ranks,
    check_losses,
    check_names,
)
from go4align_plugins.weighting.few import as_numbers, weigh_few
from go4align_plugins.weighting.groupings import Grouping, assign, average, get_grouping
from go4align_plugins.weighting.indicators import RiskGuidedIndicator, indicate


class AGRM(nn.Module):
    r"""Adaptive group risk minimization (https://arxiv.org/abs/2404.06486, Eq. 2 to 4).

    .. math::
        \min_\theta \; w^\top G \, L(\theta) \quad \text{with} \quad
        \{w, G\} = \arg\min \lVert \gamma^\top - w^\top G \rVert^2

    L (M,) are the losses (risks) of the M tasks, gamma (M,) is the group assignment indicator,
    computed from them. G (K, M) says which group each task belongs to, by one 1 a column; w (K,)
    are the group weights. Given G, the best w is the mean of gamma in each group, so the two
    together are K-means on the M numbers, and a task's weight is its group's centre.

    Guarantees:

    - The same losses give the same weights, by the exact optimum of K-means; the released code
      starts it from a random point at every step.
    - A step with a NaN or infinite loss has weights 1, so that its total is as non-finite as equal
      weighting's (a gradient scaler then skips it), and leaves no trace in the state.
    - A loss of exactly 0 is a task absent from this batch: weight 0, group -1, state unchanged, and
      the others are weighted as if it did not exist.
    - In ``eval()`` a call gives the weights of a step, and moves nothing.
    - A weight beyond the losses' dtype is that dtype's largest finite value.
    - Where ``torch.distributed`` is initialised, the losses are averaged over the ranks first.

    Args:
        num_tasks: M, at least 1.
        num_groups: K, between 1 and M; K = M leaves the indicator as it is.
        indicator: losses (M,) -> indicator (M,), float64; a module's state is saved with this one.
        grouping: ``'exact'``, ``'kmeans_pytorch'``, ``'spectral'``, ``'sdp'``, or a callable
            (indicator (M,), K) -> group of each task (M,).
        task_names: names for error messages, by default the tasks' numbers.

    Raises:
        ValueError: if a parameter is out of its range.
        ImportError: if the grouping's package is not installed; the message names the extra.
    """

    indicator: Any
    groups: Tensor
    """(M,) int64: the last step's group of each task, by rising weight; -1: absent, or no step."""

    def __init__(
        self,
        num_tasks: int,
        num_groups: int,
        indicator: Callable[..., Tensor],
        grouping: str | Grouping = 'exact',
        task_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.num_tasks = check_whole('num_tasks', num_tasks, 1, math.inf)
        self.num_groups = check_whole(
            'num_groups', num_groups, 1, self.num_tasks, ' (the number of tasks)'
        )
        self.task_names = check_names(task_names, self.num_tasks)
        self.indicator = indicator
        self.grouping = get_grouping(grouping)
        self.register_buffer('groups', torch.full((self.num_tasks,), -1))
        self._refuse_negative = NegativeLossCheck(self.task_names)

    def forward(self, losses: Tensor, **options: Any) -> Tensor:
        """Take one step.

        Args:
            losses: (M,) the tasks' losses, of any floating-point dtype, on any device.
            **options: for the indicator; GO4Align's takes ``micro_batches``, the number of calls
                that make up one step of the optimizer (1 by default).

        Returns:
            (M,) the weights, detached, of the losses' dtype and device.

        Raises:
            ValueError: if the losses are not (M,) floating-point numbers, or a finite one is
                negative. CUDA reports a negative loss within the next steps, for the host would
                wait, and takes the step as a non-finite one. Code that is compiled or captured in
                a graph cannot raise: its weights are NaN.
        """
        check_losses(losses, self.num_tasks)
        if self.groups.device != losses.device:
            self.to(losses.device)
        largest = torch.finfo(losses.dtype).max
        numbers = as_numbers(losses, self.indicator, self.grouping, self.num_groups)
        if numbers is not None:
            few, of_task = weigh_few(numbers, self.indicator, self.num_groups, **options)
            if self.training:
                self.groups.numpy()[:] = of_task
            return torch.tensor([min(weight, largest) for weight in few], dtype=losses.dtype)

        risks = average_over_ranks(as_array(losses.detach().double()))
        xp = namespace(risks)
        finite = xp.isfinite(risks)
        negative, usable = finite & (risks < 0), (finite & (risks >= 0)).all()
        fallback = self._refuse_negative(losses, negative)
        # A step that is not usable is one without any task: it leaves no trace.
        risks = xp.where(usable, risks, 0.0)
        present = risks > 0
        gamma = indicate(self.indicator, risks, present, **options)  # Eq. 5 to 7
        groups = assign(gamma, present, self.num_groups, self.grouping)  # G of Eq. 4
        weights = average(gamma, groups, self.num_groups)  # w of Eq. 3, for each task
        if self.training:
            found = torch.as_tensor(groups)
            self.groups.copy_(torch.where(torch.as_tensor(usable), found, self.groups))
        weights = torch.as_tensor(xp.where(usable, weights, fallback))
        return weights.clamp(max=largest).to(losses.dtype)

    def reset(self) -> None:
        """Forget all steps."""
        self.groups.fill_(-1)
        if hasattr(self.indicator, 'reset'):
            self.indicator.reset()

    def extra_repr(self) -> str:  # noqa: D102
        return f'num_tasks={self.num_tasks}, num_groups={self.num_groups}'


class GO4Align(AGRM):
    r"""GO4Align (https://arxiv.org/abs/2404.06486): AGRM with the risk-guided indicator.

    Each task's loss, relative to the others' and to its sum over all steps so far, says how much
    the task should count; tasks of similar indicators form a group and share its mean as weight.
    See :class:`~go4align_plugins.weighting.RiskGuidedIndicator` for the equations, and
    :class:`AGRM` for the guarantees, and for the arguments that are not named here.

    Args:
        num_tasks: M.
        num_groups: K, between 1 and M: 2 for NYUv2's three tasks, 5 for QM9's eleven, in the paper.
        step_size: beta of the smooth alignment; 1e-4 in the released code. It acts by beta x steps
            x loss: with a larger batch there are fewer steps, and the same alignment needs a step
            size larger by that factor.
        grouping: as AGRM's.
        risk_scale: ``'sum'`` (the released code) or ``'mean'`` (Eq. 5, M times smaller).
        scale_balance: False takes Eq. 5 out.
        smooth_alignment: False takes Eq. 6 out.
        task_names: as AGRM's.

    Example:
        >>> weighting = GO4Align(num_tasks=3, num_groups=2)
        >>> losses = torch.tensor([1.0, 1.25, 5.0], requires_grad=True)
        >>> (weighting(losses) * losses).sum().backward()
        >>> weighting.groups
        tensor([1, 1, 0])
    """

    def __init__(
        self,
        num_tasks: int,
        num_groups: int = 2,
        step_size: float = 1e-4,
        grouping: str | Grouping = 'exact',
        risk_scale: str = 'sum',
        scale_balance: bool = True,
        smooth_alignment: bool = True,
        task_names: Sequence[str] | None = None,
    ) -> None:
        num_tasks = check_whole('num_tasks', num_tasks, 1, math.inf)
        indicator = RiskGuidedIndicator(
            num_tasks, step_size, risk_scale, scale_balance, smooth_alignment
        )
        super().__init__(num_tasks, num_groups, indicator, grouping, task_names)
