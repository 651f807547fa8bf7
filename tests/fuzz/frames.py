"""Frames and faces on disk: .npy, .mat, PNG and CelebA's lists."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .containers import picture
from .target import Target
from .values import altered, damaged, json_file

SIZE = (4, 6)
FRAME = {
    'image': np.full((*SIZE, 3), 0.25, np.float32),
    'label': np.tile(np.float32([-1, 0, 12]), (4, 2)),
    'depth': np.full((*SIZE, 1), 2.5, np.float32),
    'normal': np.tile(np.float32([0, 0.6, -0.8]), (*SIZE, 1)),
}
PARTS = {'label': 'segmentation'}
dtypes = st.sampled_from(
    ('f2', 'f4', '>f8', 'f8', 'g', 'i1', 'u1', 'u2', 'i8', 'u8', '?', 'c8', 'S3', 'U2', 'M8[s]')
)
shapes = st.one_of(
    st.sampled_from([array.shape for array in FRAME.values()]),
    st.lists(st.sampled_from((0, 1, 3, 4, 6)), max_size=4),
)
values_of_pixels = st.one_of(
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
    if how == 'other':
        filled = np.full(tuple(draw(shapes)), draw(values_of_pixels))
        with np.errstate(all='ignore'):
            array = filled.astype(draw(dtypes))
    else:
        array = array.astype(draw(st.sampled_from(('f4', 'f8'))))
        with np.errstate(all='ignore'):
            array.flat[draw(st.integers(0, array.size - 1))] = draw(values_of_pixels)
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
    from go4align_plugins.benchmarks import get_benchmark
    from go4align_plugins.benchmarks.layouts import FrameFolder, check

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
    size = frame['image'].shape[:2]
    assert frame['image'].dtype == np.float32
    assert frame['image'].min() >= -0.01
    assert frame['image'].max() <= 1.01
    label = frame['segmentation']
    assert label.shape == size
    assert -1 <= label.min() <= label.max() < num_classes
    assert frame['depth'].shape == (*size, 1)
    assert np.isfinite(frame['depth']).all()
    assert (frame['depth'] >= 0).all()
    if 'normal' in frame:
        assert np.isfinite(frame['normal']).all()


def check_description(content: bytes, folder: Path) -> None:
    """A ``dataset.json`` is an object or refused."""
    from go4align_plugins.benchmarks import get_benchmark
    from go4align_plugins.benchmarks.layouts import FrameFolder, check

    write_frame(folder, 'depth', as_bytes(FRAME['depth']))
    (folder / 'dataset.json').write_bytes(content)
    FrameFolder(folder, get_benchmark('rooms'), 'val')
    check(folder, get_benchmark('rooms'), progress=False)


@cache
def _mat() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, 'w') as file:
        for name, array in _mat_arrays().items():
            file[name] = array
    return buffer.getvalue()


def _mat_arrays() -> dict[str, np.ndarray]:
    return {
        'images': np.zeros((4, 3, 16, 12), np.uint8),
        'depths': np.full((4, 16, 12), 2, np.float32),
        'labels': np.full((4, 16, 12), 21, np.uint16),
    }


@st.composite
def mat(draw: st.DrawFn) -> bytes | tuple[str, str, list[int], float]:
    """A damaged file, or one whose named array is replaced: its type, shape and value."""
    if draw(st.booleans()):
        return draw(damaged(_mat()))
    name = draw(st.sampled_from(('images', 'depths', 'labels')))
    shape = draw(
        st.one_of(
            st.just(_mat_arrays()[name].shape), st.lists(st.sampled_from((0, 3, 4, 12)), max_size=4)
        )
    )
    return (
        name,
        draw(dtypes.filter(lambda kind: kind[0] not in 'UM')),
        shape,
        draw(values_of_pixels),
    )


def check_mat(value: Any, folder: Path) -> None:
    """A converted frame keeps the layout's rules."""
    import h5py

    from go4align_plugins.benchmarks.conversion import nyuv2

    path = folder / 'official.mat'
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        name, kind, shape, filling = value
        with h5py.File(path, 'w') as file, np.errstate(all='ignore'):
            for other, array in _mat_arrays().items():
                file[other] = np.full(shape, filling).astype(kind) if other == name else array
    numbers = nyuv2.split_numbers(nyuv2.count_frames(path))
    for split in numbers:
        frame = nyuv2.convert_frame(path, numbers, (6, 8), False, split, 0)
        assert_frame(frame, 13)


