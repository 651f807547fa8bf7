"""The benchmarks as MMSegmentation's data sets, and transforms that keep all targets right."""

from go4align_plugins.mmseg.datasets.mtl_cityscapes import MTLCityscapesDataset
from go4align_plugins.mmseg.datasets.mtl_dataset import MTLDataset
from go4align_plugins.mmseg.datasets.mtl_nyuv2 import MTLNYUv2Dataset
from go4align_plugins.mmseg.datasets.transforms import (
    LoadMTLFrame,
    MTLPhotoMetricDistortion,
    MTLRandomCrop,
    MTLRandomFlip,
    MTLResize,
    MTLScaleCrop,
    PackMTLInputs,
)

__all__ = [
    'LoadMTLFrame',
    'MTLCityscapesDataset',
    'MTLDataset',
    'MTLNYUv2Dataset',
    'MTLPhotoMetricDistortion',
    'MTLRandomCrop',
    'MTLRandomFlip',
    'MTLResize',
    'MTLScaleCrop',
    'PackMTLInputs',
]
