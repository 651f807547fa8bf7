"""Weighting strategies for LibMTL: GO4Align, and SI, with which the papers compare it.

A LibMTL model inherits from an architecture and a strategy. It calls ``init_param`` once and
``backward(losses, **weight_args)`` at each step, and stores the weights that this returns.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from go4align_plugins.libmtl.compat import LibMTL
from go4align_plugins.libmtl.options import GO4ALIGN, read_options
from go4align_plugins.utils.options import require
from go4align_plugins.weighting import AGRM
from go4align_plugins.weighting import GO4Align as GO4AlignWeighting


class AGRMWeighting(LibMTL.weighting.AbsWeighting):
    """A strategy with an :class:`AGRM`, which LibMTL's ``weight_args`` configure.

    Its state is a part of the model: LibMTL's own ``state_dict`` saves it.
    """

    agrm: AGRM

    def init_param(self) -> None:
        """Allocate the state, so that a saved one loads into a new model."""
        if self.rep_grad and self.weights_losses():
            name = self.strategy_name()
            raise ValueError(
                f'Parameter `rep_grad` should be False with {name}. Found `rep_grad = True`. '
                'It detaches the encoder from the losses, for strategies that combine gradients of '
                f'the representation; {name} weights losses: the encoder would get no gradient.'
            )
        super().init_param()
        self.agrm = self.build({}).to(self.device)
        self.weight_args: Mapping[str, Any] = {}

    def configure(self, weight_args: Mapping[str, Any]) -> None:
        """Follow LibMTL's ``weight_args`` where they have changed; the state is kept."""
        if weight_args != self.weight_args:
            agrm = self.build(weight_args).to(self.device)
            agrm.load_state_dict(self.agrm.state_dict())
            self.agrm, self.weight_args = agrm.train(self.training), weight_args

    @abstractmethod
    def build(self, weight_args: Mapping[str, Any]) -> AGRM:
        """Build the weighting; a ValueError says which option is unknown or out of its range."""

    def weights_losses(self) -> bool:
        """Tell whether the strategy weights losses, and no gradients of the representation."""
        return True

    @classmethod
    def strategy_name(cls) -> str:
        """Find LibMTL's name of the strategy: a model's class is called ``MTLmodel``."""
        offered = vars(LibMTL.weighting)
        return next(base.__name__ for base in cls.__mro__ if offered.get(base.__name__) is base)


class LossWeighting(AGRMWeighting):
    """A strategy whose weights come from the losses alone, at the cost of equal weighting."""

    def backward(self, losses: Tensor, **weight_args: Any) -> np.ndarray:
        """Run the backward pass of the weighted sum of the losses (M,); return the weights (M,)."""
        self.configure(weight_args)
        weights = self.agrm(losses)
        (weights * losses).sum().backward()
        return weights.float().cpu().numpy()


class GO4Align(LossWeighting):
    """GO4Align (NeurIPS 2024, https://arxiv.org/abs/2404.06486): a weight for each group of tasks.

    Options, in ``weight_args`` or on LibMTL's command line: the parameters of
    :class:`go4align_plugins.GO4Align` with ``GO4Align_`` before them (``GO4Align_num_groups``).
    """

    def build(self, weight_args: Mapping[str, Any]) -> AGRM:  # noqa: D102
        options = read_options(GO4ALIGN, weight_args, self.task_num)
        return GO4AlignWeighting(self.task_num, task_names=self.task_name, **options)


class SI(LossWeighting):
    """Scale-invariant weighting: the sum of the logarithms of the losses. It has no options.

    That is AGRM without grouping, with the inverse loss as indicator: absent tasks and non-finite
    losses are treated as in AGRM.
    """

    def build(self, weight_args: Mapping[str, Any]) -> AGRM:  # noqa: D102
        require(not weight_args, 'weight_args', 'be empty', weight_args)
        return AGRM(self.task_num, self.task_num, inverse_loss, task_names=self.task_name)


def inverse_loss(losses: Tensor) -> Tensor:
    """Invert each loss; 0 for a task that is absent."""
    return torch.where(losses > 0, losses.reciprocal(), 0.0)
