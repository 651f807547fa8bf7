"""Random seeds that a resumed run has in common with an uninterrupted one.

MMEngine saves no generator's state: dropout and augmentation of a resumed run differ from an
uninterrupted one. They are equal where every epoch begins with a seed of its own.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS, HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds the global random generators at each epoch, from the run's seed, rank and epoch.

    In a training by iterations every iteration has a seed of its own; its data is the same after a
    resume if workers read it. See :func:`seed_worker` for these.
    """

    # Before a loader is asked for its first batch, and other hooks draw.
    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed an epoch."""
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
    np.random.seed(seed)  # noqa: NPY002


def _seed(*numbers: int) -> None:
    """Seed all global generators by numbers that may differ by one only."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (the global one is what transforms draw from)
    torch.manual_seed(seed)
