"""What optimizer wrappers have in common that look at the losses of each task."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn

from go4align_plugins.mmengine.parsing import LossKeeper
from go4align_plugins.mmengine.tasks import TaskPatterns, sum_by_task, union_over_ranks

STATE_KEY = 'weighting'
AMP_OPTIONS = ('loss_scale', 'dtype', 'use_fsdp')


class TaskOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` for methods that weigh the tasks of a model against each other.

    It finds out the tasks, keeps their losses apart, publishes their weights and groups, and saves
    the method's state beside the optimizer's. What to do with the losses is up to its subclasses:
    ``update_params``, and the methods at its end.
    """

    task_names: tuple[str, ...]
    """The tasks in the order of the weights; empty until they are known."""
    _resumed: bool  # whether they are those of a checkpoint
    _keeper: LossKeeper | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        inherited = [name for name in AMP_OPTIONS if name in kwargs]
        if inherited and not isinstance(self, AmpOptimWrapper):
            name = inherited[0]
            raise ValueError(
                f'Parameter `optim_wrapper` should have no `{name}` with `type = '
                f"{type(self).__name__!r}`: it is an option of `AmpOptimWrapper`'s. Found `{name} "
                f"= {kwargs[name]!r}`. For mixed precision: `type='GO4AlignAmpOptimWrapper'`; "
                'without it, leave out what the config inherits by `_delete_=True`.'
            )
        super().__init__(*args, **kwargs)

    @classmethod
    def adopt(cls, wrapper: OptimWrapper, **options: Any) -> None:
        """Make a wrapper that exists one of this class, in place.

        What holds the wrapper already, as learning rate schedulers do, holds this one then.

        Args:
            wrapper: of the class that this one adds its method to.
            **options: those of this class that concern the method.

        Raises:
            ValueError: if an option is out of its range.
        """
        wrapper.__class__ = cls
        cast(TaskOptimWrapper, wrapper)._set_up(**options)

    @property
    def weighting_name(self) -> str:
        """The name of the method, as a run records it."""
        return type(self).__name__.removesuffix('OptimWrapper').removesuffix('Amp')

    @property
    def num_groups(self) -> int | None:
        """How many groups the tasks are in; None where the method has none, or none yet."""
        return None

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Meet the model whose losses are to be weighed; the Runner calls this before training.

        Args:
            model: the model, bare or in a distributed wrapper.
            init_counts: the iteration at which training begins.
            max_counts: the iteration at which it ends.
        """
        super().initialize_count_status(model, init_counts, max_counts)
        self._keeper = LossKeeper.attach(model)

    def state_dict(self) -> dict[str, Any]:
        """The inherited state, and the method's under ``'weighting'`` once tasks are known."""
        state = super().state_dict()
        saved = self._save_weighting()
        if saved is not None:
            names = {'name': self.weighting_name, 'task_names': list(self.task_names)}
            state[STATE_KEY] = {**names, **saved}
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state of this wrapper, or of one that weighs no tasks, with a warning.

        Raises:
            ValueError: if it was saved for other tasks, or by another method, or is no such state.
        """
        state_dict = dict(state_dict)
        saved = state_dict.pop(STATE_KEY, None)
        super().load_state_dict(state_dict)
        if saved is None:
            self._warn('The checkpoint has no state of the weighting: it begins anew.')
            return
        names = _names_in(saved)
        if self.task_names and self.task_names != names:
            raise ValueError(
                f'Parameter `tasks` should name the tasks of the checkpoint in their order, '
                f'`{names}`. Found `{self.task_names}`.'
            )
        # Checkpoints of GO4Align once had no name.
        method = saved.get('name', 'GO4Align')
        if method != self.weighting_name:
            raise ValueError(
                f'A run should be resumed by the weighting of its checkpoint, `{method}`. '
                f'Found `{self.weighting_name}`.'
            )
        self.task_names, self._resumed = names, True
        try:
            self._load_weighting(saved)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(
                f'The checkpoint should hold the state of `{method}` for the tasks `{names}`. '
                f'Found: {error}'
            ) from error

    def _set_up(self, tasks: Mapping[str, str | Sequence[str]] | None = None) -> None:
        self._task_of = TaskPatterns(tasks)
        self._keeper = None
        self.task_names, self._resumed = self._task_of.names, False

    def _losses(self, loss: Tensor) -> Tensor:
        """From a total that ``parse_losses`` returned, the (M,) losses of the tasks."""
        if self._keeper is None:
            raise ValueError(
                f'`{type(self).__name__}.initialize_count_status(model, ...)` should be called '
                "before training, as MMEngine's `Runner` does: without it the tasks in a loss are "
                'not known. Several optimizers (`OptimWrapperDict`) and `FlexibleRunner`, where '
                'nothing calls it, are not supported.'
            )
        terms = self._keeper.take(loss)
        if not self.task_names:
            self.task_names = tuple(union_over_ranks(map(self._task_of, terms)))
            self._begin()
        return self._by_task(terms)

    def _by_task(self, terms: Mapping[str, Tensor]) -> Tensor:
        tasks = {key: self._task_of(key) for key in terms}
        unknown = next((key for key, task in tasks.items() if task not in self.task_names), None)
        if unknown is not None:
            found = f'Found the loss `{unknown}`, and the tasks `{self.task_names}`.'
            if self._resumed:
                raise ValueError(
                    f'A run should be resumed with the tasks of its checkpoint. {found} Give it to '
                    'one of these by `tasks`, or begin a new run from the trained parameters, by '
                    '`load_from` without `resume`.'
                )
            raise ValueError(
                'Parameter `tasks` should name all tasks where the first iteration does not show '
                f'them all. {found}'
            )
        return sum_by_task(terms, tasks, self.task_names)

    def _publish(self, kind: str, values: Sequence[float] | np.ndarray) -> None:
        for name, value in zip(self.task_names, values):
            self.message_hub.update_scalar(f'train/{kind}/{name}', value)

    def _warn(self, message: str) -> None:
        print_log(f'{type(self).__name__}: {message}', logger='current', level=logging.WARNING)

    @abstractmethod
    def _begin(self) -> Any:
        """Make the method: the tasks are known from now on."""

    @abstractmethod
    def _save_weighting(self) -> dict[str, Any] | None:
        """The method's state as tensors and plain values; None where there is none yet."""

    @abstractmethod
    def _load_weighting(self, saved: dict[str, Any]) -> None:
        """Put such a state back; ``task_names`` are those that it was saved for."""


def _names_in(saved: Any) -> tuple[str, ...]:
    names = saved.get('task_names') if isinstance(saved, Mapping) else None
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f'The checkpoint should name the tasks in its `{STATE_KEY}`. Found `{saved!r:.200}`.'
        )
    return tuple(names)
