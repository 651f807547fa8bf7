"""The plug into LibMTL: importing it registers GO4Align (and SI) as weighting strategies.

>>> import go4align_plugins.libmtl
>>> import LibMTL
>>> LibMTL.weighting.GO4Align.__name__
'GO4Align'
"""

from go4align_plugins.libmtl.registration import register
from go4align_plugins.libmtl.strategies import SI, GO4Align
from go4align_plugins.libmtl.trainer import Trainer

__all__ = ['SI', 'GO4Align', 'Trainer', 'register']

register()
