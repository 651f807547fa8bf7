"""The method: losses (M,) -> indicator -> groups -> weights (M,). Needs torch alone."""

from go4align_plugins.weighting.agrm import AGRM, GO4Align
from go4align_plugins.weighting.groupings import (
    GROUPINGS,
    KMeansPytorch,
    SemidefiniteKMeans,
    Spectral,
    get_grouping,
)
from go4align_plugins.weighting.indicators import RiskGuidedIndicator
from go4align_plugins.weighting.kmeans import kmeans_1d

__all__ = ['AGRM', 'GROUPINGS', 'GO4Align', 'KMeansPytorch', 'RiskGuidedIndicator']
__all__ += ['SemidefiniteKMeans', 'Spectral', 'get_grouping', 'kmeans_1d']
