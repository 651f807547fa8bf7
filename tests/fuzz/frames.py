"""Frames and faces on disk, by their readers, both hosts' loaders, converters and inference."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.celeba import FaceFolder, read_attributes, read_partition
from go4align_plugins.data.conversion import nyuv2
from go4align_plugins.data.conversion.cityscapes import FILES, convert_frame, find_frames
from go4align_plugins.data.mtan_layout import FrameFolder, check
from go4align_plugins.libmtl.data import build_loaders

from .target import Target
from .values import altered, damaged, json_file, picture

SIZE = (4, 6)
FRAME = {
    'image': np.full((*SIZE, 3), 0.25, np.float32),
    'label': np.tile(np.float32([-1, 0, 12]), (4, 2)),
    'depth': np.full((*SIZE, 1), 2.5, np.float32),
    'normal': np.tile(np.float32([0, 0.6, -0.8]), (*SIZE, 1)),
}
kinds = st.sampled_from(('f2', 'f4', '>f8', 'f8', 'g', 'i1', 'u1', 'u2', 'i8', 'u8', '?', 'c8'))
shapes = st.one_of(
    st.sampled_from([array.shape for array in FRAME.values()]),
    st.lists(st.sampled_from((0, 1, 3, 4, 6)), max_size=4),
)
pixels = st.one_of(
    st.floats(), st.sampled_from((0.0, 1.0, -1.0, 12.0, 13.0, 0.5, 1e30, 2.0**53, -(2.0**40)))
)


def as_bytes(array: np.ndarray) -> bytes:
    """A whole .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


@st.composite
def npy(draw: st.DrawFn) -> tuple[str, bytes]:
    """A part of a frame, and a file in its place."""
    part = draw(st.sampled_from(sorted(FRAME)))
    array = FRAME[part]
    how = draw(st.sampled_from(('damaged', 'other', 'pixel')))
    if how == 'damaged':
        return part, draw(damaged(as_bytes(array)))
    with np.errstate(all='ignore'):
        if how == 'other':
            kind = draw(kinds | st.sampled_from(('S3', 'U2', 'M8[s]')))
            array = np.full(tuple(draw(shapes)), draw(pixels)).astype(kind)
        else:
            array = array.astype(draw(st.sampled_from(('f4', 'f8'))))
            array.flat[draw(st.integers(0, array.size - 1))] = draw(pixels)
    return part, as_bytes(array)


def write_frame(folder: Path, part: str, content: bytes, where: str = 'val') -> None:
    """One frame a split, of which one file is replaced in one of them."""
    for split in ('train', 'val'):
        for name, array in FRAME.items():
            path = folder / split / name / '0.npy'
            path.parent.mkdir(parents=True)
            path.write_bytes(as_bytes(array))
    (folder / where / part / '0.npy').write_bytes(content)


def check_npy(value: tuple[str, bytes], folder: Path) -> None:
    """A frame that is read keeps the layout's rules; both checks say the same."""
    write_frame(folder, *value)
    rooms = get_benchmark('rooms')
    problems = check(folder, rooms, progress=False)
    assert all(str(folder) in problem for problem in problems)
    frame = FrameFolder(folder, rooms, 'val').read(0)
    # The checker also compares the size with the other split's.
    assert not problems or frame['image'].shape[:2] != SIZE, problems
    assert_frame(frame, 13)


def assert_frame(frame: dict[str, np.ndarray], num_classes: int) -> None:
    """What every frame is."""
    image, label, depth = frame['image'], frame['segmentation'], frame['depth']
    assert image.dtype == np.float32
    assert -0.01 <= image.min() <= image.max() <= 1.01
    assert label.shape == image.shape[:2]
    assert -1 <= label.min() <= label.max() < num_classes
    assert depth.shape == (*label.shape, 1)
    assert np.isfinite(depth).all()
    assert (depth >= 0).all()
    assert np.isfinite(frame.get('normal', depth)).all()