@cache
def png_file(mode: str, kind: str = 'PNG') -> bytes:
    """A small picture of one of Pillow's modes."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.new('RGB', (8, 6), (9, 8, 7)).convert(mode if mode != 'I;16' else 'L')
    if mode == 'I;16':
        image = Image.fromarray(np.full((6, 8), 32257, np.uint16))
    image.save(buffer, kind)
    return buffer.getvalue()


@st.composite
def png(draw: st.DrawFn) -> tuple[str, bytes]:
    """A part of a frame, and a file in its place."""
    part = draw(st.sampled_from(('image', 'segmentation', 'depth')))
    modes = ('RGB', 'RGBA', 'L', 'LA', 'P', '1', 'I;16')
    return part, draw(picture(png_file(draw(st.sampled_from(modes)))))


def check_png(value: tuple[str, bytes], folder: Path) -> None:
    """A frame of the official tree, converted and by mmseg's reader."""
    from go4align_plugins.benchmarks.conversion.cityscapes import FILES, convert_frame, find_frames

    part, content = value
    right = {
        'image': png_file('RGB'),
        'segmentation': png_file('L'),
        'depth': png_file('I;16'),
        part: content,
    }
    for name, (root, end) in FILES.items():
        path = folder / root / 'val' / 'ulm' / f'ulm_0{end}'
        path.parent.mkdir(parents=True)
        path.write_bytes(right[name])
    frame = convert_frame({'val': find_frames(folder, 'val')}, (3, 4), 7, 'val', 0)
    assert_frame(frame, 7)


def check_official(value: tuple[str, bytes], folder: Path) -> None:
    """mmseg's reader of the official tree."""
    from go4align_plugins.mmseg.datasets.official_cityscapes import OfficialCityscapes

    check_png(value, folder)
    frames = OfficialCityscapes(folder, 'val', ('segmentation', 'depth'), 19)
    assert_frame(frames.read(0), 19)


FACES = ('a.jpg', 'b.jpg', 'c.jpg')
ATTRIBUTES = b'3\nBald Young\na.jpg  1 -1\nb.jpg -1 -1\nc.jpg  1  1\n'
PARTITION = b'a.jpg 0\nb.jpg 1\nc.jpg 2\n'


def check_lists(value: tuple[bytes, bytes], folder: Path) -> None:
    """Labels are 0 or 1, one row a face, and every face is in one split."""
    from go4align_plugins.benchmarks.faces import read_attributes, read_partition

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
    from go4align_plugins.benchmarks import get_benchmark
    from go4align_plugins.benchmarks.faces import FaceFolder

    names = [task.name for task in get_benchmark('celeba').tasks]
    (folder / 'img_align_celeba').mkdir()
    for face in FACES:
        (folder / 'img_align_celeba' / face).write_bytes(content)
    lines = [f'{face} {" ".join("1" for _ in names)}' for face in FACES]
    (folder / 'list_attr_celeba.txt').write_text('\n'.join(['3', ' '.join(names), *lines]))
    (folder / 'list_eval_partition.txt').write_bytes(PARTITION)
    face = FaceFolder(folder, get_benchmark('celeba')).read(1, (8, 8))
    assert face.shape == (8, 8, 3)


DESCRIPTION = {'benchmark': 'rooms', 'num_frames': {'train': 1, 'val': 1}, 'seed': 0}
TARGETS = {
    'npy': Target(npy(), check_npy, needs=('tqdm',)),
    'dataset_json': Target(
        st.one_of(json_file(DESCRIPTION), altered(DESCRIPTION).map(lambda v: repr(v).encode())),
        check_description,
        needs=('tqdm',),
    ),
    'mat': Target(st.deferred(mat), check_mat, needs=('h5py', 'PIL')),
    'png': Target(st.deferred(png), check_png, needs=('PIL',)),
    'official_png': Target(st.deferred(png), check_official, needs=('mmseg',)),
    'celeba_lists': Target(st.tuples(damaged(ATTRIBUTES), damaged(PARTITION)), check_lists),
    'celeba_faces': Target(
        st.deferred(lambda: picture(png_file('RGB'))), check_face, needs=('PIL', 'tqdm')
    ),
}
