"""The optimizer wrapper that weighs the tasks of a model, whatever computes the weights."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from go4align_plugins.mmengine.recorders import LossRecorder
from go4align_plugins.mmengine.tasks import TaskLosses, TaskPatterns

STATE_KEY = 'weighting'
INHERITED_OPTIONS = ('accumulative_counts', 'clip_grad')
AMP_OPTIONS = ('loss_scale', 'dtype', 'use_fsdp')
OWN_GROUP = 'of_strategy'
"""Marks the optimizer's last group, if it holds the weighting's own parameters."""


class TaskOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` with a weighting: a module that maps losses (M,) to weights (M,).

    The wrapper finds the tasks, keeps their losses apart, publishes weights and groups, trains the
    weighting's own parameters, and saves its state beside the optimizer's. A subclass builds the
    weighting, in ``_build_weighting``.

    Args:
        optimizer: the optimizer; one for the whole model.
        tasks: task name -> glob patterns of its loss keys, or None; see :class:`TaskLosses`.
        **options: options of the weighting and of ``OptimWrapper``.

    Raises:
        ValueError: if an option is out of its range.
    """

    weighting: Any
    """The weighting and its state; None until the tasks are known."""
    weighting_name: str
    """The name of the method, in run folders and checkpoints."""
    _recorder: LossRecorder | None  # None until the model is known
    _saved: dict[str, Any] | None  # a loaded state that waits for the weighting

    def __init__(
        self, optimizer: Optimizer, tasks: TaskPatterns | None = None, **options: Any
    ) -> None:
        for name in AMP_OPTIONS:
            if name in options and not isinstance(self, AmpOptimWrapper):
                raise ValueError(
                    f'Parameter `optim_wrapper` should have no `{name}` with '
                    f'`type = {type(self).__name__!r}`: it is an option of `AmpOptimWrapper`. '
                    f'Found `{name} = {options[name]!r}`. For mixed precision: '
                    "`type='GO4AlignAmpOptimWrapper'`; without it, leave out what the config "
                    'inherits by `_delete_=True`.'
                )
        inherited = [name for name in (*INHERITED_OPTIONS, *AMP_OPTIONS) if name in options]
        super().__init__(optimizer=optimizer, **{name: options.pop(name) for name in inherited})
        self._set_up(tasks, **options)

    @classmethod
    def convert(cls, wrapper: OptimWrapper, **options: Any) -> None:
        """Turn a plain wrapper into one of this class, in place.

        Objects that hold the wrapper, as learning rate schedulers do, need no change. The options
        are ``tasks`` and those of the weighting.

        Raises:
            ValueError: if an option is out of its range.
        """
        wrapper.__class__ = cls
        cast(TaskOptimWrapper, wrapper)._set_up(**options)

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
        """The optimizer's groups and MMEngine's base settings, which schedulers change.

        The group of the weighting's own parameters is not among them: it follows the last.
        """
        return [group for group in super().param_groups if not group.get(OWN_GROUP)]

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Attach the wrapper to a model, bare or distributed; the Runner calls this first.

        Raises:
            ValueError: if the model cannot be trained so.
        """
        super().initialize_count_status(model, init_counts, max_counts)
        self._recorder = LossRecorder.attach(model)

    def update_params(
        self,
        loss: Tensor,
        step_kwargs: dict[str, Any] | None = None,
        zero_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Weigh the losses that make up ``loss``, and update the parameters as inherited.

        Args:
            loss: (): the total that the model's ``parse_losses`` returned.
            step_kwargs: as inherited.
            zero_kwargs: as inherited.

        Raises:
            ValueError: if the loss is not such a total, or its parts do not fit the tasks.
        """
        if self._recorder is None:
            raise ValueError(
                f'`{type(self).__name__}.initialize_count_status(model, ...)` should be called '
                "before training, as MMEngine's `Runner` does: without it the tasks in a loss are "
                'not known. Several optimizers (`OptimWrapperDict`) and `FlexibleRunner`, where '
                'nothing calls it, are not supported.'
            )
        losses = self._tasks.sum(self._recorder.pop(loss))
        self._build()
        if self._own_group:
            base = self.param_groups[-1]
            self._own_group.update({name: base[name] for name in self.optimizer.defaults})
        super().update_params(self._weigh(losses), step_kwargs, zero_kwargs)
        # Only now, when the device has its work, may the host wait for the numbers.
        weights, groups = self._finish(losses)
        for kind, values in (('weight', weights), ('group', groups)):
            for name, value in zip(self.task_names, values):
                self.message_hub.update_scalar(f'train/{kind}/{name}', value)

    def state_dict(self) -> dict[str, Any]:
        """Return the inherited state, and the weighting's under ``'weighting'`` once it is built.

        A plain wrapper can load it: the weighting's own parameters are apart from the inherited.
        """
        state = super().state_dict()
        if self.weighting is not None:
            names = {'name': self.weighting_name, 'task_names': list(self.task_names)}
            state[STATE_KEY] = {**names, **self._save_weighting()}
        if self._own_group:
            indices = state['param_groups'].pop()['params']
            own = [state['state'].pop(index, {}) for index in indices]
            state[STATE_KEY]['optimizer'] = own
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of this wrapper, or of one that weighs no tasks, with a warning.

        Raises:
            ValueError: if it was saved for other tasks, or by another method, or is no such state.
        """
        state_dict = dict(state_dict)
        saved = state_dict.pop(STATE_KEY, None)
        names = self.task_names if saved is None else self._check_saved(saved)
        if self._own_group:
            for parameter in self.optimizer.param_groups.pop()['params']:
                self.optimizer.state.pop(parameter, None)
        super().load_state_dict(state_dict)
        if saved is None:
            self._warn('The checkpoint has no state of the weighting: it starts from zero.')
        self._tasks.names, self._tasks.resumed = names, saved is not None
        self.weighting, self._saved = None, saved
        self._build()

    @property
    def _own_group(self) -> dict[str, Any] | None:
        group = self.optimizer.param_groups[-1]
        return group if group.get(OWN_GROUP) else None

    def _set_up(self, tasks: TaskPatterns | None = None, **options: Any) -> None:
        self._tasks = TaskLosses(tasks)
        self._recorder = self._saved = None
        self.weighting = None
        self._configure(**options)
        self._build()

    def _build(self) -> None:
        """Build the weighting if it is not yet, and all that it needs is known."""
        if self.weighting is not None or not self.task_names or not self._is_ready():
            return
        self.weighting = self._build_weighting()
        own = list(self.weighting.parameters())
        if own:
            self.optimizer.add_param_group({'params': own, OWN_GROUP: True})
        saved, self._saved = self._saved, None
        if saved is None:
            return
        try:
            self._load_weighting(saved)
            if own:
                state = self.optimizer.state_dict()
                indices = state['param_groups'][-1]['params']
                pairs = zip(indices, saved.get('optimizer', []))
                state['state'].update({index: entry for index, entry in pairs if entry})
                self.optimizer.load_state_dict(state)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(
                f'The checkpoint should hold the state of `{self.weighting_name}` for the tasks '
                f'`{self.task_names}`. Found: {error}'
            ) from error

    def _check_saved(self, saved: Any) -> tuple[str, ...]:
        names = saved.get('task_names') if isinstance(saved, Mapping) else None
        if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
            raise ValueError(
                f'The checkpoint should name the tasks in its `{STATE_KEY}`. '
                f'Found `{saved!r:.200}`.'
            )
        if self.task_names and self.task_names != tuple(names):
            raise ValueError(
                f'Parameter `tasks` should name the tasks of the checkpoint in their order, '
                f'`{tuple(names)}`. Found `{self.task_names}`.'
            )
        # The first checkpoints of GO4Align had no name.
        method = saved.get('name', 'GO4Align')
        if method != self.weighting_name:
            raise ValueError(
                f'A run should be resumed by the weighting of its checkpoint, `{method}`. '
                f'Found `{self.weighting_name}`.'
            )
        return tuple(names)

    def _warn(self, message: str) -> None:
        print_log(f'{type(self).__name__}: {message}', logger='current', level=logging.WARNING)

    @abstractmethod
    def _configure(self, *args: Any, **options: Any) -> None:
        """Check the weighting's options, and keep them."""

    @abstractmethod
    def _build_weighting(self) -> nn.Module:
        """Build the weighting for the tasks, which are known."""

    def _is_ready(self) -> bool:
        """Whether all but the tasks is known that the weighting needs."""
        return True

    def _weigh(self, losses: Tensor) -> Tensor:
        """Compute the total (), which the inherited code runs the backward pass on."""
        # The inherited code divides by the number of micro-batches; the last step may have fewer.
        micro_batches = round(1 / self.scale_loss(1.0))
        self._weights = self.weighting(losses, micro_batches=micro_batches)
        return (self._weights * losses).sum()

    def _finish(self, losses: Tensor) -> tuple[Sequence[float], Sequence[int]]:
        """Return the weight and the group of each task, in one transfer to the host."""
        numbers = torch.stack([self._weights.double(), self.weighting.groups.double()])
        weights, groups = numbers.tolist()
        return weights, [int(group) for group in groups]

    def _save_weighting(self) -> dict[str, Any]:
        return {'state_dict': self.weighting.state_dict()}

    def _load_weighting(self, saved: dict[str, Any]) -> None:
        self.weighting.load_state_dict(saved['state_dict'])