def check_libmtl(value: tuple[tuple[str, bytes], str, bool, int], folder: Path) -> None:
    """A frame comes whole to a training, of either split; or is refused, as by the check."""
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
    size = loaders.image_size
    for image, targets in batches:
        assert image.shape == (1, 3, *size)
        assert image.dtype == torch.float32
        shapes = {name: tuple(target.shape[1:]) for name, target in targets.items()}
        assert shapes == {'segmentation': size, 'depth': (1, *size), 'normal': (3, *size)}
        assert targets['segmentation'].dtype == torch.int64
        assert set(targets['segmentation'].unique().tolist()) <= {*range(-1, 13)}
        assert all(each.isfinite().all() for each in (image, targets['depth'], targets['normal']))
        assert (targets['depth'] >= 0).all()


def check_mmseg(value: tuple[str, bytes], folder: Path) -> None:
    """mmseg's loader refuses what the other one refuses, with the same words."""
    from go4align_plugins.mmseg.datasets import LoadMTLFrame, MTLNYUv2Dataset

    write_frame(folder, *value)
    found = MTLNYUv2Dataset(folder, 'val', pipeline=[LoadMTLFrame()], test_mode=True)[0]
    assert set(np.unique(found['gt_seg_map']).tolist()) <= {*range(13), 255}
    assert np.isfinite(found['gt_depth_map']).all()


def check_description(content: bytes, folder: Path) -> None:
    """A ``dataset.json`` is an object or refused."""
    write_frame(folder, 'depth', as_bytes(FRAME['depth']))
    (folder / 'dataset.json').write_bytes(content)
    FrameFolder(folder, get_benchmark('rooms'), 'val')
    check(folder, get_benchmark('rooms'), progress=False)


MAT = {
    'images': np.zeros((4, 3, 16, 12), np.uint8),
    'depths': np.full((4, 16, 12), 2, np.float32),
    'labels': np.full((4, 16, 12), 21, np.uint16),
}


def _mat(**changed: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, 'w') as file:
        for name, array in {**MAT, **changed}.items():
            file[name] = array
    return buffer.getvalue()


@st.composite
def mat(draw: st.DrawFn) -> bytes | tuple[str, str, list[int], float]:
    """A damaged file, or one whose named array is replaced: its type, shape and value."""
    if draw(st.booleans()):
        return draw(damaged(_mat()))
    name = draw(st.sampled_from(sorted(MAT)))
    other = st.lists(st.sampled_from((0, 3, 4, 12)), max_size=4)
    shape = draw(st.just(MAT[name].shape) | other)
    return name, draw(kinds | st.just('S3')), shape, draw(pixels)


def check_mat(value: Any, folder: Path) -> None:
    """A converted frame keeps the layout's rules."""
    if not isinstance(value, bytes):
        name, kind, shape, filling = value
        with np.errstate(all='ignore'):
            value = _mat(**{name: np.full(shape, filling).astype(kind)})
    path = folder / 'official.mat'
    path.write_bytes(value)
    numbers = nyuv2.split_numbers(nyuv2.count_frames(path))
    for split in numbers:
        assert_frame(nyuv2.convert_frame(path, numbers, (6, 8), False, split, 0), 13)


@cache
def png_file(mode: str, kind: str = 'PNG') -> bytes:
    """A small picture of one of Pillow's modes."""
    buffer = io.BytesIO()
    image = Image.new('RGB', (8, 6), (9, 8, 7)).convert(mode if mode != 'I;16' else 'L')
    if mode == 'I;16':
        image = Image.fromarray(np.full((6, 8), 32257, np.uint16))
    image.save(buffer, kind)
    return buffer.getvalue()


@st.composite
def png(draw: st.DrawFn) -> tuple[str, bytes]:
    """A part of a frame, and a file in its place."""
    mode = draw(st.sampled_from(('RGB', 'RGBA', 'L', 'LA', 'P', '1', 'I;16')))
    part = draw(st.sampled_from(('image', 'segmentation', 'depth')))
    return part, draw(picture(png_file(mode)))


def check_png(value: tuple[str, bytes], folder: Path) -> None:
    """A frame of the official tree, converted."""
    right = {'image': 'RGB', 'segmentation': 'L', 'depth': 'I;16'}
    content = {**{name: png_file(mode) for name, mode in right.items()}, **dict([value])}
    for name, (root, end) in FILES.items():
        path = folder / root / 'val' / 'ulm' / f'ulm_0{end}'
        path.parent.mkdir(parents=True)
        path.write_bytes(content[name])
    assert_frame(convert_frame({'val': find_frames(folder, 'val')}, (3, 4), 7, 'val', 0), 7)


