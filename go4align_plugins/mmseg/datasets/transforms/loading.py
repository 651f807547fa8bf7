"""From a frame on disk to the keys that MMSegmentation's transforms work on."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from go4align_plugins.tasks import MAPS

IGNORED = 255
"""mmseg's label for pixels without one."""


@TRANSFORMS.register_module()
class LoadMTLFrame(BaseTransform):
    """Reads a frame of an :class:`MTLDataset`: the image and the targets of all its tasks.

    The image is as mmseg's own loader would give it, so that the usual ``mean``, ``std`` and
    ``bgr_to_rgb=True`` of the data preprocessor are right: channels in the order blue, green, red,
    from 0 to 255. On disk it is RGB in [0, 1].

    Added keys:
        - ``img`` (H, W, 3) float32; ``img_shape`` and ``ori_shape`` (H, W).
        - ``gt_seg_map`` (H, W) uint8; 255 is no label (-1 on disk).
        - ``gt_depth_map`` (H, W) float32; 0 is no measurement.
        - ``gt_normal_map`` (H, W, 3) float32; 0 is no normal.
        - ``seg_fields``: the targets, which mmseg's transforms treat as they treat a label map.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the frame.

        Raises:
            ValueError: if a file cannot be read or breaks a rule of the layout.
        """
        # The reader is of no use later on, and others copy the results.
        frame = results.pop('frames').read(results['frame'])
        results['img'] = np.ascontiguousarray(frame['image'][..., ::-1]) * np.float32(255)
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        for task, kind in MAPS.items():
            if task in frame:
                array = frame[task]
                if kind.has_classes:
                    array = _choose_classes(array, results['label_map'])
                results[kind.array] = array[..., 0] if array.shape[2:] == (1,) else array
                results['seg_fields'].append(kind.array)
        return results


def _choose_classes(label: np.ndarray, label_map: dict[int, int] | None) -> np.ndarray:
    """Labels in mmseg's form: (H, W) uint8, mapped to the classes chosen by ``metainfo``."""
    table = np.arange(IGNORED + 1, dtype=np.uint8)
    for old, new in (label_map or {}).items():
        table[old] = new
    # -1 takes the table's last entry, 255.
    return table[label]
