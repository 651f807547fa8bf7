"""Changes of the image alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmseg.datasets.transforms import PhotoMetricDistortion
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MTLPhotoMetricDistortion(PhotoMetricDistortion):
    """mmseg's ``PhotoMetricDistortion``, for an image of any type with values from 0 to 255.

    mmseg's own expects uint8: of a float image it rounds the saturation, a share, to 0 or 1, which
    leaves one frame in a few without its colours.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Distort the image, which is uint8 afterwards; the targets stay as they are."""
        results['img'] = np.rint(results['img']).clip(0, 255).astype(np.uint8)
        return super().transform(results)
