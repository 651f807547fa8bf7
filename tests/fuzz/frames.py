"""Frames and faces on disk, by their readers, both hosts' loaders, converters and inference."""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from operator import itemgetter

import h5py
import numpy as np
from hypothesis import strategies as st
from PIL import Image

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.celeba import FaceFolder, read_attributes, read_partition
from go4align_plugins.data.conversion import nyuv2
from go4align_plugins.data.conversion.cityscapes import FILES, convert_frame, find_frames
from go4align_plugins.data.mtan_layout import FrameFolder, check
from go4align_plugins.libmtl.data import build_loaders

from ..data.celeba_files import write_faces
from ..data.layout_files import SIZE, arrays, write
from .inputs import altered, changed_array, damaged, json_file, picture
from .reader import reads

FRAME = {name: array.astype(np.float32) for name, array in arrays().items()}
ROOMS = get_benchmark('rooms')


def as_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


npy = st.one_of(  # a part of a frame, and a file in its place
    st.tuples(st.just(part), damaged(as_bytes(array)) | changed_array(array).map(as_bytes))
    for part, array in FRAME.items()
)


def write_frame(folder, part, content, where='val'):
    """Write one frame a split, with one file replaced in one of them; returns its problems."""
    for split in ('train', 'val'):
        write(folder, split, 0, FRAME)
    (folder / where / part / '0.npy').write_bytes(content)
    problems = check(folder, ROOMS, progress=False)
    assert all(str(folder) in problem for problem in problems)
    return problems


def assert_frame(frame, num_classes):
    """Assert the rules of every frame."""
    image, label, depth = (frame[name] for name in ('image', 'segmentation', 'depth'))
    assert -0.01 <= image.min() <= image.max() <= 1.01
    assert label.shape == image.shape[:2] == depth.shape[:2]
    assert -1 <= label.min() <= label.max() < num_classes
    assert np.isfinite(depth).all()
    assert (depth >= 0).all()
    assert np.isfinite(frame.get('normal', depth)).all()


@reads(
    st.tuples(npy, st.sampled_from(('train', 'val')), st.booleans(), st.integers(0, 2**32)),
    name='npy',
)
def check_npy(value, folder):
    """A frame that is read keeps the rules and comes whole to a training; or the check names it."""
    changed, split, augmented, seed = value
    problems = write_frame(folder, *changed, split)
    try:
        loaders = build_loaders(ROOMS, folder, batch_size=1, augmented=augmented, seed=seed)
        batches = [*loaders.train, *loaders.test]
    except ValueError:
        assert problems
        raise
    assert not problems
    assert_frame(FrameFolder(folder, ROOMS, split).read(0), 13)
    for pictures, targets in batches:
        assert all(each.isfinite().all() for each in (pictures, *targets.values()))


@reads(npy, needs='mmseg')
def mmseg_npy(value, folder):
    """mmseg's loader refuses what the other one refuses."""
    from go4align_plugins.mmseg.datasets import LoadMTLFrame, MTLNYUv2Dataset

    problems = write_frame(folder, *value)
    frame = MTLNYUv2Dataset(folder, 'val', pipeline=[LoadMTLFrame()], test_mode=True)[0]
    # The checker also compares the size with the other split's.
    assert not problems or frame['img'].shape[:2] != SIZE


DESCRIPTION = {'benchmark': 'rooms', 'num_frames': {'train': 1, 'val': 1}, 'seed': 0}


@reads(json_file(DESCRIPTION) | altered(DESCRIPTION).map(repr).map(str.encode), file='dataset.json')
def dataset_json(path):
    write_frame(path.parent, 'depth', as_bytes(FRAME['depth']))
    FrameFolder(path.parent, ROOMS, 'val')


MAT = {
    'images': np.zeros((4, 3, 16, 12), np.uint8),
    'depths': np.full((4, 16, 12), 2, np.float32),
    'labels': np.full((4, 16, 12), 21, np.uint16),
}


