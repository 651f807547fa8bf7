"""The benchmarks as MMSegmentation's data sets, and transforms that keep all targets right."""

from go4align_plugins.mmseg.datasets.mtl_dataset import (
    MTLCityscapesDataset,
    MTLDataset,
    MTLNYUv2Dataset,
)
from go4align_plugins.mmseg.datasets.transforms import (
    LoadMTLFrame,
    MTLPhotoMetricDistortion,
    MTLRandomCrop,
    MTLRandomFlip,
    MTLResize,
    MTLScaleCrop,
    PackMTLInputs,
)

__all__ = ['LoadMTLFrame', 'MTLCityscapesDataset', 'MTLDataset', 'MTLNYUv2Dataset']
__all__ += ['MTLPhotoMetricDistortion', 'MTLRandomCrop', 'MTLRandomFlip', 'MTLResize']
__all__ += ['MTLScaleCrop', 'PackMTLInputs']
