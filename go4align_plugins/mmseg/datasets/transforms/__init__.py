"""Transforms under names of their own: mmseg's would leave depth or normals wrong."""

from go4align_plugins.mmseg.datasets.transforms.formatting import PackMTLInputs
from go4align_plugins.mmseg.datasets.transforms.geometry import (
    MTLRandomCrop,
    MTLRandomFlip,
    MTLResize,
    MTLScaleCrop,
)
from go4align_plugins.mmseg.datasets.transforms.loading import LoadMTLFrame
from go4align_plugins.mmseg.datasets.transforms.photometric import MTLPhotoMetricDistortion

__all__ = [
    'LoadMTLFrame',
    'MTLPhotoMetricDistortion',
    'MTLRandomCrop',
    'MTLRandomFlip',
    'MTLResize',
    'MTLScaleCrop',
    'PackMTLInputs',
]
