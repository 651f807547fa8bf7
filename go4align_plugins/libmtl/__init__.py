"""The plug into LibMTL: importing it registers weighting strategies.

They are GO4Align, SI, and ``AGRM_<name>`` for each of LibMTL's own that AGRM can group.

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
