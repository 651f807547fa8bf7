"""Folders of frames in MTAN's layout: they are read, and each problem is named."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from go4align_plugins.data import BENCHMARKS, get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder, check, repair
from go4align_plugins.data.units import MEND
from go4align_plugins.measures import depth_loss
from go4align_plugins.tasks import MAPS, MapKind, Task
from go4align_plugins.utils.files import DataError

from .. import SHARED
from .layout_files import SIZE, arrays, truncate, write

ROOMS, STREETS, NYUV2 = map(get_benchmark, ('rooms', 'streets', 'nyuv2'))
problems_of = partial(check, benchmark=ROOMS, progress=False)


def test_every_benchmark_has_facts_for_each_class_and_task():
    for name, benchmark in BENCHMARKS.items():
        assert benchmark.name == name
        assert bool(benchmark.download) != benchmark.embedded
        assert set(benchmark.single_task or benchmark.task_names) == set(benchmark.task_names)
        colours = np.array(benchmark.palette, int).reshape(-1, 3)
        assert len(colours) == len(benchmark.class_names)
        gaps = np.abs(colours[:, None] - colours).sum(-1)
        assert (gaps[~np.eye(len(colours), dtype=bool)] > 40).all()
    with pytest.raises(ValueError, match=r'should be one of .*nyuv2.*celeba.*kitti'):
        get_benchmark('kitti')
    with pytest.raises(ValueError, match=r'should be one that has images\. Found `qm9`'):
        get_benchmark('qm9').require_image_size()
    with pytest.raises(ValueError, match='should name at least one task'):
        ROOMS.select([])


def test_a_new_data_set_with_a_new_task_needs_no_other_file(root, monkeypatch):
    shape = {'folder': 'edges', 'shapes': ((), (1,)), 'channels': 1}
    kind = MapKind('edge', depth_loss, lambda *_: None, **shape)
    monkeypatch.setitem(MAPS, 'edge', kind)
    kitti = replace(ROOMS, name='kitti', tasks=(*ROOMS.tasks[:2], Task('border', 1, (), kind)))
    for split, index in (('train', 0), ('train', 1), ('train', 2), ('val', 0), ('val', 1)):
        write(root, split, index, {'edges': np.full(SIZE, -0.5)})
    assert problems_of(root, benchmark=kitti) == []
    assert (FrameFolder(root, kitti, 'val').read(1)['border'] == np.full(SIZE, -0.5)).all()
    write(root, 'val', 1, {'edges': np.full(SIZE, np.nan)})
    with pytest.raises(DataError, match=r'edge should be finite\. Found nan at row 0'):
        FrameFolder(root, kitti, 'val').read(1)


@pytest.mark.parametrize(('dtype', 'channels'), [('f4', [1]), ('f2', []), ('f8', [1]), ('>f8', [])])
def test_frame_by_hand(root, dtype, channels):
    frame = arrays(depth=arrays()['depth'].reshape(*SIZE, *channels))
    write(root, 'train', 0, {name: array.astype(dtype) for name, array in frame.items()})
    assert problems_of(root) == []
    frames = FrameFolder(root, ROOMS, 'train')
    assert len(frames) == 3
    assert frames.image_size == SIZE
    frame = frames.read(0)
    assert list(frame) == ['image', 'segmentation', 'depth', 'normal']
    assert frame['image'][3, 5].tolist() == [0.25, 0.25, 0.25]
    assert frame['segmentation'].dtype == np.int64
    assert frame['segmentation'][1].tolist() == [-1, -1, 12, -1, -1, -1]
    assert frame['depth'].shape == (*SIZE, 1)
    assert frame['depth'][:2, 0, 0].tolist() == [0, 2.5]
    assert np.allclose(frame['normal'][2, 2], [0, 0.6, -0.8], atol=1e-3)
    for part in ('image', 'depth', 'normal'):
        assert frame[part].dtype == np.float32
        assert frame[part].flags.c_contiguous


def test_chosen_tasks_need_only_their_folders(root):
    for split in ('train', 'val'):
        for part in ('label', 'normal'):
            shutil.rmtree(root / split / part)
    assert problems_of(root, tasks=['depth']) == []
    assert len(problems_of(root)) == 4
    assert list(FrameFolder(root, ROOMS, 'val', ['depth']).read(0)) == ['image', 'depth']


def test_labels_of_cityscapes_downloads(tmp_path):
    frame = {'image': arrays()['image'], 'depth': arrays()['depth'] / 10}
    labels = {'label_7': np.full(SIZE, 6), 'label_19': np.full(SIZE, 18)}
    write(tmp_path, 'train', 0, {**frame, **labels})
    read = partial(FrameFolder, tmp_path, STREETS, 'train')
    assert read().read(0)['segmentation'].max() == 6
    assert read(num_classes=19).read(0)['segmentation'].max() == 18
    (tmp_path / 'train' / 'label_7').rename(tmp_path / 'train' / 'label')
    assert read().read(0)['segmentation'].max() == 6


@pytest.mark.parametrize('sign', [-1, 1])
@pytest.mark.parametrize('length', [0.1, 0.9])
def test_normals_resized_by_interpolation_pass(root, sign, length):
    normal = np.zeros((*SIZE, 3))
    normal[:3, :5] = [0, 0.6 * length, sign * 0.8 * length]  # a border of 7 pixels
    normal[:2, :4] /= length
    write(root, 'train', 2, {'normal': normal})
    assert problems_of(root) == []


def changed(name, place, value):
    array = arrays()[name]
    array[place] = value
    return {name: array}


FAULTS = [
    (changed('label', (2, 3), 13), 'from -1 (none) to 12. Found 13 at row 2, column 3 (1 values'),
    (changed('label', (2, 3), 1.5), 'Found 1.5 at row 2'),
    (changed('label', (2, 3), np.nan), 'Found nan at row 2'),
    ({'depth': np.full((*SIZE, 1), 1e83)}, 'not negative (0: not measured). Found 1e+83'),
    ({'depth': np.full((*SIZE, 1), np.inf, np.float16)}, 'not measured). Found inf at row 0'),
    (changed('image', (3, 0, 1), 1.5), 'should lie in [0, 1]. Found 1.5 at row 3, column 0'),
    (changed('normal', (1, 1), [0, 2, 0]), 'Found length 2 at row 1, column 1'),
    (changed('normal', (1, 1), [0, np.nan, 0]), 'Found length nan at row 1, column 1'),
    ({'normal': np.full((*SIZE, 3), 0.3)}, 'Found a mean length of 0.52'),
    ({'depth': np.zeros((4, 6, 3))}, 'should have shape (4, 6, 1). Found (4, 6, 3)'),
    ({'depth': np.zeros((0,))}, 'should have shape (4, 6, 1). Found (0,)'),
    ({'depth': np.ones((*SIZE, 1), complex)}, 'should hold real numbers. Found dtype complex128'),
]


@pytest.mark.parametrize(('change', 'message'), FAULTS)
def test_a_bad_array_is_named(root, change, message):
    write(root, 'train', 1, change)
    with pytest.raises(ValueError) as caught:
        FrameFolder(root, ROOMS, 'train').read(1)
    assert str(root / 'train' / next(iter(change)) / '1.npy') in str(caught.value)
    assert message in str(caught.value)
    (problem,) = problems_of(root)
    advice = ' Delete it and get the data again' if MEND not in problem else ''
    assert str(caught.value).startswith(f'{problem}{advice}')


def test_check_lists_everything(root):
    for index, (change, _) in enumerate(FAULTS):
        write(root, 'val', index, {**arrays(), **change})
    truncate(root / 'train' / 'image' / '0.npy')
    (root / 'train' / 'normal' / '1.npy').unlink()
    np.save(root / 'train' / 'label' / 'copy of 1.npy', np.zeros(SIZE))
    problems = problems_of(root)
    assert len(problems) == len(FAULTS) + 3
    assert len({problem.split(':')[0] for problem in problems}) == len(problems)


def test_the_size_is_the_usual_or_a_wanted_one(root):
    assert len(problems_of(root, size=(6, 4))) == 5 * 4
    write(root, 'train', 0, {'image': np.zeros((5, 6, 3))})
    (problem,) = problems_of(root)
    assert re.search(r'train.image.0\.npy: should have shape \(4, 6, 3\)', problem)
    write(root, 'train', 0, {'image': np.zeros(7)})
    with pytest.raises(ValueError, match=r'0\.npy: should have shape \(H, W, 3\). Found \(7,\)'):
        FrameFolder(root, ROOMS, 'train')


def test_frames_that_do_not_match(root):
    (root / 'train' / 'label' / '1.npy').unlink()
    with pytest.raises(ValueError, match=r'label: should hold frames 0 to 2. Found 2; missing: 1'):
        FrameFolder(root, ROOMS, 'train')
    write(root, 'train', 20261122093000, arrays())  # takes no memory
    assert 'Found 4; missing: 3, 4, 5, 6, 7, ....' in problems_of(root)[0]
    for path in (root / 'val').rglob('*.npy'):
        path.unlink()
    with pytest.raises(ValueError, match=r'named 0\.npy, 1\.npy, \.\.\. Found none'):
        FrameFolder(root, ROOMS, 'val')


def test_missing_folders(root, tmp_path):
    shutil.rmtree(root / 'val' / 'normal')
    with pytest.raises(FileNotFoundError, match=r'val.normal.*prepare_data\.py rooms --out'):
        FrameFolder(root, ROOMS, 'val')
    assert problems_of(root) == [f'{root / "val" / "normal"}: no such folder.']
    with pytest.raises(FileNotFoundError, match=r'Is it .* that you mean'):
        FrameFolder(root / 'train', ROOMS, 'train')
    with pytest.raises(FileNotFoundError, match='download nyuv2'):
        FrameFolder(tmp_path / 'nowhere', NYUV2, 'train')
    assert 'no such folder' in problems_of(tmp_path / 'nowhere')[0]


def test_parameters(root):
    with pytest.raises(ValueError, match=r'`split` should be one of .*train.*val.*test'):
        FrameFolder(root, ROOMS, 'test')
    with pytest.raises(ValueError, match="Found `tasks = 'edges'`"):
        FrameFolder(root, ROOMS, 'train', ['edges'])
    for index in (-1, 3):
        with pytest.raises(IndexError, match=f'Frame {index} is out of range: there are 3'):
            FrameFolder(root, ROOMS, 'train').read(index)


SPOILS = {
    'cut': truncate,
    'cut in the header': lambda path: path.write_bytes(path.read_bytes()[:40]),
    'no header': lambda path: path.write_bytes(path.read_bytes().replace(b'}', b'\xb1', 1)),
    'objects': lambda path: np.save(path, np.array([{'a': 1}], dtype=object), allow_pickle=True),
    'archive': lambda path: [np.savez(path, np.zeros(3)), Path(f'{path}.npz').replace(path)],
    'pointer': lambda path: path.write_bytes(b'version https://git-lfs.github.com/spec/v1\n'),
    'missing': Path.unlink,
}


@pytest.mark.parametrize('prepared', [False, True])
@pytest.mark.parametrize('how', SPOILS)
def test_an_unreadable_frame_says_how_to_get_it_again(root, how, prepared):
    if prepared:
        (root / 'dataset.json').write_text('{}')
    frames = FrameFolder(root, ROOMS, 'train')
    SPOILS[how](root / 'train' / 'depth' / '2.npy')
    found = r'fetch it by `git lfs pull`\.' if how == 'pointer' else ''
    advice = 'prepare the data again' if prepared else 'get the data again'
    match = rf'depth.2\.npy: should be a (whole )?\.npy file.*{found} Delete it and {advice}'
    with pytest.raises(DataError, match=match):
        frames.read(2)
    (problem,) = problems_of(root)
    assert 'depth' in problem
    assert repair(root, NYUV2).endswith('download nyuv2.') != prepared


def test_an_interrupted_preparation_is_seen(root):
    path = root / 'dataset.json'
    path.write_text('{"num_frames": {"train": 5, "val": 2}}', encoding='utf-8-sig')
    with pytest.raises(ValueError, match=r'missing: 3, 4.*run the same command again'):
        FrameFolder(root, ROOMS, 'train')
    assert len(FrameFolder(root, ROOMS, 'val')) == 2
    for text in ('{"num_', '[]', '{"num_frames": []}', '{"num_frames": {"a": null}}', '[' * 10**5):
        path.write_text(text)
        with pytest.raises(ValueError, match=r'dataset\.json: should be a JSON object.*as it was'):
            FrameFolder(root, ROOMS, 'train')


@pytest.mark.integration
@pytest.mark.parametrize('name', ['nyuv2', 'nyuv2_full'])
def test_all_real_frames_are_right(tmp_path, name):
    unpack = SHARED / 'data' / name / 'unpack.py'
    if not unpack.exists():
        pytest.skip('the real NYUv2 frames are not beside the repository')
    subprocess.run([sys.executable, str(unpack), str(tmp_path)], check=True)
    assert check(tmp_path, NYUV2, progress=False) == []
    frame = FrameFolder(tmp_path, NYUV2, 'val').read(3)
    assert frame['segmentation'].max() <= 12
    assert 0.5 < frame['depth'].mean() < 10
