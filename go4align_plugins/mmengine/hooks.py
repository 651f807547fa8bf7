"""Weighting by a hook, for configs that inherit their `optim_wrapper` and cannot name another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from go4align_plugins.mmengine.libmtl_bridge import LibMTLOptimWrapper
from go4align_plugins.mmengine.optim_wrapper import GO4AlignAmpOptimWrapper, GO4AlignOptimWrapper
from go4align_plugins.mmengine.task_wrapper import TaskOptimWrapper


class WeightingHook(Hook):
    """Makes the optimizer wrapper of a config one that weighs tasks, before training.

    Two bases of one config may not set the same key, so that a base cannot exchange the
    ``optim_wrapper`` of another; a hook can. Whatever the config says of the optimizer, clipping
    and its schedule stays as it is.

    Args:
        **options: those of the wrapper that concern the weighting.
    """

    # Before other hooks look at the wrapper.
    priority = 'VERY_HIGH'
    weighted: ClassVar[Mapping[type[OptimWrapper], type[TaskOptimWrapper]]]
    """What each wrapper becomes."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def before_run(self, runner: Runner) -> None:
        """Exchange the wrapper, if there is to be training.

        Raises:
            ValueError: if it is of another type than this hook knows, or an option is out of its
                range.
        """
        wrapper = runner.optim_wrapper
        if wrapper is None or isinstance(wrapper, dict):
            # Validation or test alone: no wrapper is built.
            return
        if type(wrapper) not in self.weighted:
            known = ' or '.join(f'`{kind.__name__}`' for kind in self.weighted)
            raise ValueError(
                f'Parameter `optim_wrapper` should be of type {known} for '
                f'`{type(self).__name__}`. Found `{type(wrapper).__name__}`.'
            )
        self.weighted[type(wrapper)].adopt(wrapper, **self.options)


@HOOKS.register_module()
class GO4AlignHook(WeightingHook):
    """Makes the optimizer wrapper of a config a :class:`GO4AlignOptimWrapper` before training.

    Accumulation and mixed precision stay as they are, and so does ``--amp`` of the libraries'
    tools.

    Args:
        **options: those of :class:`GO4AlignOptimWrapper` that concern the weighting:
            ``num_groups``, ``step_size``, ``tasks``, ``grouping``, ``risk_scale``,
            ``scale_balance``, ``smooth_alignment``.

    Example:
        >>> custom_hooks = [dict(type='GO4AlignHook', num_groups=2)]
    """

    weighted: ClassVar = {
        OptimWrapper: GO4AlignOptimWrapper,
        AmpOptimWrapper: GO4AlignAmpOptimWrapper,
    }


@HOOKS.register_module()
class LibMTLHook(WeightingHook):
    """Makes the optimizer wrapper of a config a :class:`LibMTLOptimWrapper` before training.

    An epoch is one pass over the training data, in a training by iterations, too.

    Args:
        **options: those of :class:`LibMTLOptimWrapper` that concern the weighting: ``weighting``,
            ``weight_args``, ``shared``, ``tasks``, ``epoch_length``.

    Example:
        >>> custom_hooks = [dict(type='LibMTLHook', weighting='CAGrad')]
    """

    weighted: ClassVar = {OptimWrapper: LibMTLOptimWrapper}

    def before_run(self, runner: Runner) -> None:
        """Exchange the wrapper, if there is to be training.

        Raises:
            ImportError: if LibMTL is not installed; the message names the extra.
            ValueError: if it is another than ``OptimWrapper``, or an option is out of its range.
        """
        if isinstance(runner.optim_wrapper, AmpOptimWrapper):
            raise ValueError(
                'Parameter `optim_wrapper` should be of type `OptimWrapper` for `LibMTLHook`: '
                "LibMTL's strategies compare gradients, which mixed precision scales. Found "
                f'`{type(runner.optim_wrapper).__name__}`.'
            )
        if isinstance(runner.optim_wrapper, OptimWrapper):
            self.options.setdefault('epoch_length', len(runner.train_dataloader))
        super().before_run(runner)
