"""The optimizer wrappers that weigh tasks by GO4Align."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor

from go4align_plugins.mmengine.task_wrapper import TaskOptimWrapper
from go4align_plugins.utils.options import check_whole
from go4align_plugins.weighting import GO4Align


@OPTIM_WRAPPERS.register_module()
class GO4AlignOptimWrapper(TaskOptimWrapper):
    """MMEngine's ``OptimWrapper`` with GO4Align (https://arxiv.org/abs/2404.06486).

    Each iteration: the model's losses, kept apart by task -> GO4Align -> one backward of their
    weighted sum -> the inherited accumulation, clipping and step. No model is changed.

    - Weights come from unscaled, detached losses in float32 at least; the inherited code scales the
      weighted sum once.
    - With ``accumulative_counts=k`` each micro-batch has the weights of its own losses and moves
      the state by 1/k of a step.
    - All ranks use the same weights: the losses are averaged over them first.
    - A task without a loss in an iteration is absent from it: weight 0, group -1, state unchanged.
    - The weight of a single task is 1.
    - The message hub has ``train/weight/<task>`` and ``train/group/<task>`` at every iteration, and
      so have the log, TensorBoard and ``vis_data``. MMEngine logs the mean over a window for names
      that contain ``loss`` or ``time``, unless its ``LogProcessor`` has another ``mean_pattern``.
    - A checkpoint has the state beside the optimizer's. A checkpoint of a plain ``OptimWrapper``
      loads with a warning, and a plain one loads ours.
    - ``OptimWrapperDict`` and ``FlexibleRunner`` are not supported: the first iteration raises.

    Args:
        optimizer: the optimizer; one for the whole model.
        tasks: task name -> glob patterns of its loss keys, in the order of the tasks. None: the
            part of each loss key before its first dot, or the whole key where it has none, in the
            order in which the first iteration shows them.
        **options: options of :class:`~go4align_plugins.GO4Align`: ``num_groups``, ``step_size``,
            ``grouping``, ``risk_scale``, ``scale_balance``, ``smooth_alignment``; and of
            ``OptimWrapper``: ``accumulative_counts``, ``clip_grad``.

    Raises:
        ValueError: if a parameter is out of its range; in training, if a loss is negative, or
            belongs to no task or to two.

    Example:
        >>> optim_wrapper = dict(
        ...     type='GO4AlignOptimWrapper',
        ...     optimizer=dict(type='AdamW', lr=1e-4),
        ...     tasks=dict(segmentation=['decode.*', 'aux*'], depth=['depth.*']))
    """

    weighting_name = 'GO4Align'

    def _configure(self, **options: Any) -> None:
        self._options = options
        check_whole('num_groups', options.get('num_groups', 1), 1, math.inf)
        GO4Align(num_tasks=1, **{**options, 'num_groups': 1})

    def _build_weighting(self) -> GO4Align:
        names, options = self.task_names, self._options
        if len(names) == 1:
            options = {**options, 'num_groups': 1}
            self._warn(f'There is one task, `{names[0]}`: its weight is 1.')
        return GO4Align(num_tasks=len(names), task_names=names, **options)


@OPTIM_WRAPPERS.register_module()
class GO4AlignAmpOptimWrapper(GO4AlignOptimWrapper, AmpOptimWrapper):
    """MMEngine's ``AmpOptimWrapper`` (automatic mixed precision) with GO4Align.

    A step that the gradient scaler skips, for a non-finite loss or for gradients that overflow,
    leaves no trace in the weighting, of none of its micro-batches.

    Args:
        optimizer: see :class:`GO4AlignOptimWrapper`.
        tasks: see there.
        **options: see there; and options of ``AmpOptimWrapper``: ``dtype`` (``'float16'`` or
            ``'bfloat16'``), ``loss_scale``, ``use_fsdp``.
    """

    _before: dict[str, Tensor] | None = None
    """The weighting's state before the first micro-batch of this step."""

    def step(self, **kwargs: Any) -> None:
        """Step as inherited; put the weighting's state back where the scaler skips the step."""
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
        if taken == [None] or before is None:
            return
        found = taken[0] if taken else None
        for name, value in self.weighting.named_buffers():
            kept = before[name].to(value.device)
            value.copy_(kept if found is None else torch.where(found > 0, kept, value))

    def _weigh(self, losses: Tensor) -> Tensor:
        if self._before is None:
            self._before = {name: value.clone() for name, value in self.weighting.named_buffers()}
        return super()._weigh(losses)
