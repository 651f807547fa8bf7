"""NYUv2's official file: converted frame by frame; copies in another form are refused by name."""

import re

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.conversion import nyuv2
from go4align_plugins.data.mtan_layout import FrameFolder, check

from .test_geometry import degrees, plane_depth

h5py = pytest.importorskip('h5py')
pytestmark = pytest.mark.filterwarnings('ignore:The file holds 6 frames')

# Official numbers 1 and 2 are for testing, 3 to 6 for training.
NORMALS = [(0, 0, -1), (0.6, 0, -0.8), (-0.6, 0, -0.8), (0, -0.6, -0.8), (0, 0.6, -0.8), (0, 0, -1)]
NYUV2 = get_benchmark('nyuv2')


@pytest.fixture
def mat(tmp_path):
    """Six planes in the official structure, a quarter of the official size."""
    depths = np.stack([plane_depth(normal, 2) for normal in NORMALS])
    images = np.zeros((6, 120, 160, 3), np.uint8)
    images[:, :60, :80] = [255, 0, 51]
    labels = np.full((6, 120, 160), 21)
    labels[:, :60, :80] = 157
    labels[:, 60:, 80:] = 0
    with h5py.File(tmp_path / 'official.mat', 'w') as file:
        file['images'] = images.transpose(0, 3, 2, 1)
        file['depths'] = depths.transpose(0, 2, 1).astype(np.float32)
        file['labels'] = labels.transpose(0, 2, 1).astype(np.uint16)
    return tmp_path / 'official.mat'


def convert(mat, out, **options):
    return nyuv2.convert(mat, out, (60, 80), workers=1, progress=False, **options)


def test_official_split(shared):
    numbers = nyuv2.split_numbers(1449)
    train, val = set(numbers['train']), set(numbers['val'])
    assert (len(train), len(val)) == (795, 654)
    assert train | val == set(range(1, 1450))
    assert numbers['val'][:4] == [1, 2, 9, 14]
    # There, frames are counted from 0.
    assert set(shared['official_index'][shared['train']] + 1) <= train
    assert set(shared['official_index'][shared['test']] + 1) <= val


def test_official_labels():
    classes, names = nyuv2.label_classes(), NYUV2.class_names
    official = {4: 'ceiling', 5: 'chair', 11: 'floor', 19: 'table', 21: 'wall', 28: 'wall',
                36: 'table', 59: 'window', 64: 'picture', 83: 'sofa', 157: 'bed',
                172: 'tv', 85: 'books', 1: 'objects', 3: 'furniture', 894: 'objects'}  # fmt: skip
    assert {label: names[classes[label]] for label in official} == official
    assert set(classes) == set(range(-1, 13))
    assert (len(classes), classes[0]) == (895, -1)


def test_convert_nyuv2(mat, tmp_path):
    out = tmp_path / 'out'
    with pytest.warns(UserWarning, match='The file holds 6 frames, the official one 1449: 4 of'):
        assert convert(mat, out) == 6
    assert convert(mat, out) == 0
    assert check(out, NYUV2, (60, 80), progress=False) == []
    folders = {split: FrameFolder(out, NYUV2, split) for split in ('train', 'val')}
    assert (len(folders['train']), len(folders['val'])) == (4, 2)
    for number, normal in enumerate(NORMALS, start=1):
        split, index = ('val', number - 1) if number <= 2 else ('train', number - 3)
        frame = folders[split].read(index)
        assert np.allclose(frame['image'][5, 5], [1, 0, 0.2])
        assert not frame['image'][40, 70].any()
        assert frame['segmentation'][[5, 5, 50], [5, 70, 70]].tolist() == [0, 11, -1]
        depth = plane_depth(normal, 2)[1::2, 1::2]
        assert np.allclose(frame['depth'][..., 0], depth)
        assert degrees(frame['normal'], normal)[depth > 0].max() < 1


def test_crop_to_the_seen_area(mat, tmp_path):
    with h5py.File(mat, 'r+') as file:
        file['labels'][:] = 0
        file['labels'][:, 10:150, 11:118] = 21
    convert(mat, tmp_path / 'whole')
    convert(mat, tmp_path / 'cut', crop=True)
    whole, cut = (np.load(tmp_path / name / 'val' / 'label' / '0.npy') for name in ('whole', 'cut'))
    assert (whole == -1).any()
    assert (cut == 11).all()
    with pytest.raises(ValueError, match='made with crop = True and not False'):
        convert(mat, tmp_path / 'cut')


