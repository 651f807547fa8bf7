import h5py
import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.conversion import nyuv2
from go4align_plugins.data.mtan_layout import FrameFolder, check

from .mat_files import NORMALS, convert_mat, write_mat
from .test_normals import degrees, plane_depth


def test_official_split(shared):
    numbers = nyuv2.split_numbers(1449)
    train, val = set(numbers['train']), set(numbers['val'])
    assert (len(train), len(val)) == (795, 654)
    assert train | val == set(range(1, 1450))
    assert numbers['train'][:4] == [3, 4, 5, 6]
    assert numbers['val'][:4] == [1, 2, 9, 14]
    # There, frames are counted from 0.
    assert set(shared['official_index'][shared['train']] + 1) <= train
    assert set(shared['official_index'][shared['test']] + 1) <= val


def test_official_labels():
    classes = nyuv2.label_classes()
    names = get_benchmark('nyuv2').class_names
    assert classes.shape == (895,)
    assert classes[0] == -1
    official = {4: 'ceiling', 5: 'chair', 11: 'floor', 19: 'table', 21: 'wall', 28: 'wall',
                36: 'table', 59: 'window', 64: 'picture', 83: 'sofa', 157: 'bed',
                172: 'tv', 85: 'books', 1: 'objects', 3: 'furniture', 894: 'objects'}  # fmt: skip
    assert {label: names[classes[label]] for label in official} == official
    assert set(classes) == set(range(-1, 13))


@pytest.mark.filterwarnings('ignore:The file holds 6 frames')
def test_convert_nyuv2(mat, tmp_path):
    out = tmp_path / 'out'
    assert convert_mat(mat, out) == 6
    assert convert_mat(mat, out) == 0
    nyuv2 = get_benchmark('nyuv2')
    assert check(out, nyuv2, (60, 80), progress=False) == []
    folders = {split: FrameFolder(out, nyuv2, split) for split in ('train', 'val')}
    assert (len(folders['train']), len(folders['val'])) == (4, 2)
    for number, normal in enumerate(NORMALS, start=1):
        split, index = ('val', number - 1) if number <= 2 else ('train', number - 3)
        frame = folders[split].read(index)
        assert np.allclose(frame['image'][5, 5], [1, 0, 0.2])
        assert not frame['image'][40, 70].any()
        assert [frame['segmentation'][place] for place in ((5, 5), (5, 70), (50, 70))] == [
            0,
            11,
            -1,
        ]
        depth = plane_depth(normal, 2)
        assert np.allclose(frame['depth'][..., 0], depth[1::2, 1::2])
        assert degrees(frame['normal'], normal)[depth[1::2, 1::2] > 0].max() < 1


@pytest.mark.filterwarnings('ignore:The file holds 6 frames')
def test_crop_to_the_seen_area(mat, tmp_path):
    with h5py.File(mat, 'r+') as file:
        file['labels'][:] = 0
        file['labels'][:, 10:150, 11:118] = 21
    convert_mat(mat, tmp_path / 'whole')
    convert_mat(mat, tmp_path / 'cut', crop=True)
    whole, cut = (np.load(tmp_path / name / 'val' / 'label' / '0.npy') for name in ('whole', 'cut'))
    assert (whole == -1).any()
    assert (cut == 11).all()
    with pytest.raises(ValueError, match='made with crop = True and not False'):
        convert_mat(mat, tmp_path / 'cut')


