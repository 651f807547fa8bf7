"""Losses, metrics and scores, the same in every host; needs torch alone."""

from go4align_plugins.measures.losses import (
    LOSSES,
    attribute_loss,
    depth_loss,
    normal_loss,
    regression_loss,
    segmentation_loss,
)
from go4align_plugins.measures.metrics import (
    DepthMetric,
    Metric,
    NormalMetric,
    SegmentationMetric,
)
from go4align_plugins.measures.scores import delta_m, libmtl_improvement, mean_rank
from go4align_plugins.measures.values import AttributeMetric, RegressionMetric

__all__ = [
    'LOSSES',
    'AttributeMetric',
    'DepthMetric',
    'Metric',
    'NormalMetric',
    'RegressionMetric',
    'SegmentationMetric',
    'attribute_loss',
    'delta_m',
    'depth_loss',
    'libmtl_improvement',
    'mean_rank',
    'normal_loss',
    'regression_loss',
    'segmentation_loss',
]
