"""CityScapes' official label ids: their classes, and how to tell them from train ids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from go4align_plugins.data.table import CITYSCAPES_CLASSES
from go4align_plugins.data.units import Other, describe

# Official label ids 7 to 33: how many consecutive ones each category has, in the order of the
# categories, and the ids of the 19 classes of the official evaluation. Ids 0 to 6 are void, up to 3
# the own car and the image's border.
LAST_BORDER_ID, FIRST_ID, LAST_ID, MINUS_ONE = 3, 7, 33, 255
CATEGORY_COUNTS = (4, 6, 4, 2, 1, 2, 8)
EVALUATED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LAST_TRAIN_ID = len(EVALUATED_IDS) - 1


@lru_cache(maxsize=2)
def label_classes(num_classes: int) -> np.ndarray:
    """(256,) int64: the class of each official label id; -1 for those that have none.

    Args:
        num_classes: 7, the categories, or 19, the classes of the official evaluation.

    Raises:
        ValueError: if it is another number.
    """
    classes = np.full(256, -1)
    if num_classes == len(CITYSCAPES_CLASSES):
        categories = np.repeat(np.arange(num_classes), CATEGORY_COUNTS)
        classes[FIRST_ID : FIRST_ID + len(categories)] = categories
    elif num_classes == len(EVALUATED_IDS):
        classes[list(EVALUATED_IDS)] = np.arange(num_classes)
    else:
        raise ValueError(
            f'Parameter `num_classes` should be 7 or 19. Found `num_classes = {num_classes}`.'
        )
    return classes


def find_label_problem(labels: Sequence[np.ndarray]) -> str | None:
    """The problem of labels that are no label ids; None if there is none.

    Nearly every frame of label ids has some above 18: vegetation, sky, people, cars. In a frame
    without them 255 is no licence plate (-1), but the void of train ids. Without 255 it takes
    several frames in which road (7) is rarer than what nobody labelled (0): there 0 is road.

    Args:
        labels: (H, W) uint8 each, of one frame or several.
    """
    last = LAST_TRAIN_ID + (len(labels) > 1)  # void may be one behind the classes
    if not labels or last < max(label.max() for label in labels) <= LAST_ID:
        return None
    counts = np.sum([np.bincount(label.ravel(), minlength=256) for label in labels], axis=0)
    largest = max(np.flatnonzero(counts[:MINUS_ONE]), default=0)
    if last < largest <= LAST_ID:
        return None
    if largest > LAST_ID:
        kind = 'other labels'
    elif counts[MINUS_ONE]:
        kind = 'train ids, of which 255 is void'
    elif len(labels) > 1 and largest > LAST_BORDER_ID and counts[FIRST_ID] < 2 * counts[0]:
        kind = 'train ids, of which 0 is road'
    else:
        return None
    mend = 'use the official *_gtFine_labelIds.png; *_gtFine_labelTrainIds.png are not used'
    found = f'values up to {largest}{describe(Other(kind, mend))}'
    return f'labels should be the official label ids, -1 to {LAST_ID}. Found {found}'
