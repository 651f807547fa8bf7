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

from go4align_plugins.mmengine.recorders import BatchRecorder
from go4align_plugins.mmengine.task_wrapper import TaskOptimWrapper


@OPTIM_WRAPPERS.register_module()
class LibMTLOptimWrapper(TaskOptimWrapper):
    """MMEngine's ``OptimWrapper`` with any weighting strategy of LibMTL's that needs no own loop.

    Each iteration: the model's losses, kept apart by task -> the strategy's ``backward`` -> the
    inherited clipping and step. No model is changed.

    - Updates equal the updates of LibMTL's Trainer on the same model, data and random numbers.
    - The strategy's own parameters (UW, IMTL, GradNorm) are trained by the same optimizer, with the
      options of the config's optimizer, and follow its schedules.
    - Epochs count as in LibMTL for strategies that look at them (DWA, GradNorm, STCH).
    - FAMO takes a second forward pass of the batch after each step.
    - The message hub has ``train/weight/<task>`` at every iteration where the strategy returns its
      weights, and ``train/group/<task>`` where it has groups.
    - Checkpoints are as for :class:`GO4AlignOptimWrapper`. A strategy whose state cannot be saved
      (Nash_MTL) refuses to resume.
    - Mixed precision, accumulation and several processes are refused: many strategies take one
      backward pass for each task in a step.

    Args:
        optimizer: the optimizer; one for the whole model.
        tasks: as for :class:`GO4AlignOptimWrapper`.
        **options: ``clip_grad`` of ``OptimWrapper``, and:
            ``weighting`` (``'EW'``): the strategy's name in ``LibMTL.weighting``; GO4Align and SI
            are among them.
            ``weight_args``: its options by LibMTL's names, e.g. ``{'calpha': 0.4}``; others have
            the defaults of LibMTL's command line.
            ``shared``: globs, or beginnings up to a dot, of the names of the parameters that all
            tasks share. None: the model's ``backbone`` and ``neck``.
            ``epoch_length``: the iterations of an epoch. None: as the Runner counts epochs; a
            training by iterations is one epoch.

    Raises:
        ImportError: if LibMTL is not installed; the message names the extra.
        ValueError: if a parameter is out of its range, the strategy cannot run so, the model shares
            no parameters, or a loss belongs to no task or to two.

    Example:
        >>> optim_wrapper = dict(
        ...     type='LibMTLOptimWrapper',
        ...     weighting='CAGrad',
        ...     weight_args=dict(calpha=0.4),
        ...     optimizer=dict(type='Adam', lr=1e-4))
    """

    weight_args: dict[str, Any]
    """The strategy's options, complete."""
    _encoder: Any  # the shared parameters, as a module; None until the model is known
    _batches: Any  # a BatchRecorder; likewise
    _recorder: Any

    @property
    def strategy(self) -> Any:
        """LibMTL's strategy and its state; None until the model and the tasks are known."""
        return self.weighting

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Attach the wrapper to the model, and find the parameters that its tasks share.

        Raises:
            ValueError: if there are several processes, or the model shares no parameters.
        """
        super().initialize_count_status(model, init_counts, max_counts)
        if get_world_size() > 1 or is_model_wrapper(model):
            raise ValueError(
                f'Strategy `{self.weighting_name}` should be run in one process, on a bare model: '
                'LibMTL takes a backward pass for each task, which distributed training would '
                f'join too early. Found {get_world_size()} processes, `{type(model).__name__}`.'
            )
        self._encoder = self._libmtl.find_shared(model, self._shared)
        self._batches = self._batches or BatchRecorder(model)
        self._build()

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Count the backward pass, which the strategy has run."""
        self._inner_count += 1

    def zero_grad(self, **kwargs: Any) -> None:
        """Zero the gradients as LibMTL does: no parameter is left out of a later step."""
        super().zero_grad(**{'set_to_none': False, **kwargs})

    @property
    def _libmtl(self) -> Any:
        from go4align_plugins.mmengine import libmtl_model

        return libmtl_model

    def _configure(
        self,
        weighting: str = 'EW',
        weight_args: Mapping[str, Any] | None = None,
        shared: str | Sequence[str] | None = None,
        epoch_length: int | None = None,
    ) -> None:
        self._libmtl.find_strategy(weighting)
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
        self.weighting_name = weighting
        self.weight_args = self._libmtl.complete_options(weighting, weight_args or {})
        self._shared = [shared] if isinstance(shared, str) else shared
        self._epoch_length = epoch_length
        self._encoder = self._batches = None

    def _is_ready(self) -> bool:
        return self._encoder is not None

    def _build_weighting(self) -> nn.Module:
        return self._libmtl.build_strategy(
            self.weighting_name, self.weight_args, self.task_names, self._encoder
        )

    def _weigh(self, losses: Tensor) -> Tensor:
        # LibMTL writes into gradients, and zeroes them: one that is None would be passed over.
        for parameter in (*self._encoder.parameters(), *self.optimizer.state):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        length = self._epoch_length
        if length is None:
            length = math.ceil(self._max_counts / self.message_hub.get_info('max_epochs', 1))
        epochs = math.ceil(self._max_counts / length)
        self.strategy.enter_epoch(self._inner_count // length, epochs)
        self._weights = self.strategy.backward(losses, **self.weight_args)
        return losses.detach().sum()

    def _finish(self, losses: Tensor) -> tuple[Sequence[float], Sequence[int]]:
        if hasattr(self.strategy, 'update_w'):
            with torch.no_grad():
                terms = self._recorder.split(self._batches.evaluate())
                self.strategy.update_w(self._tasks.sum(terms))
        self.strategy.record(losses, self._batches.pop_size())
        weights = [] if self._weights is None else np.asarray(self._weights, np.float64).tolist()
        return weights, [] if self.num_groups is None else self.strategy.agrm.groups.tolist()

    def _save_weighting(self) -> dict[str, Any]:
        attributes = self._libmtl.collect_attributes(self.strategy)
        return {**super()._save_weighting(), 'attributes': attributes}

    def _load_weighting(self, saved: dict[str, Any]) -> None:
        super()._load_weighting(saved)
        self._libmtl.restore_attributes(self.strategy, saved['attributes'])