def mat(**changed):
    """NYUv2's file, in which an array may be changed."""
    buffer = io.BytesIO()
    with h5py.File(buffer, 'w') as file:
        for name, array in {**MAT, **changed}.items():
            file[name] = array
    return buffer.getvalue()


mats = [changed_array(array).map(lambda a, n=name: mat(**{n: a})) for name, array in MAT.items()]


@reads(damaged(mat()) | st.one_of(mats), name='mat', file='official.mat')
def check_mat(path):
    numbers = nyuv2.split_numbers(nyuv2.count_frames(path))
    for split in numbers:
        assert_frame(nyuv2.convert_frame(path, numbers, (6, 8), False, split, 0), 13)


@cache
def picture_file(mode, kind='PNG'):
    """A small picture of one of Pillow's modes."""
    buffer = io.BytesIO()
    gray = Image.fromarray(np.full((6, 8), 32257, np.uint16))
    image = gray if mode == 'I;16' else Image.new('RGB', (8, 6), (9, 8, 7)).convert(mode)
    image.save(buffer, kind)
    return buffer.getvalue()


RIGHT = {'image': 'RGB', 'segmentation': 'L', 'depth': 'I;16'}
MODES = ('RGB', 'RGBA', 'L', 'LA', 'P', '1', 'I;16')
pngs = st.sampled_from(MODES).flatmap(lambda mode: picture(picture_file(mode)))


@reads(st.tuples(st.sampled_from(sorted(RIGHT)), pngs), name='png')
def check_png(value, folder):
    content = {**{name: picture_file(mode) for name, mode in RIGHT.items()}, value[0]: value[1]}
    for name, (root, end) in FILES.items():
        path = folder / root / 'val' / 'ulm' / f'ulm_0{end}'
        path.parent.mkdir(parents=True)
        path.write_bytes(content[name])
    assert_frame(convert_frame({'val': find_frames(folder, 'val')}, (3, 4), 7, 'val', 0), 7)
    if find_spec('mmseg'):
        from go4align_plugins.mmseg.datasets import MTLCityscapesDataset

        dataset = MTLCityscapesDataset(folder, 'val', layout='official', lazy_init=True)
        read_frame, _ = dataset.open_frames()
        assert_frame(read_frame(0), 19)


ATTRIBUTES = b'3\nBald Young\na.jpg  1 -1\nb.jpg -1 -1\nc.jpg  1  1\n'
PARTITION = b'a.jpg 0\nb.jpg 1\nc.jpg 2\n'


@reads(st.tuples(damaged(ATTRIBUTES), damaged(PARTITION)))
def celeba_lists(value, folder):
    """Labels are 0 or 1, one row a face, and every face is in one split."""
    paths = folder / 'list_attr_celeba.txt', folder / 'list_eval_partition.txt'
    for path, content in zip(paths, value):
        path.write_bytes(content)
    faces, labels = read_attributes(paths[0], ['Young', 'Bald'])
    assert {0, 1} >= set(labels.ravel().tolist())
    assert len(read_partition(paths[1], faces)) == len(labels) == len(set(faces))


images = st.tuples(st.just('0.png'), pngs) | st.tuples(st.just('0.npy'), npy.map(itemgetter(1)))


@reads(images, needs='mmseg')
def image(value, folder):
    from go4align_plugins.mmseg.apis.inferencer import read_image

    (folder / value[0]).write_bytes(value[1])
    found = read_image(folder / value[0])
    assert found.shape[2:] == (3,)
    assert found.dtype == np.uint8


@reads(pngs | damaged(picture_file('RGB', 'JPEG')))
def celeba_faces(content, folder):
    root = write_faces(folder / 'faces', (1, 1, 1))
    (root / 'img_align_celeba/000002.jpg').write_bytes(content)
    assert FaceFolder(root, get_benchmark('celeba')).read(1, (8, 8)).shape == (8, 8, 3)
