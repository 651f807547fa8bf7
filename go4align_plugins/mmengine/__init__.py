"""The plug into MMEngine: name a wrapper in `optim_wrapper` and any model trains with GO4Align.

`LibMTLOptimWrapper` does the same with any weighting strategy of LibMTL. Importing this package
registers the wrappers and hooks in MMEngine's root registry, where every OpenMMLab library finds
them by their bare names, and applies the repairs in `compat`.
"""
# ruff: noqa: E402

from go4align_plugins.mmengine.compat import allow_checkpoints, provide_mmcv_operations

# Before the imports below, which need them.
allow_checkpoints()
provide_mmcv_operations()

from go4align_plugins.mmengine.hooks import EpochSeedHook, GO4AlignHook, LibMTLHook, seed_worker
from go4align_plugins.mmengine.libmtl_bridge import LibMTLOptimWrapper
from go4align_plugins.mmengine.optim_wrapper import GO4AlignAmpOptimWrapper, GO4AlignOptimWrapper
from go4align_plugins.mmengine.saving import SafeCheckpointHook

__all__ = ['EpochSeedHook', 'GO4AlignAmpOptimWrapper', 'GO4AlignHook', 'GO4AlignOptimWrapper']
__all__ += ['LibMTLHook', 'LibMTLOptimWrapper', 'SafeCheckpointHook', 'allow_checkpoints']
__all__ += ['provide_mmcv_operations', 'seed_worker']
