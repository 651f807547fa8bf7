"""Multi-task dense prediction in MMSegmentation: segmentation, depth and surface normals at once.

In a config, ``custom_imports = dict(imports=['go4align_plugins.mmseg'],
allow_failed_imports=False)`` registers everything: GO4Align's optimizer wrappers, and the parts of
this package.
"""

# First of all: it mends what importing mmseg needs.
import go4align_plugins.mmengine  # noqa: I001

import go4align_plugins.mmseg.datasets
import go4align_plugins.mmseg.evaluation
import go4align_plugins.mmseg.models
import go4align_plugins.mmseg.visualization  # noqa: F401
