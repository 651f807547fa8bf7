"""Models for multi-task dense prediction, in mmseg's registry."""

from go4align_plugins.mmseg.models.parts import (
    DepthHead,
    MapHead,
    MTLDataPreProcessor,
    MTLSegNet,
    NormalHead,
)
from go4align_plugins.mmseg.models.segmentor import MultiTaskSegmentor

__all__ = ['DepthHead', 'MTLDataPreProcessor', 'MTLSegNet', 'MapHead', 'MultiTaskSegmentor']
__all__ += ['NormalHead']
