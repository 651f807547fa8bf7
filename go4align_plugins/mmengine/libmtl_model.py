"""A strategy of LibMTL's on a model that is not LibMTL's. Importing this module needs LibMTL."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from torch import Tensor, nn

import go4align_plugins.libmtl  # noqa: F401  (registers our strategies)
from go4align_plugins.libmtl.checkpoint import (  # noqa: F401
    collect_attributes,
    restore_attributes,
)
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.loop import BATCHES_IN_STEP
from go4align_plugins.libmtl.trainer import as_offered

LibMTL: Any = import_libmtl()

SHARED_PARTS = ('backbone', 'neck')
"""The parts of an OpenMMLab model that its tasks share by default."""

UNFIT = {
    'GradDrop': "gradients of LibMTL's representation (`rep_grad`)",
    **{name: f'{count} batches a step' for name, count in BATCHES_IN_STEP.items()},
}
"""Strategies that run in LibMTL's Trainer alone, and the reason."""


class SharedModel(nn.Module):
    """The members of LibMTL's models that a strategy uses: the shared parameters and the losses.

    LibMTL's models inherit a strategy and an architecture. This class takes the architecture's
    place.

    Args:
        task_names: the M tasks in order.
        encoder: the shared parameters, see :func:`find_shared`.
    """

    def __init__(self, task_names: Sequence[str], encoder: nn.ModuleList) -> None:
        super().__init__()
        self.task_name = list(task_names)
        self.task_num = len(self.task_name)
        self.device = next(encoder.parameters()).device
        self.rep_grad = False
        self.multi_input = False
        # Not registered as a module, so that the strategy's state alone is in the state_dict.
        self.__dict__['encoder'] = encoder
        self.epoch, self.epochs = 0, 1
        self.train_loss_buffer = np.zeros((self.task_num, self.epochs))
        self.epoch_losses = np.zeros(self.task_num)
        self.epoch_frames = 0

    def get_share_params(self) -> Any:
        """Return the shared parameters, in the order of the model's."""
        return self.__dict__['encoder'].parameters()

    def zero_grad_share_params(self) -> None:
        """Set the gradients of the shared parameters to zero."""
        self.__dict__['encoder'].zero_grad(set_to_none=False)

    def enter_epoch(self, epoch: int, epochs: int) -> None:
        """Set the epoch, from 0; the mean losses of the last one are then known, as in LibMTL."""
        if epoch != self.epoch and self.epoch_frames:
            self.train_loss_buffer[:, self.epoch] = self.epoch_losses / self.epoch_frames
            self.epoch_losses = np.zeros(self.task_num)
            self.epoch_frames = 0
        if epochs != self.epochs:
            known = self.train_loss_buffer[:, :epochs]
            self.train_loss_buffer = np.zeros((self.task_num, epochs))
            self.train_loss_buffer[:, : known.shape[1]] = known
        self.epoch, self.epochs = epoch, epochs

    def record(self, losses: Tensor, frames: int) -> None:
        """Add the losses (M,) of a step to the epoch's mean, weighted by the size of the batch."""
        self.epoch_losses = self.epoch_losses + losses.detach().cpu().double().numpy() * frames
        self.epoch_frames += frames


def find_strategy(weighting: str) -> type:
    """Find a strategy's class by its name, of LibMTL or of this package.

    Raises:
        ValueError: if there is none of that name, or it cannot run in another trainer.
    """
    as_offered(weighting, LibMTL.weighting)
    strategy = getattr(LibMTL.weighting, weighting)
    for base in strategy.__mro__:  # a grouped strategy inherits from the plain one
        if base.__name__ in UNFIT:
            raise ValueError(
                'Parameter `weighting` should be a strategy that takes one batch a step and '
                f'gradients of parameters. Found `{weighting}`, which needs {UNFIT[base.__name__]}.'
            )
    return strategy


def complete_options(weighting: str, weight_args: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a strategy's options by the defaults of LibMTL's command line.

    Raises:
        ValueError: if LibMTL knows the strategy, but not an option.
    """
    params = LibMTL.config.LibMTL_args.parse_args([])
    params.weighting = weighting
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            defaults = LibMTL.config.prepare_args(params)[0]['weight_args']
    except ValueError:
        # LibMTL's command line has no options of a strategy that somebody added.
        return dict(weight_args)
    unknown = [name for name in weight_args if name not in defaults]
    if unknown and not hasattr(find_strategy(weighting), 'configure'):
        raise ValueError(
            f'Parameter `weight_args` should hold {", ".join(defaults) or "nothing"} for '
            f'{weighting}. Found `{unknown[0]}`.'
        )
    return {**defaults, **weight_args}


def build_strategy(
    weighting: str,
    weight_args: Mapping[str, Any],
    task_names: Sequence[str],
    encoder: nn.ModuleList,
) -> Any:
    """Build a strategy that is ready for ``backward(losses, **weight_args)``."""
    # The bases in the order of LibMTL's own models: strategies look at it.
    strategy: Any = type('MTLmodel', (SharedModel, find_strategy(weighting)), {})
    model = strategy(task_names, encoder)
    model.init_param()
    if hasattr(model, 'configure'):
        model.configure(weight_args)
    return model.to(model.device)


def find_shared(model: nn.Module, patterns: Sequence[str] | None = None) -> nn.ModuleList:
    """Find the parameters of a model that all tasks share.

    Args:
        model: any model.
        patterns: globs, or beginnings up to a dot, of parameters' names. None: the parts
            ``backbone`` and ``neck``.

    Returns:
        One list of trainable parameters for each module that has any, in the model's order.

    Raises:
        ValueError: if a pattern matches no trained parameter, or there is no backbone and no neck.
    """
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    if patterns is None:
        patterns = [part for part in SHARED_PARTS if _match(trained, part)]
        if not patterns:
            parts = ', '.join(f'`{name}`' for name, _ in model.named_children())
            raise ValueError(
                'Parameter `shared` should name the parameters that all tasks share, for '
                f'`{type(model).__name__}` trains neither a backbone nor a neck. Found '
                f'`shared = None`, and the parts {parts}.'
            )
    shared: set[str] = set()
    for pattern in patterns:
        matches = _match(trained, pattern)
        if not matches:
            raise ValueError(
                'Parameter `shared` should hold patterns of names of parameters that are trained, '
                f'such as `{next(iter(trained), "")}`. Found `{pattern}`, which matches none.'
            )
        shared.update(matches)
    encoder = nn.ModuleList()
    for prefix, module in model.named_modules():
        parameters = module.named_parameters(prefix, recurse=False)
        own = [parameter for name, parameter in parameters if name in shared]
        if own:
            encoder.append(nn.ParameterList(own))
    return encoder


def _match(names: Sequence[str], pattern: str) -> list[str]:
    return [name for name in names if fnmatchcase(name, pattern) or name.startswith(f'{pattern}.')]
