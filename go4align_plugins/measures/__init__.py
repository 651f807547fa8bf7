"""Losses, metrics and scores of dense prediction, the same in every host; needs torch alone."""

from go4align_plugins.measures.losses import LOSSES, depth_loss, normal_loss, segmentation_loss
from go4align_plugins.measures.metrics import (
    DepthMetric,
    Metric,
    NormalMetric,
    SegmentationMetric,
    build_metric,
)
from go4align_plugins.measures.scores import delta_m, libmtl_improvement, mean_rank

__all__ = [
    'LOSSES',
    'DepthMetric',
    'Metric',
    'NormalMetric',
    'SegmentationMetric',
    'build_metric',
    'delta_m',
    'depth_loss',
    'libmtl_improvement',
    'mean_rank',
    'normal_loss',
    'segmentation_loss',
]
