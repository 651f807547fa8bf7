"""GO4Align (NeurIPS 2024) for LibMTL, MMEngine and MMSegmentation.

Importing this package needs torch alone; each framework has a plug of its own
(:mod:`go4align_plugins.libmtl`), imported where it is used.
"""

__version__ = '0.1.0'
