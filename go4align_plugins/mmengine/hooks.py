"""GO4Align by a hook, for configs that inherit their `optim_wrapper` and cannot name another."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from go4align_plugins.mmengine.optim_wrapper import GO4AlignAmpOptimWrapper, GO4AlignOptimWrapper

WEIGHTED: dict[type, type[GO4AlignOptimWrapper]] = {
    OptimWrapper: GO4AlignOptimWrapper,
    AmpOptimWrapper: GO4AlignAmpOptimWrapper,
}


@HOOKS.register_module()
class GO4AlignHook(Hook):
    """Makes the optimizer wrapper of a config a :class:`GO4AlignOptimWrapper` before training.

    Two bases of one config may not set the same key, so that a base cannot exchange the
    ``optim_wrapper`` of another; a hook can. Whatever the config says of the optimizer, clipping,
    accumulation and mixed precision stays as it is, and so does ``--amp`` of the libraries' tools.

    Args:
        **options: those of :class:`GO4AlignOptimWrapper` that concern the weighting:
            ``num_groups``, ``step_size``, ``tasks``, ``grouping``, ``risk_scale``,
            ``scale_balance``, ``smooth_alignment``.

    Example:
        >>> custom_hooks = [dict(type='GO4AlignHook', num_groups=2)]
    """

    # Before other hooks look at the wrapper.
    priority = 'VERY_HIGH'

    def __init__(self, **options: Any) -> None:
        self.options = options

    def before_run(self, runner: Runner) -> None:
        """Exchange the wrapper, if there is to be training.

        Raises:
            ValueError: if it is another than ``OptimWrapper`` and ``AmpOptimWrapper``, or an option
                is out of its range.
        """
        wrapper = runner.optim_wrapper
        if wrapper is None or isinstance(wrapper, dict):
            # Validation or test alone: no wrapper is built.
            return
        if type(wrapper) not in WEIGHTED:
            raise ValueError(
                'Parameter `optim_wrapper` should be of type `OptimWrapper` or `AmpOptimWrapper` '
                f'for `GO4AlignHook`. Found `{type(wrapper).__name__}`.'
            )
        WEIGHTED[type(wrapper)].adopt(wrapper, **self.options)
