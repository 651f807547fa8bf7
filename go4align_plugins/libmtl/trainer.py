"""LibMTL's Trainer on today's torch, on any device, in either release of LibMTL."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from go4align_plugins.libmtl.compat import LibMTL, default_device
from go4align_plugins.libmtl.grouped import refuse_ungrouped
from go4align_plugins.libmtl.strategies import GROUPED
from go4align_plugins.utils.options import require

# GitHub's main takes strategies and architectures by name, 1.1.5 the classes themselves.
TAKES_NAMES = hasattr(LibMTL.trainer, 'weighting_method')


class Trainer(LibMTL.trainer.Trainer):
    """LibMTL's own Trainer, mended where it no longer runs; its training loop is untouched.

    - It trains on any device, by default the first GPU, or the CPU; LibMTL on ``cuda:0`` alone.
    - It takes strategies and architectures by name or as classes, in either release.
    - It calls ``next(loader)``; 1.1.5 calls a method that torch has removed. An error while reading
      data is raised; LibMTL would silently start the loader again.
    - It sets gradients to zero; today's ``zero_grad`` sets them to None, but 1.1.5's gradient-based
      strategies write into them.

    Args:
        *args: as for ``LibMTL.Trainer``.
        device: where to train; None: :attr:`default_device`.
        **kwargs: as for ``LibMTL.Trainer``.
    """

    default_device: ClassVar[torch.device | None] = None
    """Device of every Trainer that is given none; None: the first GPU, or the CPU."""

    def __init__(self, *args: Any, device: torch.device | str | None = None, **kwargs: Any) -> None:
        chosen = torch.device(device or self.default_device or default_device())
        self.__dict__['_chosen_device'] = chosen
        super().__init__(*args, **kwargs)

    device = property(lambda self: self.__dict__['_chosen_device'], lambda self, _: None)
    """Device of the model; LibMTL's assignments to it are ignored."""

    def _prepare_model(
        self, weighting: str | type, architecture: str | type, encoder_class: Any, decoders: Any
    ) -> None:
        weighting = as_offered(weighting, LibMTL.weighting)
        architecture = as_offered(architecture, LibMTL.architecture)
        if TAKES_NAMES:
            # Its training loop goes by the name: some strategies take several batches a step, or
            # look at the losses after it, under AGRM too.
            self.weighting = str(weighting).removeprefix(GROUPED)
        super()._prepare_model(weighting, architecture, encoder_class, decoders)
        if hasattr(self.model, 'configure'):
            # LibMTL hands the options over at each step: ours are checked before the first.
            self.model.configure(self.kwargs['weight_args'])
        self.model.zero_grad_share_params = partial(_zero_shared_gradients, self.model)

    def _prepare_optimizer(self, optim_param: dict, scheduler_param: dict | None) -> None:
        super()._prepare_optimizer(optim_param, scheduler_param)
        self.optimizer.zero_grad = partial(self.optimizer.zero_grad, set_to_none=False)

    def _process_data(self, loader: list) -> tuple[Tensor, Any]:
        try:
            data, label = next(loader[1])
        except StopIteration:
            loader[1] = iter(loader[0])
            data, label = next(loader[1])
        data = data.to(self.device, non_blocking=True)
        if self.multi_input:
            return data, label.to(self.device, non_blocking=True)
        label = {task: label[task].to(self.device, non_blocking=True) for task in self.task_name}
        return data, label


def as_offered(choice: str | type, offered: Any) -> str | type:
    """Bring a strategy or architecture into the form that the installed LibMTL takes."""
    name = choice if isinstance(choice, str) else choice.__name__
    refuse_ungrouped(name)
    if isinstance(choice, str):
        known = ', '.join(sorted(each for each in offered.__all__ if not each.startswith('Abs')))
        parameter = offered.__name__.split('.')[-1]
        require(hasattr(offered, name), parameter, f'be one of {known}', name)
        return name if TAKES_NAMES else getattr(offered, name)
    if TAKES_NAMES:
        setattr(offered, name, choice)
    return name if TAKES_NAMES else choice


def _zero_shared_gradients(model: Any) -> None:
    for parameter in model.get_share_params():
        if parameter.grad is not None:
            parameter.grad.zero_()
