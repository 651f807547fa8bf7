"""Metrics, delta_m and the record of a run, the same figures as on LibMTL's side."""

from go4align_plugins.mmseg.evaluation.metrics import (
    MTLDeltaM,
    MTLDepthMetric,
    MTLMetric,
    MTLNormalMetric,
    MTLSegmentationMetric,
)
from go4align_plugins.mmseg.evaluation.run_folder_hook import RunFolderHook

__all__ = ['MTLDeltaM', 'MTLDepthMetric', 'MTLMetric', 'MTLNormalMetric', 'MTLSegmentationMetric']
__all__ += ['RunFolderHook']