def test_real_frames_keep_labels_and_depth(shared, tmp_path):
    count = 12
    images = np.zeros((count, 96, 128, 3), np.uint8)
    depths, labels = np.ones((count, 96, 128)), np.zeros((count, 96, 128), int)
    first_label = [int(np.flatnonzero(nyuv2.label_classes() == c)[0]) for c in range(13)]
    frames = {int(shared['official_index'][i]) + 1: i for i in range(300)}
    frames = {number: i for number, i in frames.items() if number <= count}
    assert frames
    for number, i in frames.items():
        images[number - 1], depths[number - 1] = shared['image'][i], shared['depth'][i]
        seg = shared['seg13'][i].astype(int)
        labels[number - 1] = np.where(seg == 255, 0, np.take(first_label, np.minimum(seg, 12)))
    write_mat(tmp_path / 'real.mat', images, depths, labels)
    with pytest.warns(UserWarning, match='The file holds 12 frames, the official one 1449'):
        nyuv2.convert(tmp_path / 'real.mat', tmp_path, (96, 128), workers=1, progress=False)
    numbers = [3, 4, 5, 6, 7, 8, 10, 11, 12]
    for number, i in frames.items():
        frame = FrameFolder(tmp_path, get_benchmark('nyuv2'), 'train').read(numbers.index(number))
        seg = shared['seg13'][i].astype(int)
        assert (frame['segmentation'] == np.where(seg == 255, -1, seg)).all()
        assert np.allclose(frame['depth'][..., 0], shared['depth'][i])
        assert np.allclose(frame['image'] * 255, shared['image'][i])


@pytest.mark.filterwarnings('ignore:The file holds 6 frames')
def test_bad_mat(mat, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no\.mat.*download nyuv2'):
        convert_mat(tmp_path / 'no.mat', tmp_path / 'out')
    other = tmp_path / 'other.mat'
    for content in (b'MATLAB 5.0 MAT-file', mat.read_bytes()[:5000]):
        other.write_bytes(content)
        with pytest.raises(ValueError, match=r'other\.mat: should be the official'):
            convert_mat(other, tmp_path / 'out')
    with h5py.File(other, 'w') as file:
        file['images'] = np.zeros((6, 3, 160, 120), np.uint8)
    with pytest.raises(ValueError, match=r"Found {'images': .*'depths': None"):
        convert_mat(other, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()

    with h5py.File(mat, 'r+') as file:
        file['labels'][4, 7, 8] = 895
        file['depths'][0, 3, 3] = np.nan
    with pytest.raises(
        ValueError, match=r'labels of frame 5 should be 0 to 894\. Found \d+ to 895'
    ):
        convert_mat(mat, tmp_path / 'out')
    with h5py.File(mat, 'r+') as file:
        file['labels'][4, 7, 8] = 0
    with pytest.raises(ValueError, match='depth of frame 1 should be finite'):
        convert_mat(mat, tmp_path / 'out')


@pytest.mark.parametrize(
    ('name', 'kind'),
    [('images', 'f4'), ('images', 'u2'), ('depths', 'c8'), ('depths', 'S3'), ('labels', 'f4')],
)
def test_arrays_of_another_kind_are_named(mat, name, kind):
    with h5py.File(mat, 'r+') as file:
        array = file[name][:].astype(kind)
        del file[name]
        file[name] = array
    with pytest.raises(ValueError, match=rf'official\.mat: should be .*Found .*{name}'):
        nyuv2.count_frames(mat)


def test_negative_labels_are_named(mat):
    with h5py.File(mat, 'r+') as file:
        array = file['labels'][:].astype('i2')
        del file['labels']
        file['labels'] = array - 30
    with pytest.raises(ValueError, match=r'labels of frame 1 should be 0 to 894\. Found -30 to'):
        nyuv2.convert_frame(mat, {'val': [1]}, (60, 80), False, 'val', 0)


def test_depth_beyond_float32_is_named(mat):
    with h5py.File(mat, 'r+') as file:
        array = file['depths'][:].astype('f8')
        del file['depths']
        file['depths'] = array * 1e83
    with pytest.raises(ValueError, match=r'depth of frame 1 should be finite.* to \d.*e\+83'):
        nyuv2.convert_frame(mat, {'val': [1]}, (60, 80), False, 'val', 0)


@pytest.mark.parametrize('mark', [b'HEAP', b'SNOD', b'TREE'])
def test_a_damaged_directory_is_named(mat, mark):
    content = mat.read_bytes()
    assert mark in content
    mat.write_bytes(content.replace(mark, b'xxxx'))
    with pytest.raises(ValueError, match=r'official\.mat: should be the official'):
        nyuv2.count_frames(mat)
