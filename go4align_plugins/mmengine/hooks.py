"""Hooks that weigh the tasks of a config, and that seed its random generators."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import FUNCTIONS, HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed

from go4align_plugins.mmengine.libmtl_bridge import LibMTLOptimWrapper
from go4align_plugins.mmengine.optim_wrapper import GO4AlignAmpOptimWrapper, GO4AlignOptimWrapper
from go4align_plugins.utils.options import require


class WeightingHook(Hook):
    """Converts the optimizer wrapper of a config to one that weighs tasks, before training.

    Two bases of one config may not set the same key, so that a base cannot replace the
    ``optim_wrapper`` of another; a hook can. The config's optimizer, clipping and schedule stay.
    """

    priority = 'VERY_HIGH'  # before other hooks look at the wrapper
    wrappers: ClassVar[dict[type, type]]
    """Type of a config's wrapper -> the type that it is converted to."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def before_run(self, runner: Runner) -> None:
        """Convert the wrapper; a ValueError if it is of another type."""
        wrapper = runner.optim_wrapper
        if wrapper is None or isinstance(wrapper, dict):  # not built: no training
            return
        known = ' or '.join(f'`{kind.__name__}`' for kind in self.wrappers)
        rule = f'be of type {known} for `{type(self).__name__}`'
        require(type(wrapper) in self.wrappers, 'optim_wrapper', rule, type(wrapper).__name__)
        # In place: learning rate schedulers hold the wrapper.
        wrapper.__class__ = self.wrappers[type(wrapper)]
        wrapper.configure(**self.options)


@HOOKS.register_module()
class GO4AlignHook(WeightingHook):
    """Converts the optimizer wrapper of a config to a :class:`GO4AlignOptimWrapper`.

    Accumulation and mixed precision (``--amp`` of the libraries' tools) stay as they are.

    Args:
        **options: ``tasks`` and GO4Align's options, see :class:`GO4AlignOptimWrapper`.

    Example:
        >>> custom_hooks = [dict(type='GO4AlignHook', num_groups=2)]
    """

    wrappers = {OptimWrapper: GO4AlignOptimWrapper, AmpOptimWrapper: GO4AlignAmpOptimWrapper}


@HOOKS.register_module()
class LibMTLHook(WeightingHook):
    """Converts the optimizer wrapper of a config to a :class:`LibMTLOptimWrapper`.

    An epoch is one pass over the training data, also in a training by iterations. Mixed precision
    is refused: LibMTL's strategies compare gradients, which it scales.

    Args:
        **options: ``tasks`` and the strategy's options, see :class:`LibMTLOptimWrapper`.

    Example:
        >>> custom_hooks = [dict(type='LibMTLHook', weighting='CAGrad')]
    """

    wrappers = {OptimWrapper: LibMTLOptimWrapper}

    def before_run(self, runner: Runner) -> None:
        """Convert the wrapper as :class:`WeightingHook` does, by the passes over the data."""
        if type(runner.optim_wrapper) is OptimWrapper:
            self.options.setdefault('epoch_length', len(runner.train_dataloader))
        super().before_run(runner)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds the global random generators at each epoch, from the run's seed, rank and epoch.

    MMEngine saves no generator's state: only so a resumed run equals an uninterrupted one. In a
    training by iterations each has a seed; its data is the same after a resume if workers, seeded
    by :func:`seed_worker`, read it.
    """

    priority = 'VERY_HIGH'  # before a loader is asked for its first batch, and other hooks draw

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed an epoch, where there are any."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            _seed(runner.seed, get_rank(), runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed an iteration, where there are no epochs."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            _seed(runner.seed, get_rank(), runner.iter)


@FUNCTIONS.register_module()
def seed_worker(worker_id: int, **_: Any) -> None:
    """Seed a worker that reads data: ``worker_init_fn=dict(type='seed_worker')`` of a loader.

    torch draws a new seed for every worker and epoch; here all generators follow it. MMEngine's own
    function begins every epoch with the same one. Workers that outlive an epoch
    (``persistent_workers=True``) keep their generators: leave them off for runs to resume exactly.

    Args:
        worker_id: its number; torch's seed includes it.
    """
    seed = torch.initial_seed() % 2**32
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (the global one is what transforms draw from)


def _seed(*numbers: int) -> None:
    """Seed all global generators by numbers that may differ by one only."""
    set_random_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
