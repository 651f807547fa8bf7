"""Frames by way of the hosts: LibMTL's loaders, MMSegmentation's data set, and inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from .containers import picture
from .frames import npy, png_file, write_frame
from .target import Target
from .values import damaged


def check_libmtl(value: tuple[tuple[str, bytes], str, bool, int], folder: Path) -> None:
    """A frame comes whole to a training, of either split; or is refused, as by the check."""
    from go4align_plugins.benchmarks import get_benchmark
    from go4align_plugins.benchmarks.layouts import check
    from go4align_plugins.libmtl.data import build_loaders

    (part, content), split, augmented, seed = value
    write_frame(folder, part, content, split)
    rooms = get_benchmark('rooms')
    problems = check(folder, rooms, progress=False)
    try:
        loaders = build_loaders(rooms, folder, batch_size=1, augmented=augmented, seed=seed)
        batches = [*loaders.train, *loaders.test]
    except ValueError:
        assert problems
        raise
    assert not problems
    assert len(batches) == 2
    for image, targets in batches:
        assert_batch(image, targets, loaders.image_size)


def assert_batch(image: Any, targets: dict[str, Any], size: Any) -> None:
    """What LibMTL's Trainer takes."""
    assert image.shape == (1, 3, *size)
    assert image.dtype == torch.float32
    assert image.isfinite().all()
    shapes = {name: tuple(target.shape[1:]) for name, target in targets.items()}
    assert shapes == {'segmentation': size, 'depth': (1, *size), 'normal': (3, *size)}
    label = targets['segmentation']
    assert label.dtype == torch.int64
    assert ((label >= -1) & (label < 13)).all()
    assert targets['depth'].isfinite().all()
    assert (targets['depth'] >= 0).all()
    assert targets['normal'].isfinite().all()


def check_mmseg(value: tuple[str, bytes], folder: Path) -> None:
    """mmseg's loader refuses what the other one refuses, with the same words."""
    from go4align_plugins.mmseg.datasets import LoadMTLFrame, MTLNYUv2Dataset

    write_frame(folder, *value)
    data = MTLNYUv2Dataset(folder, 'val', pipeline=[LoadMTLFrame()], test_mode=True)
    found = data[0]
    labels = set(np.unique(found['gt_seg_map']).tolist())
    assert labels <= {*range(13), 255}
    assert np.isfinite(found['gt_depth_map']).all()


def check_image(value: tuple[str, bytes], folder: Path) -> None:
    """An image for inference is of bytes, or refused."""
    from go4align_plugins.mmseg.apis.inferencer import read_image

    path = folder / value[0]
    path.write_bytes(value[1])
    image = read_image(path)
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.dtype == np.uint8


def _images() -> st.SearchStrategy[tuple[str, bytes]]:
    arrays = npy().map(lambda value: ('image.npy', value[1]))
    pictures = [picture(png_file(mode)) for mode in ('RGB', 'RGBA', 'P', 'I;16')]
    jpeg = damaged(png_file('RGB', 'JPEG'))
    return st.one_of(arrays, st.tuples(st.just('image.png'), st.one_of(*pictures, jpeg)))


TARGETS = {
    'libmtl_npy': Target(
        st.tuples(npy(), st.sampled_from(('train', 'val')), st.booleans(), st.integers(0, 2**32)),
        check_libmtl,
        needs=('LibMTL', 'tqdm'),
    ),
    'mmseg_npy': Target(npy(), check_mmseg, needs=('mmseg',)),
    'image': Target(st.deferred(_images), check_image, needs=('mmseg',)),
}
