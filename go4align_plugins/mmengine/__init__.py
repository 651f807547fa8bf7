"""The plug into MMEngine: name a wrapper in `optim_wrapper` and any model trains with GO4Align.

Or with any weighting strategy of LibMTL's, where that is installed: `LibMTLOptimWrapper`.
Importing this package registers the wrappers, and hooks for configs that inherit theirs, in
MMEngine's root registry, where every OpenMMLab library finds them by their bare names. It also
mends what today's torch and mmcv-lite break (`compat`).
"""

from go4align_plugins.mmengine.compat import allow_checkpoints, provide_mmcv_operations

# First of all: the imports below must already find what is missing.
allow_checkpoints()
provide_mmcv_operations()

from go4align_plugins.mmengine.hooks import GO4AlignHook, LibMTLHook  # noqa: E402
from go4align_plugins.mmengine.libmtl_bridge import LibMTLOptimWrapper  # noqa: E402
from go4align_plugins.mmengine.optim_wrapper import (  # noqa: E402
    GO4AlignAmpOptimWrapper,
    GO4AlignOptimWrapper,
)
from go4align_plugins.mmengine.saving import SafeCheckpointHook  # noqa: E402
from go4align_plugins.mmengine.seeding import EpochSeedHook, seed_worker  # noqa: E402

__all__ = [
    'EpochSeedHook',
    'GO4AlignAmpOptimWrapper',
    'GO4AlignHook',
    'GO4AlignOptimWrapper',
    'LibMTLHook',
    'LibMTLOptimWrapper',
    'SafeCheckpointHook',
    'allow_checkpoints',
    'provide_mmcv_operations',
    'seed_worker',
]
