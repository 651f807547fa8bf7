"""Weighting strategies for LibMTL: GO4Align, and SI, with which the papers compare it.

A LibMTL model inherits from an architecture and a strategy. It calls ``init_param`` once and
``backward(losses, **weight_args)`` at each step, and stores the weights that this returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from go4align_plugins.libmtl.compat import LibMTL
from go4align_plugins.utils.options import require
from go4align_plugins.weighting import AGRM
from go4align_plugins.weighting import GO4Align as GO4AlignWeighting

GO4ALIGN, GROUPED = 'GO4Align_', 'AGRM_'
DEFAULTS = {
    name: parameter.default
    for name, parameter in signature(GO4AlignWeighting).parameters.items()
    if name not in ('num_tasks', 'task_names')
}
OPTIONS = {GO4ALIGN: tuple(DEFAULTS), GROUPED: ('num_groups', 'grouping')}
"""GO4Align's own parameters, after their prefix on the command line and in ``weight_args``."""


class AGRMWeighting(LibMTL.weighting.AbsWeighting):
    """A strategy with an :class:`AGRM`, which LibMTL's ``weight_args`` configure.

    Its state is a part of the model: LibMTL's own ``state_dict`` saves it.
    """

    method: ClassVar[Callable[..., AGRM]]
    prefix: ClassVar[str]
    """Begins the names of its :data:`OPTIONS`; if it has none, no tasks share a group."""
    own_options: ClassVar[tuple[str, ...] | None] = ()
    """Further options; None where they are not known."""
    weights_losses: ClassVar[bool] = True
    """Whether it weights losses, and no gradients of the representation."""
    agrm: AGRM

    def init_param(self) -> None:
        """Allocate the state, so that a saved one loads into a new model."""
        if self.rep_grad and self.weights_losses:
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

    def build(self, weight_args: Mapping[str, Any]) -> AGRM:
        """Build the weighting; a ValueError says which options there are."""
        options = {self.prefix + name: name for name in OPTIONS.get(self.prefix, ())}
        known = [*options, *(self.own_options or ())]
        unknown = [name for name in weight_args if name not in known]
        if self.own_options is None:
            unknown = [name for name in unknown if name.startswith(self.prefix)]
        require(not unknown, 'weight_args', f'hold {", ".join(known) or "nothing"}', weight_args)
        num_groups = min(DEFAULTS['num_groups'], self.task_num) if options else self.task_num
        given = {name: weight_args.get(key) for key, name in options.items()}
        given = {name: value for name, value in given.items() if value is not None}
        return self.method(
            self.task_num, task_names=self.task_name, **{'num_groups': num_groups, **given}
        )

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

    method, prefix = GO4AlignWeighting, GO4ALIGN


def inverse_loss(losses: Tensor) -> Tensor:
    """Invert each loss; 0 for a task that is absent."""
    return torch.where(losses > 0, losses.reciprocal(), 0.0)


class SI(LossWeighting):
    """Scale-invariant weighting: the sum of the logarithms of the losses. It has no options.

    That is AGRM without grouping, with the inverse loss as indicator: absent tasks and non-finite
    losses are treated as in AGRM.
    """

    method, prefix = staticmethod(partial(AGRM, indicator=inverse_loss)), 'SI_'


class AGRM_SI(SI):
    """SI under AGRM (``AGRM_num_groups``, ``AGRM_grouping``): the inverse losses are grouped."""

    prefix = GROUPED


OWN: dict[str, type[AGRMWeighting]] = {'GO4Align': GO4Align, 'SI': SI, 'AGRM_SI': AGRM_SI}
"""The strategies that LibMTL does not have."""
