"""Multi-task dense prediction in MMSegmentation: segmentation, depth and surface normals at once.

In a config, ``custom_imports = dict(imports=['go4align_plugins.mmseg'],
allow_failed_imports=False)`` registers everything: GO4Align's optimizer wrappers, and the parts of
this package.
"""

try:
    import mmseg  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f'go4align_plugins.mmseg needs {error.name}, which is not installed: '
        'pip install "go4align-plugins[mmseg]"'
    ) from error

# First of all: it mends modules that the rest of mmseg needs.
import go4align_plugins.mmengine  # noqa: F401
from go4align_plugins.mmseg import datasets, evaluation, models, visualization  # noqa: F401
