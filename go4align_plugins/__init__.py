"""GO4Align (NeurIPS 2024) for LibMTL, MMEngine and MMSegmentation.

Importing this package needs torch alone; each framework has a plug of its own
(:mod:`go4align_plugins.libmtl`), imported where it is used.
"""

from go4align_plugins.weighting import AGRM, GO4Align

__version__ = '0.1.0'

__all__ = ['AGRM', 'GO4Align', '__version__']
