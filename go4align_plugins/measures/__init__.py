"""Losses, metrics and scores, the same in every host; needs torch alone."""

from go4align_plugins.measures.losses import (
    attribute_loss,
    depth_loss,
    normal_loss,
    regression_loss,
    segmentation_loss,
)
from go4align_plugins.measures.metrics import (
    AttributeMetric,
    DepthMetric,
    Metric,
    NormalMetric,
    RegressionMetric,
    SegmentationMetric,
)
from go4align_plugins.measures.scores import delta_m, libmtl_improvement, mean_rank

__all__ = ['AttributeMetric', 'DepthMetric', 'Metric', 'NormalMetric', 'RegressionMetric']
__all__ += ['SegmentationMetric', 'attribute_loss', 'delta_m', 'depth_loss', 'libmtl_improvement']
__all__ += ['mean_rank', 'normal_loss', 'regression_loss', 'segmentation_loss']
