"""Small frames on disk, written by hand, rendered, or in CityScapes' official tree."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIZE = (8, 12)


def make_frame(seed, size=SIZE, streets=False):
    """A random frame of rooms in MTAN's layout, with pixels of which nothing is known."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(*size, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    frame = {
        'image': rng.uniform(size=(*size, 3)).astype(np.float32),
        'label': rng.integers(0, 13, size).astype(np.float32),
        'depth': rng.uniform(1, 9, (*size, 1)).astype(np.float32),
        'normal': normal.astype(np.float32),
    }
    frame['label'][0, 1] = -1
    frame['depth'][1, 2] = 0
    frame['normal'][2, 3] = 0
    if streets:
        del frame['normal']
        frame['label'] = np.minimum(frame['label'], 6)
        frame['depth'] /= 20  # inverse depth is at most 1
    return frame


def write_frame(root, split, index, frame):
    for name, array in frame.items():
        folder = root / split / name
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f'{index}.npy', array)


def write_frames(root, counts, size=SIZE, streets=False):
    for split, count in counts.items():
        for index in range(count):
            write_frame(root, split, index, make_frame(10 * index + len(split), size, streets))
    return root


def write_official(root, split='train', count=2):
    """CityScapes' official tree with images of 16 x 24 pixels."""
    rng = np.random.default_rng(0)
    for index in range(count):
        name = f'aachen_{index:06}_000019'
        arrays = {
            'leftImg8bit': rng.integers(0, 256, (16, 24, 3), np.uint8),
            'gtFine_labelIds': rng.integers(0, 34, (16, 24), np.uint8),
            'disparity': rng.integers(0, 32000, (16, 24), np.uint16),
        }
        for ending, array in arrays.items():
            folder = root / ending.partition('_')[0]
            path = folder / split / 'aachen' / f'{name}_{ending}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return root