def test_files_that_are_missing_cut_or_lack_an_array(mat, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no\.mat.*download nyuv2'):
        convert(tmp_path / 'no.mat', tmp_path / 'out')
    content = mat.read_bytes()
    marks = [content.replace(mark, b'xxxx') for mark in (b'HEAP', b'SNOD', b'TREE')]
    for spoiled in (b'MATLAB 5.0 MAT-file', content[:5000], *marks):
        assert spoiled != content
        mat.write_bytes(spoiled)
        with pytest.raises(ValueError, match=r'official\.mat: should be the official'):
            nyuv2.count_frames(mat)
    with h5py.File(mat, 'w') as file:
        file['images'] = np.zeros((6, 3, 160, 120), np.uint8)
    with pytest.raises(ValueError, match=r"Found {'images': .*'depths': None"):
        nyuv2.count_frames(mat)


def turned(array):
    return array.swapaxes(-1, -2)


def times(factor):
    return lambda array: array * np.float32(factor)


def mapped(number):
    """Labels from 0 to a number: about every class is in every frame."""
    return lambda array: np.random.default_rng(0).integers(0, number + 1, array.shape, 'u2')


FORM = r': .*W = 640 before H = 480\. Found {.*Mend it: use the file as it was downloaded'


@pytest.mark.parametrize(
    ('names', 'make', 'found'),
    [
        *(
            (names, turned, FORM)
            for names in ('images', 'depths', 'labels', 'images depths labels')
        ),
        ('images', lambda a: a.transpose(0, 3, 2, 1), FORM),
        ('depths', lambda a: a.transpose(2, 1, 0), FORM),
        ('images', lambda a: a.astype('u2'), FORM),
        ('depths', lambda a: a.astype('c8'), FORM),
        ('labels', lambda a: a.astype('f4'), FORM),
        ('depths', times(1000), 'in metres.*millimetres. Mend it: divide by 1000'),
        ('depths', times(300), 'in metres.*centimetres. Mend it: divide by 100'),
        ('depths', times(25), 'in metres.*a picture from 0 to 255. Mend it'),
        ('depths', times(0.1), 'in metres.*scaled to .0, 1.'),
        ('depths', lambda a: a * np.float64(1e83), r'depth of frame 1 should be finite.*e\+8'),
        ('depths', lambda a: a * np.nan, 'depth of frame 1 should be finite and not negative'),
        ('labels', lambda a: a + np.uint16(800), 'labels of frame 1 should be 0 to 894. .* to 957'),
        ('labels', lambda a: a.astype('i2') - 30, 'of frame 1 should be 0 to 894. Found -30'),
        ('labels', mapped(13), 'to 894. .* in 6 frames: as if mapped to 13 classes'),
        ('labels', mapped(40), 'as if mapped to 40 classes. Mend it: use the file as it was'),
        ('labels', lambda a: np.where(mapped(13)(a) == 13, 255, mapped(13)(a)), 'to 13 classes'),
        ('labels', lambda a: np.where(a > 40, 38, a // 20), 'as if mapped to 40 classes'),
        # Low labels, but many walls; the same label in all frames but one; none.
        ('labels', lambda a: np.where(a > 40, 3, a), ''),
        ('labels', lambda a: np.where(np.arange(6)[:, None, None] == 5, 894, a * 0 + 5), ''),
        ('labels', lambda a: a * 0, ''),
    ],
)
def test_other_arrays_are_refused_and_few_labels_are_not(mat, tmp_path, names, make, found):
    with h5py.File(mat, 'r+') as file:
        for name in names.split():
            array = make(file[name][:])
            del file[name]
            file[name] = array
    if found:
        with pytest.raises(ValueError, match=rf'(?s)^{re.escape(str(mat))}.*{found}'):
            convert(mat, tmp_path / 'out')
        assert not (tmp_path / 'out').exists()
    else:
        assert convert(mat, tmp_path / 'out') == 6
