"""Hooks that set the weighting of a config that inherits its `optim_wrapper`."""

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
    """Converts the optimizer wrapper of a config to one that weighs tasks, before training.

    Two bases of one config may not set the same key, so that a base cannot replace the
    ``optim_wrapper`` of another; a hook can. The config's optimizer, clipping and schedule stay.

    Args:
        **options: options of the new wrapper that concern the weighting.
    """

    # Before other hooks look at the wrapper.
    priority = 'VERY_HIGH'
    wrappers: ClassVar[Mapping[type[OptimWrapper], type[TaskOptimWrapper]]]
    """Type of a config's wrapper -> the type that it is converted to."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def before_run(self, runner: Runner) -> None:
        """Convert the wrapper, if there is to be training.

        Raises:
            ValueError: if the wrapper is of another type, or an option is out of its range.
            ImportError: if the weighting needs a package that is not installed.
        """
        wrapper = runner.optim_wrapper
        if wrapper is None or isinstance(wrapper, dict):
            # Validation or test alone: no wrapper is built.
            return
        if type(wrapper) not in self.wrappers:
            known = ' or '.join(f'`{known.__name__}`' for known in self.wrappers)
            raise ValueError(
                f'Parameter `optim_wrapper` should be of type {known} for '
                f'`{type(self).__name__}`. Found `{type(wrapper).__name__}`.'
            )
        self.wrappers[type(wrapper)].convert(wrapper, **self.options)


@HOOKS.register_module()
class GO4AlignHook(WeightingHook):
    """Converts the optimizer wrapper of a config to a :class:`GO4AlignOptimWrapper`.

    Accumulation and mixed precision stay as they are, and so does ``--amp`` of the libraries'
    tools.

    Args:
        **options: ``tasks`` and GO4Align's options, see :class:`GO4AlignOptimWrapper`.

    Example:
        >>> custom_hooks = [dict(type='GO4AlignHook', num_groups=2)]
    """

    wrappers: ClassVar = {
        OptimWrapper: GO4AlignOptimWrapper,
        AmpOptimWrapper: GO4AlignAmpOptimWrapper,
    }


@HOOKS.register_module()
class LibMTLHook(WeightingHook):
    """Converts the optimizer wrapper of a config to a :class:`LibMTLOptimWrapper`.

    An epoch is one pass over the training data, also in a training by iterations.

    Args:
        **options: ``tasks`` and the strategy's options, see :class:`LibMTLOptimWrapper`.

    Example:
        >>> custom_hooks = [dict(type='LibMTLHook', weighting='CAGrad')]
    """

    wrappers: ClassVar = {OptimWrapper: LibMTLOptimWrapper}

    def before_run(self, runner: Runner) -> None:
        """Convert the wrapper as :class:`WeightingHook` does; mixed precision is refused."""
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, AmpOptimWrapper):
            raise ValueError(
                'Parameter `optim_wrapper` should be of type `OptimWrapper` for `LibMTLHook`: '
                "LibMTL's strategies compare gradients, which mixed precision scales. Found "
                f'`{type(wrapper).__name__}`.'
            )
        if isinstance(wrapper, OptimWrapper):
            self.options.setdefault('epoch_length', len(runner.train_dataloader))
        super().before_run(runner)
