"""Training, testing and inference, behind the tools and for programs."""

from go4align_plugins.mmseg.apis.inferencer import MTLInferencer
from go4align_plugins.mmseg.apis.launch import add_launch_options, load_config

__all__ = ['MTLInferencer', 'add_launch_options', 'load_config']
