"""The optimizer wrapper that weighs the tasks of a model, and its public names for GO4Align."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from go4align_plugins.mmengine.losses import LossRecorder, TaskLosses, TaskPatterns
from go4align_plugins.utils.options import check_whole, require
from go4align_plugins.weighting import GO4Align

STATE_KEY = 'weighting'
INHERITED_OPTIONS = ('accumulative_counts', 'clip_grad')
AMP_OPTIONS = ('loss_scale', 'dtype', 'use_fsdp')
OWN_GROUP = 'of_strategy'
"""Marks the optimizer's last group, if it holds the weighting's own parameters."""


class TaskOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` with a weighting: a module that maps losses (M,) to weights (M,).

    The wrapper keeps the tasks' losses apart, publishes weights and groups, trains the weighting's
    own parameters, and saves its state beside the optimizer's. A subclass checks the weighting's
    options in ``configure``, and makes it in ``_make_weighting``.
    """

    weighting: Any = None
    """The weighting and its state; None until the tasks are known."""
    weighting_name: str
    """The name of the method, in run folders and checkpoints."""
    _recorder: LossRecorder | None = None  # until the model is known
    _saved: dict[str, Any] | None = None  # a loaded state that waits for the weighting

    def __init__(self, optimizer: Any, tasks: TaskPatterns | None = None, **options: Any) -> None:
        known = INHERITED_OPTIONS + (AMP_OPTIONS if isinstance(self, AmpOptimWrapper) else ())
        inherited = {name: options.pop(name) for name in known if name in options}
        for name in AMP_OPTIONS:
            rule = "be used with `type='GO4AlignAmpOptimWrapper'`, or left out by `_delete_=True`"
            require(name not in options, name, rule, options.get(name))
        super().__init__(optimizer=optimizer, **inherited)
        self.configure(tasks, **options)

    def configure(self, tasks: TaskPatterns | None = None) -> None:
        """Set the tasks and the weighting's options, also of a wrapper that a hook converts."""
        self._tasks = TaskLosses(tasks)
        self._build()

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks in the order of the weights; empty until they are known."""
        return self._tasks.names

    @property
    def num_groups(self) -> int | None:
        """The number of groups; None where the weighting has none, or before it is built."""
        return getattr(getattr(self.weighting, 'agrm', self.weighting), 'num_groups', None)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups that schedulers change; the weighting's own parameters follow the last."""
        return [group for group in super().param_groups if OWN_GROUP not in group]

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Attach the wrapper to a model, bare or distributed; the Runner calls this first."""
        super().initialize_count_status(model, init_counts, max_counts)
        self._recorder = LossRecorder.attach(model)

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Weigh the losses in a total of ``parse_losses``; update the parameters as inherited."""
        if self._recorder is None:
            raise ValueError(
                f'`{type(self).__name__}.initialize_count_status(model, ...)` should be called '
                "before training, as MMEngine's `Runner` does. Several optimizers "
                '(`OptimWrapperDict`) and `FlexibleRunner`, which do not, are not supported.'
            )
        losses = self._tasks.sum(self._recorder.pop(loss))
        self._build()
        own_group = self.optimizer.param_groups[-1]
        if OWN_GROUP in own_group:
            base = self.param_groups[-1]
            own_group.update({name: base[name] for name in self.optimizer.defaults})
        total, weights = self._weigh(losses)
        super().update_params(total, *args, **kwargs)
        groups = getattr(getattr(self.weighting, 'agrm', self.weighting), 'groups', None)
        found: list[Any] = [('weight', float, weights), ('group', int, groups)]
        found = [entry for entry in found if entry[-1] is not None]
        # Only now, when the device has its work, may the host wait for the numbers; and once.
        rows = torch.stack([values.double() for *_, values in found]).tolist() if found else []
        for (kind, number, _), row in zip(found, rows):
            for name, value in zip(self.task_names, row):
                self.message_hub.update_scalar(f'train/{kind}/{name}', number(value))

    def state_dict(self) -> dict[str, Any]:
        """Return the inherited state and, apart from it, the weighting's once it is built."""
        state = super().state_dict()
        if self.weighting is not None:
            state[STATE_KEY] = {
                'name': self.weighting_name,
                'task_names': list(self.task_names),
                'state_dict': self.weighting.state_dict(),
            }
        if OWN_GROUP in state['param_groups'][-1]:
            indices = state['param_groups'].pop()['params']
            own = [state['state'].pop(index, {}) for index in indices]
            state[STATE_KEY]['optimizer'] = own
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of this wrapper, or of one that weighs no tasks, with a warning."""
        state_dict = dict(state_dict)
        saved = state_dict.pop(STATE_KEY, None)
        names = self.task_names if saved is None else self._check_saved(saved)
        if OWN_GROUP in self.optimizer.param_groups[-1]:
            for parameter in self.optimizer.param_groups.pop()['params']:
                self.optimizer.state.pop(parameter, None)
        super().load_state_dict(state_dict)
        if saved is None:
            message = 'The checkpoint has no state of the weighting: it starts from zero.'
            print_log(message, logger='current', level=logging.WARNING)
        self._tasks.names, self._tasks.resumed = names, saved is not None
        self.weighting, self._saved = None, saved
        self._build()

    def _build(self) -> None:
        """Build the weighting once the tasks are known, and load the state that waits for it."""
        if self.weighting is not None or not self.task_names:
            return
        self.weighting = self._make_weighting()
        own = list(self.weighting.parameters())
        if own:
            self.optimizer.add_param_group({'params': own, OWN_GROUP: True})
        saved, self._saved = self._saved, None
        if saved is not None:
            try:
                self._load_weighting(saved)
            except (KeyError, TypeError, RuntimeError) as error:
                raise ValueError(
                    f'The checkpoint should hold the state of `{self.weighting_name}` for the '
                    f'tasks `{self.task_names}`. Found: {error}'
                ) from error

    def _check_saved(self, saved: Any) -> tuple[str, ...]:
        """Check that a state is of this method and these tasks; return the tasks."""
        names = saved.get('task_names') if isinstance(saved, Mapping) else None
        if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
            rule = f'The checkpoint should name the tasks in its `{STATE_KEY}`'
            raise ValueError(f'{rule}. Found `{saved!r:.200}`.')
        names = tuple(names)
        rule = f'name the tasks of the checkpoint in their order, `{names}`'
        require(self.task_names in ((), names), 'tasks', rule, self.task_names)
        method = saved.get('name', 'GO4Align')  # the first checkpoints had no name
        rule = f'be the one of the checkpoint, `{method}`'
        require(self.weighting_name == method, 'weighting', rule, self.weighting_name)
        return names

    @abstractmethod
    def _make_weighting(self) -> nn.Module:
        """Make the weighting for the tasks, which are known."""

    def _weigh(self, losses: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute the total () that the inherited code takes the backward pass of, and weights."""
        # The inherited code divides by the number of micro-batches; the last step may have fewer.
        weights = self.weighting(losses, micro_batches=round(1 / self.scale_loss(1.0)))
        return (weights * losses).sum(), weights

    def _load_weighting(self, saved: dict[str, Any]) -> None:
        self.weighting.load_state_dict(saved['state_dict'])
        if OWN_GROUP in self.optimizer.param_groups[-1]:
            state = self.optimizer.state_dict()
            own = zip(state['param_groups'][-1]['params'], saved.get('optimizer', []))
            state['state'].update({index: entry for index, entry in own if entry})
            self.optimizer.load_state_dict(state)


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
      The weight of a single task is 1.
    - The message hub, the log, TensorBoard and ``vis_data`` have ``train/weight/<task>`` and
      ``train/group/<task>`` at every iteration. MMEngine logs the mean over a window for names that
      contain ``loss`` or ``time``, unless its ``LogProcessor`` has another ``mean_pattern``.
    - A checkpoint has the state beside the optimizer's. A checkpoint of a plain ``OptimWrapper``
      loads with a warning, and a plain one loads ours.
    - ``OptimWrapperDict`` and ``FlexibleRunner`` are not supported: the first iteration raises.

    Args:
        optimizer: the optimizer; one for the whole model.
        tasks: task name -> glob patterns of its loss keys, in the order of the tasks. None: the
            part of each loss key before its first dot, or the whole key where it has none, in the
            order in which the first iteration shows them.
        **options: options of :class:`~go4align_plugins.GO4Align` (``num_groups``, ``step_size``,
            ...), and of ``OptimWrapper``: ``accumulative_counts``, ``clip_grad``.

    Raises:
        ValueError: if a parameter is out of its range; in training, if a loss is negative, or
            belongs to no task or to two; in loading, if a state is damaged or of other tasks.

    Example:
        >>> optim_wrapper = dict(
        ...     type='GO4AlignOptimWrapper',
        ...     optimizer=dict(type='AdamW', lr=1e-4),
        ...     tasks=dict(segmentation=['decode.*', 'aux*'], depth=['depth.*']))
    """

    weighting_name = 'GO4Align'

    def configure(self, tasks: TaskPatterns | None = None, **options: Any) -> None:
        """Set the tasks and GO4Align's options; see the class."""
        self._options = options
        check_whole('num_groups', options.get('num_groups', 1), 1, math.inf)
        GO4Align(num_tasks=1, **{**options, 'num_groups': 1})
        super().configure(tasks)

    def _make_weighting(self) -> GO4Align:
        names, options = self.task_names, self._options
        if len(names) == 1:
            options = {**options, 'num_groups': 1}
            message = f'There is one task, `{names[0]}`: its weight is 1.'
            print_log(message, logger='current', level=logging.WARNING)
        return GO4Align(num_tasks=len(names), task_names=names, **options)


