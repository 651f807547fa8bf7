"""Models for multi-task dense prediction, in mmseg's registry."""

from go4align_plugins.mmseg.models.encoding import MTLDataPreProcessor, MTLSegNet
from go4align_plugins.mmseg.models.heads import DepthHead, MapHead, NormalHead
from go4align_plugins.mmseg.models.segmentor import MultiTaskSegmentor

__all__ = ['DepthHead', 'MTLDataPreProcessor', 'MTLSegNet', 'MapHead', 'MultiTaskSegmentor']
__all__ += ['NormalHead']
