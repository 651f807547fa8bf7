"""Small files in the structure of NYUv2's official one."""

from __future__ import annotations

import h5py
import numpy as np

from go4align_plugins.data.conversion import nyuv2

from .test_normals import plane_depth

# Official numbers 1 and 2 are for testing, 3 to 6 for training.
NORMALS = [(0, 0, -1), (0.6, 0, -0.8), (-0.6, 0, -0.8), (0, -0.6, -0.8), (0, 0.6, -0.8), (0, 0, -1)]


def write_mat(path, images, depths, labels):
    with h5py.File(path, 'w') as file:
        file['images'] = np.ascontiguousarray(images.transpose(0, 3, 2, 1))
        file['depths'] = np.ascontiguousarray(depths.transpose(0, 2, 1).astype(np.float32))
        file['labels'] = np.ascontiguousarray(labels.transpose(0, 2, 1).astype(np.uint16))


def write_planes(path):
    """Six planes in the official structure, a quarter of the official size."""
    depths = np.stack([plane_depth(normal, 2) for normal in NORMALS])
    images = np.zeros((6, 120, 160, 3), np.uint8)
    images[:, :60, :80] = [255, 0, 51]
    labels = np.full((6, 120, 160), 21)
    labels[:, :60, :80] = 157
    labels[:, 60:, 80:] = 0
    write_mat(path, images, depths, labels)


def convert_mat(mat, out, **options):
    return nyuv2.convert(mat, out, (60, 80), workers=1, progress=False, **options)
