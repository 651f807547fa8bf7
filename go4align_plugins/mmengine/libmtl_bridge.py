"""LibMTL's weighting strategies inside MMEngine. LibMTL is imported when one is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.model import is_model_wrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn
from torch.optim import Optimizer

from go4align_plugins.mmengine.batches import BatchKeeper
from go4align_plugins.mmengine.task_wrapper import STATE_KEY, TaskOptimWrapper

OF_STRATEGY = 'of_strategy'
"""Marks the optimizer's group of the strategy's own parameters."""


@OPTIM_WRAPPERS.register_module()
class LibMTLOptimWrapper(TaskOptimWrapper):
    """MMEngine's ``OptimWrapper`` with any weighting strategy of LibMTL's that needs no own loop.

    Each iteration: the model's losses, kept apart by task -> the strategy's ``backward``, which
    leaves the gradients that LibMTL's Trainer would have -> the inherited clipping and step. No
    model is changed.

    What to rely on:

    - Updates are those of LibMTL's Trainer on the same model, data and random numbers.
    - Parameters of the strategy's own (UW, IMTL, GradNorm) are trained by the same optimizer, with
      the options of the config's optimizer, and follow its schedules.
    - Epochs count as in LibMTL for strategies that look at them (DWA, GradNorm, STCH).
    - FAMO's second look at the losses after a step is a second forward pass of the batch.
    - The message hub has ``train/weight/<task>`` at every iteration where the strategy tells its
      weights, and ``train/group/<task>`` where it has groups.
    - A checkpoint has the strategy's state beside the optimizer's. One of a plain ``OptimWrapper``
      loads with a warning, and ours loads into a plain one. A strategy whose state cannot be saved
      (Nash_MTL) refuses to resume.
    - A step is one backward pass for each task in many strategies: mixed precision, accumulation
      and several processes are refused.

    Args:
        optimizer: the optimizer; one for the whole model.
        weighting: the strategy's name in ``LibMTL.weighting``, ours (GO4Align, SI) among them.
        weight_args: its options by LibMTL's names, e.g. ``{'calpha': 0.4}``; what is left out has
            the default of LibMTL's command line.
        shared: globs, or beginnings up to a dot, of the names of the parameters that all tasks
            share. None: the model's ``backbone`` and ``neck``.
        tasks: as for :class:`~go4align_plugins.mmengine.GO4AlignOptimWrapper`.
        epoch_length: the iterations of an epoch. None: as the Runner counts epochs, to which a
            training by iterations is one.
        **kwargs: ``clip_grad`` of ``OptimWrapper``.

    Raises:
        ImportError: if LibMTL is not installed; the message names the extra.
        ValueError: if a parameter is out of its range, or the strategy cannot run so; before
            training, if a model shares no parameters; in training, if a loss belongs to no task or
            to two.

    Example:
        >>> optim_wrapper = dict(
        ...     type='LibMTLOptimWrapper',
        ...     weighting='CAGrad',
        ...     weight_args=dict(calpha=0.4),
        ...     optimizer=dict(type='Adam', lr=1e-4))
    """

    strategy: Any
    """LibMTL's strategy and its state; None until the model and the tasks are known."""
    _encoder: Any  # the shared parameters, as a module; None until the model is known
    _batches: Any  # what the model is trained on; likewise
    _saved: dict[str, Any] | None  # a state that waits for the model

    def __init__(
        self,
        optimizer: Optimizer,
        weighting: str = 'EW',
        weight_args: Mapping[str, Any] | None = None,
        shared: str | Sequence[str] | None = None,
        tasks: Mapping[str, str | Sequence[str]] | None = None,
        epoch_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, **kwargs)
        self._set_up(tasks, weighting, weight_args, shared, epoch_length)

    @property
    def weighting_name(self) -> str:
        """The name of the strategy."""
        return self._weighting

    @property
    def num_groups(self) -> int | None:
        """How many groups the strategy has; None for those without."""
        return getattr(getattr(self.strategy, 'agrm', None), 'num_groups', None)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The optimizer's groups and MMEngine's base settings, which schedulers change.

        The group of the strategy's own parameters is not among them: it follows the last.
        """
        groups = super().param_groups
        return [group for group in groups if not group.get(OF_STRATEGY)]

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Meet the model, and find what its tasks share; see the base class.

        Raises:
            ValueError: if there are several processes, or the model shares no parameters.
        """
        super().initialize_count_status(model, init_counts, max_counts)
        if get_world_size() > 1 or is_model_wrapper(model):
            raise ValueError(
                f'Strategy `{self._weighting}` should be run in one process, on a bare model: '
                'LibMTL takes a backward pass for each task, which distributed training would '
                f'join too early. Found {get_world_size()} processes, `{type(model).__name__}`.'
            )
        from go4align_plugins.mmengine.libmtl_model import find_shared, find_strategy

        self._encoder = find_shared(model, self._shared)
        if self._batches is not None:
            self._batches.detach()
        looks_again = hasattr(find_strategy(self._weighting), 'update_w')
        self._batches = BatchKeeper(model, whole=looks_again)
        if self.task_names:
            self._begin()

    def update_params(
        self,
        loss: Tensor,
        step_kwargs: dict[str, Any] | None = None,
        zero_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Let the strategy go backward from the losses that make up ``loss``, and take a step.

        Args:
            loss: (): the total that the model's ``parse_losses`` returned.
            step_kwargs: for the optimizer's ``step``.
            zero_kwargs: for the optimizer's ``zero_grad``.

        Raises:
            ValueError: if the loss is not such a total, or its parts do not fit the tasks.
        """
        losses = self._losses(loss)
        self.strategy.enter_epoch(*self._count_epochs())
        weights = self.strategy.backward(losses, **self.weight_args)
        self._inner_count += 1
        self._follow_settings()
        self.step(**(step_kwargs or {}))
        # As LibMTL does: a parameter without a gradient in a step is not left out of it.
        self.zero_grad(**{'set_to_none': False, **(zero_kwargs or {})})
        if hasattr(self.strategy, 'update_w'):
            with torch.no_grad():
                self.strategy.update_w(self._look_again())
        self.strategy.record(losses, self._batches.size)
        if weights is not None:
            self._publish('weight', np.asarray(weights, dtype=np.float64).tolist())
        if self.num_groups is not None:
            self._publish('group', self.strategy.agrm.groups.tolist())

    def state_dict(self) -> dict[str, Any]:
        """The inherited state; a plain wrapper's optimizer finds its own parameters in it."""
        state = super().state_dict()
        if state['param_groups'] and state['param_groups'][-1].get(OF_STRATEGY):
            indices = state['param_groups'].pop()['params']
            saved = [state['state'].pop(index, {}) for index in indices]
            state[STATE_KEY]['optimizer'] = saved
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; the strategy has it from when the model is known.

        Raises:
            ValueError: if it was saved for other tasks or by another strategy; or if the strategy
                keeps state that cannot be saved.
        """
        self._forget()
        super().load_state_dict(state_dict)
        if self._encoder is not None and self.task_names:
            self._begin()

    def _set_up(
        self,
        tasks: Mapping[str, str | Sequence[str]] | None = None,
        weighting: str = 'EW',
        weight_args: Mapping[str, Any] | None = None,
        shared: str | Sequence[str] | None = None,
        epoch_length: int | None = None,
    ) -> None:
        from go4align_plugins.mmengine.libmtl_model import complete_options, find_strategy

        super()._set_up(tasks)
        find_strategy(weighting)
        if self._accumulative_counts != 1:
            raise ValueError(
                'Parameter `accumulative_counts` should be 1 with strategies of LibMTL, which look '
                'at the losses and gradients of a whole step. '
                f'Found `accumulative_counts = {self._accumulative_counts}`.'
            )
        if epoch_length is not None and epoch_length < 1:
            raise ValueError(
                'Parameter `epoch_length` should be at least 1. '
                f'Found `epoch_length = {epoch_length}`.'
            )
        self._weighting = weighting
        self.weight_args = complete_options(weighting, weight_args or {})
        self._shared = [shared] if isinstance(shared, str) else shared
        self._epoch_length = epoch_length
        self._encoder = None
        self._batches = None
        self._saved = None
        self.strategy = None

    def _begin(self) -> None:
        from go4align_plugins.libmtl import checkpoint
        from go4align_plugins.mmengine.libmtl_model import build_strategy

        shared = list(self._encoder.parameters())
        self.strategy = build_strategy(
            self._weighting, self.weight_args, self.task_names, self._encoder, shared[0].device
        )
        own = list(self.strategy.parameters())
        if own:
            self.optimizer.add_param_group({'params': own, OF_STRATEGY: True})
        if self._saved is not None:
            self.strategy.load_state_dict(self._saved['state_dict'])
            checkpoint.restore_attributes(self.strategy, self._saved['attributes'])
            self._restore_optimizer(self._saved.get('optimizer', []))
            self._saved = None
        # LibMTL writes into gradients, and zeroes them: one that is None would be passed over.
        for parameter in (*shared, *self.optimizer.state):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def _look_again(self) -> Tensor:
        keeper: Any = self._keeper
        return self._by_task(keeper.split(self._batches.repeat()))

    def _restore_optimizer(self, saved: list[dict[str, Any]]) -> None:
        state = self.optimizer.state_dict()
        indices = state['param_groups'][-1]['params']
        state['state'].update({index: entry for index, entry in zip(indices, saved) if entry})
        self.optimizer.load_state_dict(state)

    def _forget(self) -> None:
        if self.strategy is not None:
            for parameter in self.strategy.parameters():
                self.optimizer.state.pop(parameter, None)
            self.optimizer.param_groups = [
                group for group in self.optimizer.param_groups if not group.get(OF_STRATEGY)
            ]
        self.strategy = self._saved = None

    def _follow_settings(self) -> None:
        group, base = self.optimizer.param_groups[-1], self.param_groups[-1]
        if group.get(OF_STRATEGY):
            group.update({name: base[name] for name in self.optimizer.defaults})

    def _count_epochs(self) -> tuple[int, int]:
        """The number of this epoch, and of all."""
        length = self._epoch_length
        if length is None:
            length = math.ceil(self._max_counts / self.message_hub.get_info('max_epochs', 1))
        return self._inner_count // length, math.ceil(self._max_counts / length)

    def _save_weighting(self) -> dict[str, Any] | None:
        if self.strategy is None:
            return None
        from go4align_plugins.libmtl import checkpoint

        return {
            'state_dict': self.strategy.state_dict(),
            'attributes': checkpoint.collect_attributes(self.strategy),
        }

    def _load_weighting(self, saved: dict[str, Any]) -> None:
        self._saved = saved
