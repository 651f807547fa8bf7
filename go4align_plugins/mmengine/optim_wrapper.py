"""Optimizer wrappers that weigh the tasks' losses by GO4Align before they go backward."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor
from torch.optim import Optimizer

from go4align_plugins.mmengine.task_wrapper import TaskOptimWrapper
from go4align_plugins.utils.options import check_whole
from go4align_plugins.weighting import GO4Align
from go4align_plugins.weighting.groupings import Grouping


@OPTIM_WRAPPERS.register_module()
class GO4AlignOptimWrapper(TaskOptimWrapper):
    """MMEngine's ``OptimWrapper`` with GO4Align (https://arxiv.org/abs/2404.06486).

    Each iteration: the model's losses, kept apart by task -> GO4Align -> one backward of their
    weighted sum -> the inherited accumulation, clipping and step. No model is changed: the Runner
    introduces the model by ``initialize_count_status``, and its ``parse_losses`` is listened to.

    What to rely on:

    - Weights come from unscaled, detached losses in float32 at least; the weighted sum is scaled
      once, by the inherited code.
    - With ``accumulative_counts=k`` each micro-batch has the weights of its own losses and moves
      the state by 1/k of a step.
    - All ranks use the same weights: the losses are averaged over them first.
    - A task without a loss in an iteration is absent from it: weight 0, group -1, state unchanged.
    - A model of one task trains as ever: its weight is 1.
    - The message hub has ``train/weight/<task>`` and ``train/group/<task>`` at every iteration, and
      so have the log, TensorBoard and ``vis_data``. MMEngine logs the mean over a window for names
      that contain ``loss`` or ``time``, unless its ``LogProcessor`` has another ``mean_pattern``.
    - A checkpoint has the state beside the optimizer's. One of a plain ``OptimWrapper`` loads with
      a warning, and ours loads into a plain one.
    - It is for MMEngine's ``Runner`` and one optimizer: in an ``OptimWrapperDict``, or under
      ``FlexibleRunner``, the first iteration raises.

    Args:
        optimizer: the optimizer; one for the whole model.
        num_groups: K, between 1 and the number of tasks.
        step_size: beta of the smooth alignment.
        tasks: task name -> glob patterns of its loss keys, in the order of the tasks. None: the
            part of each loss key before its first dot, or the whole key where it has none, in the
            order in which the first iteration shows them.
        grouping: ``'exact'``, ``'kmeans_pytorch'``, ``'spectral'``, ``'sdp'`` or a callable.
        risk_scale: ``'sum'`` (the released code) or ``'mean'`` (Eq. 5).
        scale_balance: False takes Eq. 5 out.
        smooth_alignment: False takes Eq. 6 out.
        **kwargs: those of ``OptimWrapper``: ``accumulative_counts``, ``clip_grad``.

    Raises:
        ValueError: if a parameter is out of its range; in training, if a loss is negative, or
            belongs to no task or to two.

    Example:
        >>> optim_wrapper = dict(
        ...     type='GO4AlignOptimWrapper',
        ...     optimizer=dict(type='AdamW', lr=1e-4),
        ...     tasks=dict(segmentation=['decode.*', 'aux*'], depth=['depth.*']))
    """

    weighting: GO4Align | None
    """The method and its state; None until the tasks are known."""

    def __init__(
        self,
        optimizer: Optimizer,
        num_groups: int = 2,
        step_size: float = 1e-4,
        tasks: Mapping[str, str | Sequence[str]] | None = None,
        grouping: str | Grouping = 'exact',
        risk_scale: str = 'sum',
        scale_balance: bool = True,
        smooth_alignment: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, **kwargs)
        self._set_up(
            tasks,
            num_groups=num_groups,
            step_size=step_size,
            grouping=grouping,
            risk_scale=risk_scale,
            scale_balance=scale_balance,
            smooth_alignment=smooth_alignment,
        )

    @property
    def num_groups(self) -> int | None:
        """How many groups the tasks are in; None until the tasks are known."""
        return None if self.weighting is None else self.weighting.num_groups

    def update_params(
        self,
        loss: Tensor,
        step_kwargs: dict[str, Any] | None = None,
        zero_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Weigh the losses that make up ``loss``, and update the parameters as inherited.

        Args:
            loss: (): the total that the model's ``parse_losses`` returned.
            step_kwargs: for the optimizer's ``step``.
            zero_kwargs: for the optimizer's ``zero_grad``.

        Raises:
            ValueError: if the loss is not such a total, or its parts do not fit the tasks.
        """
        losses = self._losses(loss)
        weighting = self.weighting or self._begin()
        weights = self._weigh(weighting, losses)
        super().update_params((weights * losses).sum(), step_kwargs, zero_kwargs)
        # Only now, when the device has its work, may the host wait for the numbers.
        numbers = torch.stack([weights.double(), weighting.groups.double()]).tolist()
        self._publish('weight', numbers[0])
        self._publish('group', [int(group) for group in numbers[1]])

    def _set_up(
        self,
        tasks: Mapping[str, str | Sequence[str]] | None = None,
        num_groups: int = 2,
        **options: Any,
    ) -> None:
        super()._set_up(tasks)
        self._options = {'num_groups': num_groups, **options}
        self.weighting = None
        if self.task_names:
            self._begin()
        else:
            # Not kept: a wrong option is an error now, and not when the first losses arrive.
            check_whole('num_groups', num_groups, 1, math.inf)
            GO4Align(num_tasks=1, **{**self._options, 'num_groups': 1})

    def _weigh(self, weighting: GO4Align, losses: Tensor) -> Tensor:
        # As many micro-batches as the inherited code divides by; at the end there may be fewer.
        return weighting(losses, micro_batches=round(1 / self.scale_loss(1.0)))

    def _begin(self) -> GO4Align:
        options = dict(self._options)
        names = self.task_names
        if len(names) == 1:
            options['num_groups'] = 1
            self._warn(f'There is one task, `{names[0]}`: its weight is 1.')
        self.weighting = GO4Align(num_tasks=len(names), task_names=names, **options)
        return self.weighting

    def _save_weighting(self) -> dict[str, Any] | None:
        return None if self.weighting is None else {'state_dict': self.weighting.state_dict()}

    def _load_weighting(self, saved: dict[str, Any]) -> None:
        weighting = self.weighting or self._begin()
        weighting.load_state_dict(saved['state_dict'])