def check_official(value: tuple[str, bytes], folder: Path) -> None:
    """mmseg's reader of the official tree."""
    from go4align_plugins.mmseg.datasets import MTLCityscapesDataset

    check_png(value, folder)
    dataset = MTLCityscapesDataset(folder, 'val', layout='official', lazy_init=True)
    read_frame, _ = dataset.open_frames()
    assert_frame(read_frame(0), 19)


FACES = ('a.jpg', 'b.jpg', 'c.jpg')
ATTRIBUTES = b'3\nBald Young\na.jpg  1 -1\nb.jpg -1 -1\nc.jpg  1  1\n'
PARTITION = b'a.jpg 0\nb.jpg 1\nc.jpg 2\n'


def check_lists(value: tuple[bytes, bytes], folder: Path) -> None:
    """Labels are 0 or 1, one row a face, and every face is in one split."""
    paths = folder / 'list_attr_celeba.txt', folder / 'list_eval_partition.txt'
    for path, content in zip(paths, value):
        path.write_bytes(content)
    faces, labels = read_attributes(paths[0], ['Young', 'Bald'])
    splits = read_partition(paths[1], faces)
    assert labels.shape == (len(faces), 2)
    assert {0, 1} >= set(labels.ravel().tolist())
    assert len(splits) == len(faces) == len(set(faces))


def check_face(content: bytes, folder: Path) -> None:
    """An image is read whole or refused."""
    names = [task.name for task in get_benchmark('celeba').tasks]
    (folder / 'img_align_celeba').mkdir()
    for face in FACES:
        (folder / 'img_align_celeba' / face).write_bytes(content)
    lines = [f'{face} {" ".join("1" for _ in names)}' for face in FACES]
    (folder / 'list_attr_celeba.txt').write_text('\n'.join(['3', ' '.join(names), *lines]))
    (folder / 'list_eval_partition.txt').write_bytes(PARTITION)
    assert FaceFolder(folder, get_benchmark('celeba')).read(1, (8, 8)).shape == (8, 8, 3)


def check_image(value: tuple[str, bytes], folder: Path) -> None:
    """An image for inference is of bytes, or refused."""
    from go4align_plugins.mmseg.apis.inferencer import read_image

    path = folder / value[0]
    path.write_bytes(value[1])
    image = read_image(path)
    assert image.shape[2:] == (3,)
    assert image.dtype == np.uint8


def _images() -> st.SearchStrategy[tuple[str, bytes]]:
    pictures = [picture(png_file(mode)) for mode in ('RGB', 'RGBA', 'P', 'I;16')]
    pictures.append(damaged(png_file('RGB', 'JPEG')))
    arrays = npy().map(lambda value: ('image.npy', value[1]))
    return arrays | st.tuples(st.just('image.png'), st.one_of(*pictures))


DESCRIPTION = {'benchmark': 'rooms', 'num_frames': {'train': 1, 'val': 1}, 'seed': 0}
descriptions = json_file(DESCRIPTION) | altered(DESCRIPTION).map(lambda v: repr(v).encode())
augmented = st.tuples(
    npy(), st.sampled_from(('train', 'val')), st.booleans(), st.integers(0, 2**32)
)
faces = st.deferred(lambda: picture(png_file('RGB')))
TARGETS = {
    'npy': Target(npy(), check_npy),
    'libmtl_npy': Target(augmented, check_libmtl),
    'mmseg_npy': Target(npy(), check_mmseg, needs=('mmseg',)),
    'dataset_json': Target(descriptions, check_description),
    'mat': Target(mat(), check_mat),
    'png': Target(png(), check_png),
    'official_png': Target(png(), check_official, needs=('mmseg',)),
    'celeba_lists': Target(st.tuples(damaged(ATTRIBUTES), damaged(PARTITION)), check_lists),
    'celeba_faces': Target(faces, check_face),
    'image': Target(st.deferred(_images), check_image, needs=('mmseg',)),
}
