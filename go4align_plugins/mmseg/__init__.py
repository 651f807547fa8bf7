"""Multi-task dense prediction in MMSegmentation: segmentation, depth and surface normals at once.

In a config, ``custom_imports = dict(imports=['go4align_plugins.mmseg'],
allow_failed_imports=False)`` registers everything: GO4Align's optimizer wrappers, and the parts of
this package.
"""

# ruff: noqa: E402

from go4align_plugins.utils.optional import import_optional

import_optional('mmseg', 'mmseg', 'Models of MMSegmentation')

# First of all: it mends modules that the rest of mmseg needs.
import go4align_plugins.mmengine  # noqa: F401
from go4align_plugins.mmseg import datasets, evaluation, models, visualization  # noqa: F401