@OPTIM_WRAPPERS.register_module()
class GO4AlignAmpOptimWrapper(GO4AlignOptimWrapper, AmpOptimWrapper):
    """MMEngine's ``AmpOptimWrapper`` (automatic mixed precision) with GO4Align.

    A step that the gradient scaler skips, for a non-finite loss or for gradients that overflow,
    leaves no trace in the weighting, of none of its micro-batches.

    Args:
        *args: see :class:`GO4AlignOptimWrapper`.
        **kwargs: see there; and those of ``AmpOptimWrapper``: ``dtype`` (``'float16'`` or
            ``'bfloat16'``), ``loss_scale``, ``use_fsdp``.
    """

    _before: dict[str, Tensor] | None = None
    """The weighting's state before the first micro-batch of this step."""

    def step(self, **kwargs: Any) -> None:
        """Step as inherited, and put the weighting's state back where the scaler skips the step.

        Args:
            **kwargs: for the optimizer's ``step``.
        """
        taken: list[Tensor | None] = []
        # A fused optimizer skips the step itself, by a number on the device.
        hook = self.optimizer.register_step_post_hook(
            lambda optimizer, *_: taken.append(getattr(optimizer, 'found_inf', None))
        )
        try:
            super().step(**kwargs)
        finally:
            hook.remove()
        before, self._before = self._before, None
        if taken == [None] or self.weighting is None or before is None:
            return
        found = taken[0] if taken else None
        for name, value in self.weighting.named_buffers():
            kept = before[name].to(value.device)
            value.copy_(kept if found is None else torch.where(found > 0, kept, value))

    def _weigh(self, weighting: GO4Align, losses: Tensor) -> Tensor:
        if self._before is None:
            self._before = {name: value.clone() for name, value in weighting.named_buffers()}
        return super()._weigh(weighting, losses)
