"""Folders of frames in LibMTL's layout: they are read, and each problem is named."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder, check, is_damage

from .. import SHARED
from .layout_files import SIZE, arrays, truncate, write

ROOMS = get_benchmark('rooms')
STREETS = get_benchmark('streets')


def test_frame_by_hand(root):
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
    assert np.allclose(frame['normal'][2, 2], [0, 0.6, -0.8])
    for part in ('image', 'depth', 'normal'):
        assert frame[part].dtype == np.float32
        assert frame[part].flags.c_contiguous


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64, '>f8'])
def test_any_float_type(root, dtype):
    write(root, 'val', 0, {name: array.astype(dtype) for name, array in arrays().items()})
    frame = FrameFolder(root, ROOMS, 'val').read(0)
    assert frame['depth'].dtype == np.float32
    assert frame['segmentation'][1, 2] == 12
    assert check(root, ROOMS, progress=False) == []


def test_depth_without_channel(root):
    write(root, 'train', 1, {'depth': np.full(SIZE, 3.0)})
    assert FrameFolder(root, ROOMS, 'train').read(1)['depth'].shape == (*SIZE, 1)


def test_chosen_tasks_need_only_their_folders(tmp_path):
    frame = arrays()
    write(tmp_path, 'train', 0, {name: frame[name] for name in ('image', 'depth')})
    assert list(FrameFolder(tmp_path, ROOMS, 'train', ['depth']).read(0)) == ['image', 'depth']


def test_labels_of_cityscapes_downloads(tmp_path):
    seven, nineteen = np.full(SIZE, 6), np.full(SIZE, 18)
    frame = arrays()
    frame = {'image': frame['image'], 'depth': frame['depth'] / 10}
    write(tmp_path, 'train', 0, {**frame, 'label_7': seven, 'label_19': nineteen})
    assert FrameFolder(tmp_path, STREETS, 'train').read(0)['segmentation'].max() == 6
    fine = FrameFolder(tmp_path, STREETS, 'train', num_classes=19)
    assert fine.read(0)['segmentation'].max() == 18

    (tmp_path / 'train' / 'label_7').rename(tmp_path / 'train' / 'label')
    assert FrameFolder(tmp_path, STREETS, 'train').read(0)['segmentation'].max() == 6


def test_normals_resized_by_interpolation_pass(root):
    normal = np.tile([0.0, 0.0, -1.0], (*SIZE, 1))
    normal[:, 3:] = [1, 0, 0]
    normal[:, 3] = [0.5, 0, -0.5]
    write(root, 'train', 2, {'normal': normal})
    assert check(root, ROOMS, progress=False) == []
    assert np.allclose(FrameFolder(root, ROOMS, 'train').read(2)['normal'], normal)


@pytest.mark.parametrize('sign', [-1, 1])
@pytest.mark.parametrize('length', [0.1, 0.5, 0.9])
def test_normals_beside_holes_pass(root, sign, length):
    normal = np.zeros((*SIZE, 3))
    normal[:3, :5] = [0, 0.6 * length, sign * 0.8 * length]  # a border of 7 pixels
    normal[:2, :4] /= length
    write(root, 'train', 2, {'normal': normal})
    assert check(root, ROOMS, progress=False) == []


def changed(name, place, value):
    array = arrays()[name]
    array[place] = value
    return {name: array}


FAULTS = [
    (changed('label', (2, 3), 13), 'from -1 (none) to 12. Found 13 at row 2, column 3 (1 values'),
    (changed('label', (2, 3), -2), 'Found -2 at row 2'),
    (changed('label', (2, 3), 1.5), 'Found 1.5 at row 2'),
    (changed('label', (2, 3), np.nan), 'Found nan at row 2'),
    (changed('depth', (0, 1), np.nan), 'depth should be finite and not negative'),
    (changed('depth', (0, 1), np.inf), 'Found inf at row 0, column 1'),
    (changed('depth', (0, 1), -1), 'Found -1 at row 0, column 1'),
    (
        {'depth': np.full((*SIZE, 1), 1e83)},
        'finite and not negative (0: not measured). Found 1e+83',
    ),
    ({'depth': np.full((*SIZE, 1), np.inf, np.float16)}, 'not measured). Found inf at row 0'),
    (changed('image', (3, 0, 1), 1.5), 'should lie in [0, 1]. Found 1.5 at row 3, column 0'),
    (changed('image', (3, 0, 1), np.nan), 'Found nan at row 3, column 0'),
    ({'image': np.full((*SIZE, 3), 255, np.uint8)}, 'should lie in [0, 1]. Found 255'),
    (changed('normal', (1, 1), [0, 2, 0]), 'Found length 2 at row 1, column 1'),
    (changed('normal', (1, 1), [0, np.nan, 0]), 'Found length nan at row 1, column 1'),
    ({'normal': np.full((*SIZE, 3), 0.3)}, 'Found a mean length of 0.52'),
    ({'image': np.full((5, 6, 3), 0.5)}, 'should have shape (4, 6, 3). Found (5, 6, 3)'),
    ({'label': np.zeros((6, 4))}, 'should have shape (4, 6). Found (6, 4)'),
    ({'depth': np.zeros((4, 6, 3))}, 'should have shape (4, 6, 1). Found (4, 6, 3)'),
    ({'normal': np.zeros((3, 4, 6))}, 'should have shape (4, 6, 3). Found (3, 4, 6)'),
    ({'normal': np.zeros(SIZE)}, 'should have shape (4, 6, 3). Found (4, 6)'),
    ({'depth': np.zeros((0,))}, 'should have shape (4, 6, 1). Found (0,)'),
    ({'depth': np.ones((*SIZE, 1), complex)}, 'should hold real numbers. Found dtype complex128'),
]


@pytest.mark.parametrize(('change', 'message'), FAULTS)
def test_a_bad_array_is_named(root, change, message):
    write(root, 'train', 1, change)
    path = root / 'train' / next(iter(change)) / '1.npy'
    with pytest.raises(ValueError) as caught:
        FrameFolder(root, ROOMS, 'train').read(1)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    (problem,) = check(root, ROOMS, progress=False)
    advice = ' Delete it and get the data again' if is_damage(problem) else ''
    assert str(caught.value).startswith(f'{problem}{advice}')


def test_check_lists_everything(root):
    for index, (change, _) in enumerate(FAULTS):
        write(root, 'val', index, {**arrays(), **change})
    truncate(root / 'train' / 'image' / '0.npy')
    (root / 'train' / 'normal' / '1.npy').unlink()
    np.save(root / 'train' / 'label' / 'copy of 1.npy', np.zeros(SIZE))
    problems = check(root, ROOMS, progress=False)
    assert len(problems) == len(FAULTS) + 3
    assert len({problem.split(':')[0] for problem in problems}) == len(problems)


def test_check_of_a_wanted_size(root):
    assert check(root, ROOMS, SIZE, progress=False) == []
    assert len(check(root, ROOMS, (6, 4), progress=False)) == 5 * 4


def test_check_takes_the_usual_size(root):
    write(root, 'train', 0, {'image': np.zeros((5, 6, 3))})
    problems = check(root, ROOMS, progress=False)
    assert len(problems) == 1
    assert 'train/image/0.npy: should have shape (4, 6, 3)' in problems[0].replace('\\', '/')


def test_a_number_far_off_takes_no_memory(root):
    write(root, 'train', 20261122093000, arrays())
    problems = check(root, ROOMS, progress=False)
    assert len(problems) == 4
    assert 'Found 4; missing: 3, 4, 5, 6, 7, ....' in problems[0]


def test_bad_first_image(root):
    write(root, 'train', 0, {'image': np.zeros(7)})
    with pytest.raises(ValueError, match=r'0\.npy: should have shape \(H, W, 3\). Found \(7,\)'):
        FrameFolder(root, ROOMS, 'train')


def test_missing_folders(root, tmp_path):
    for file in (root / 'val' / 'normal').iterdir():
        file.unlink()
    (root / 'val' / 'normal').rmdir()
    with pytest.raises(FileNotFoundError, match=r'val.normal.*prepare_data\.py rooms --out'):
        FrameFolder(root, ROOMS, 'val')
    assert check(root, ROOMS, progress=False) == [f'{root / "val" / "normal"}: no such folder.']

    nowhere = tmp_path / 'nowhere'
    with pytest.raises(FileNotFoundError, match='download nyuv2'):
        FrameFolder(nowhere, get_benchmark('nyuv2'), 'train')
    assert 'no such folder' in check(nowhere, ROOMS, progress=False)[0]


def test_a_folder_too_high_is_pointed_down(tmp_path):
    write(tmp_path / 'unzipped', 'train', 0, arrays())
    for root in (tmp_path, tmp_path / 'unzipped' / 'train'):
        with pytest.raises(FileNotFoundError, match=r'Is it .*unzipped that you mean'):
            FrameFolder(root, ROOMS, 'train')
        (problem,) = check(root, ROOMS, progress=False)
        assert problem.startswith(f'{root}: should hold train and val. Is it {tmp_path}')


def test_an_archive_is_pointed_out(tmp_path):
    packed = tmp_path / 'nyuv2.zip'
    packed.touch()
    for root in (tmp_path, packed):
        (problem,) = check(root, ROOMS, progress=False)
        assert problem.endswith(f'Unpack {packed} first.')


def test_chosen_tasks_are_checked_alone(root):
    for split in ('train', 'val'):
        for part in ('label', 'normal'):
            shutil.rmtree(root / split / part)
    assert check(root, ROOMS, progress=False, tasks=['depth']) == []
    assert len(check(root, ROOMS, progress=False)) == 4
    assert set(FrameFolder(root, ROOMS, 'val', ['depth']).read(0)) == {'image', 'depth'}


def test_frames_that_do_not_match(root):
    (root / 'train' / 'label' / '1.npy').unlink()
    with pytest.raises(ValueError, match=r'label: should hold frames 0 to 2. Found 2; missing: 1'):
        FrameFolder(root, ROOMS, 'train')
    for folder in (root / 'val').iterdir():
        for file in folder.iterdir():
            file.unlink()
    with pytest.raises(ValueError, match=r'named 0\.npy, 1\.npy, \.\.\. Found none'):
        FrameFolder(root, ROOMS, 'val')


def test_parameters(root):
    with pytest.raises(ValueError, match=r'`split` should be one of train, val\. Found `test`'):
        FrameFolder(root, ROOMS, 'test')
    with pytest.raises(ValueError, match='Found `edges`'):
        FrameFolder(root, ROOMS, 'train', ['edges'])
    frames = FrameFolder(root, ROOMS, 'train')
    for index in (-1, 3):
        with pytest.raises(IndexError, match=f'Frame {index} is out of range: there are 3'):
            frames.read(index)


def test_real_frames(tmp_path):
    unpack = SHARED / 'data' / 'nyuv2' / 'unpack.py'
    if not unpack.exists():
        pytest.skip('the real NYUv2 frames are not beside the repository')
    subprocess.run([sys.executable, str(unpack), str(tmp_path), '4'], check=True)
    nyuv2 = get_benchmark('nyuv2')
    assert check(tmp_path, nyuv2, (96, 128), progress=False) == []
    frames = FrameFolder(tmp_path, nyuv2, 'val')
    assert len(frames) == 4
    frame = frames.read(3)
    assert frame['segmentation'].max() <= 12
    assert 0.5 < frame['depth'].mean() < 10