@OPTIM_WRAPPERS.register_module()
class GO4AlignAmpOptimWrapper(GO4AlignOptimWrapper, AmpOptimWrapper):
    """MMEngine's ``AmpOptimWrapper`` (automatic mixed precision) with GO4Align.

    A step that the gradient scaler skips, for a non-finite loss or for gradients that overflow,
    leaves no trace in the weighting, of none of its micro-batches.

    Args:
        optimizer: see :class:`GO4AlignOptimWrapper`, also for ``tasks``.
        **options: see there; and options of ``AmpOptimWrapper``: ``dtype`` (``'float16'`` or
            ``'bfloat16'``), ``loss_scale``, ``use_fsdp``.
    """

    _before: dict[str, Tensor] | None = None
    """The weighting's state before the first micro-batch of this step."""

    def step(self, **kwargs: Any) -> None:
        """Step as inherited; put the weighting's state back where the scaler skips the step."""
        taken: list[Any] = []

        def note(optimizer: Any, *_: Any) -> None:
            # A fused optimizer skips the step itself, by a number on the device.
            taken.append(getattr(optimizer, 'found_inf', None))

        with self.optimizer.register_step_post_hook(note):
            super().step(**kwargs)
        before, self._before = self._before, None
        if taken == [None] or before is None:
            return
        for name, value in self.weighting.named_buffers():
            kept = before[name].to(value.device)
            value.copy_(torch.where(taken[0] > 0, kept, value) if taken else kept)

    def _weigh(self, losses: Tensor) -> tuple[Tensor, Tensor | None]:
        if self._before is None:
            self._before = {name: value.clone() for name, value in self.weighting.named_buffers()}
        return super()._weigh(losses)
