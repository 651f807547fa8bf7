"""Pictures of multi-task predictions, in mmseg's registries."""

from go4align_plugins.mmseg.visualization.hook import MTLVisualizationHook
from go4align_plugins.mmseg.visualization.visualizer import MTLVisualizer

__all__ = ['MTLVisualizationHook', 'MTLVisualizer']
