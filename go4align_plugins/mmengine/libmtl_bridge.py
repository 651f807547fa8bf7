"""LibMTL's weighting strategies inside MMEngine. LibMTL is imported when one is asked for."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.model import is_model_wrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from go4align_plugins.mmengine.losses import TaskPatterns
from go4align_plugins.mmengine.optim_wrapper import STATE_KEY, TaskOptimWrapper
from go4align_plugins.utils.options import check_whole, require

SHARED_PARTS = ('backbone', 'neck')


@OPTIM_WRAPPERS.register_module()
class LibMTLOptimWrapper(TaskOptimWrapper):
    """MMEngine's ``OptimWrapper`` with any weighting strategy of LibMTL's that needs no own loop.

    Each iteration: the model's losses, kept apart by task -> the strategy's ``backward`` -> the
    inherited clipping and step. No model is changed. Updates equal those of LibMTL's Trainer on the
    same model, data and random numbers.

    - The strategy's own parameters (UW, IMTL, GradNorm) are trained by the same optimizer, with its
      options, and follow its schedules.
    - Epochs count as in LibMTL for strategies that look at them (DWA, GradNorm, STCH).
    - FAMO takes a second forward pass of the batch after each step.
    - The message hub has ``train/weight/<task>`` where the strategy returns its weights, and
      ``train/group/<task>`` where it has groups.
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
    _recorder: Any
    _encoder: nn.ModuleList | None = None  # the shared parameters; None until the model is known
    _batch: Any = (None, (), {})  # the model, and the arguments that its losses came from

    def configure(
        self,
        tasks: TaskPatterns | None = None,
        weighting: str = 'EW',
        weight_args: Mapping[str, Any] | None = None,
        shared: str | Sequence[str] | None = None,
        epoch_length: int | None = None,
    ) -> None:
        """Set the tasks and the strategy; see the class."""
        counts = self._accumulative_counts
        rule = 'be 1 with strategies of LibMTL, which look at the losses and gradients of a step'
        require(counts == 1, 'accumulative_counts', rule, counts)
        check_whole('epoch_length', 1 if epoch_length is None else epoch_length, 1, math.inf)
        self.weighting_name = weighting
        self._strategy_class, self.weight_args = find_strategy(weighting, weight_args or {})
        self._shared = [shared] if isinstance(shared, str) else shared
        self._epoch_length = epoch_length
        super().configure(tasks)

    @property
    def strategy(self) -> Any:
        """LibMTL's strategy and its state; None until the model and the tasks are known."""
        return self.weighting

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Attach the wrapper to the model, and find the parameters that its tasks share."""
        super().initialize_count_status(model, init_counts, max_counts)
        alone = get_world_size() == 1 and not is_model_wrapper(model)
        rule = 'be run in one process, on a bare model: it may take a backward pass for each task'
        require(alone, 'weighting', rule, self.weighting_name)
        self._encoder = find_shared(model, self._shared)
        self._build()

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute losses as inherited, and keep their batch: FAMO looks at it twice."""

        def keep(*batch: Any) -> None:
            self._batch = batch

        with super().optim_context(model), model.register_forward_pre_hook(keep, with_kwargs=True):
            yield

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Update the parameters as inherited; then the strategy may look at the losses again."""
        super().update_params(loss, *args, **kwargs)
        (model, inputs, options), self._batch = self._batch, (None, (), {})
        if hasattr(self.strategy, 'update_w'):
            with torch.no_grad():
                terms = self._recorder.split(model(*inputs, **options))
                self.strategy.update_w(self._tasks.sum(terms))

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Count the backward pass, which the strategy has run."""
        self._inner_count += 1

    def zero_grad(self, **kwargs: Any) -> None:
        """Zero the gradients as LibMTL does: no parameter is left out of a later step."""
        super().zero_grad(**{'set_to_none': False, **kwargs})

    def state_dict(self) -> dict[str, Any]:
        """Return the state as inherited, with the strategy's plain attributes."""
        from go4align_plugins.libmtl.checkpoint import collect_attributes

        state = super().state_dict()
        if self.strategy is not None:
            state[STATE_KEY]['attributes'] = collect_attributes(self.strategy)
        return state

    def _load_weighting(self, saved: dict[str, Any]) -> None:
        from go4align_plugins.libmtl.checkpoint import restore_attributes

        super()._load_weighting(saved)
        restore_attributes(self.strategy, saved['attributes'])

    def _build(self) -> None:
        if self._encoder is not None:
            super()._build()

    def _make_weighting(self) -> nn.Module:
        # The bases in the order of LibMTL's own models: strategies look at it.
        model_class: Any = type('MTLmodel', (SharedModel, self._strategy_class), {})
        strategy = model_class(self.task_names, self._encoder)
        strategy.init_param()
        if hasattr(strategy, 'configure'):
            strategy.configure(self.weight_args)
        return strategy.to(strategy.device)

    def _weigh(self, losses: Tensor) -> tuple[Tensor, Tensor | None]:
        # LibMTL writes into gradients, and zeroes them: one that is None would be passed over.
        for parameter in (*self.strategy.get_share_params(), *self.optimizer.state):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        epochs = self.message_hub.get_info('max_epochs', 1)
        length = self._epoch_length or math.ceil(self._max_counts / epochs)
        self.strategy.enter_epoch(self._inner_count // length, math.ceil(self._max_counts / length))
        weights = self.strategy.backward(losses, **self.weight_args)
        _, inputs, options = self._batch
        self.strategy.record(losses, (*inputs, *options.values()))
        if weights is not None:  # beside the groups, to which the host comes for both
            weights = torch.as_tensor(np.asarray(weights, np.float64), device=losses.device)
        return losses.detach().sum(), weights


class SharedModel(nn.Module):
    """Stands in for the architecture that LibMTL's models inherit beside a strategy."""

    def __init__(self, task_names: Sequence[str], encoder: nn.ModuleList) -> None:
        super().__init__()
        self.task_name = list(task_names)
        self.task_num = len(self.task_name)
        self.device = next(encoder.parameters()).device
        self.rep_grad = self.multi_input = False
        # Not registered as a module, so that the strategy's state alone is in the state_dict.
        self.__dict__['encoder'] = encoder
        self.epoch, self.epochs = 0, 1
        self.train_loss_buffer = np.zeros((self.task_num, self.epochs))
        self.epoch_losses, self.epoch_frames = np.zeros(self.task_num), 0

    def get_share_params(self) -> Iterator[nn.Parameter]:
        """Return the shared parameters, in the order of the model's."""
        return self.__dict__['encoder'].parameters()

    def zero_grad_share_params(self) -> None:
        """Set the gradients of the shared parameters to zero."""
        self.__dict__['encoder'].zero_grad(set_to_none=False)

    def enter_epoch(self, epoch: int, epochs: int) -> None:
        """Set the epoch, from 0; LibMTL's buffer then has the mean losses of the last one."""
        if epoch != self.epoch and self.epoch_frames:
            self.train_loss_buffer[:, self.epoch] = self.epoch_losses / self.epoch_frames
            self.epoch_losses, self.epoch_frames = np.zeros(self.task_num), 0
        if epochs != self.epochs:
            known = self.train_loss_buffer[:, :epochs]
            self.train_loss_buffer = np.pad(known, ((0, 0), (0, epochs - known.shape[1])))
        self.epoch, self.epochs = epoch, epochs

    def record(self, losses: Tensor, batch: Iterable[Any]) -> None:
        """Add the losses (M,) of a step to the epoch's mean, weighted by the size of the batch."""
        frames = next((len(x) for x in batch if isinstance(x, (list, tuple, Tensor))), 1)
        self.epoch_losses = self.epoch_losses + losses.detach().cpu().double().numpy() * frames
        self.epoch_frames += frames


def find_strategy(weighting: str, weight_args: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Find a strategy's class, of LibMTL or this package, and complete its options by defaults."""
    from go4align_plugins.libmtl.compat import LibMTL, default_options
    from go4align_plugins.libmtl.loop import BATCHES_IN_STEP
    from go4align_plugins.libmtl.trainer import as_offered

    as_offered(weighting, LibMTL.weighting)
    strategy = getattr(LibMTL.weighting, weighting)
    unfit = {name: f'{count} batches a step' for name, count in BATCHES_IN_STEP.items()}
    unfit['GradDrop'] = "gradients of LibMTL's representation (`rep_grad`)"
    for base in strategy.__mro__:  # a grouped strategy inherits from the plain one
        rule = f'run without {unfit.get(base.__name__)}, which other trainers do not have'
        require(base.__name__ not in unfit, 'weighting', rule, weighting)
    defaults = default_options(weighting)
    if defaults is not None and not hasattr(strategy, 'configure'):  # those of our own check it
        rule = f'hold {", ".join(defaults) or "nothing"} for {weighting}'
        require(weight_args.keys() <= defaults.keys(), 'weight_args', rule, weight_args)
    return strategy, {**(defaults or {}), **weight_args}


def find_shared(model: nn.Module, patterns: Sequence[str] | None = None) -> nn.ModuleList:
    """Find the trained parameters that all tasks share: one list for each layer that has any."""
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    matches = {
        pattern: [n for n in trained if fnmatchcase(n, pattern) or n.startswith(f'{pattern}.')]
        for pattern in (SHARED_PARTS if patterns is None else patterns)
    }
    shared = {name for names in matches.values() for name in names}
    parts = ', '.join(f'`{name}`' for name, _ in model.named_children())
    rule = f'hold patterns that match trained parameters, of {parts}; by default {SHARED_PARTS}'
    valid = bool(shared) if patterns is None else all(matches.values())
    require(valid, 'shared', rule, patterns)
    layers = (
        [value for name, value in module.named_parameters(prefix, recurse=False) if name in shared]
        for prefix, module in model.named_modules()
    )
    return nn.ModuleList(nn.ParameterList(layer) for layer in layers if layer)
