"""Copies of NYUv2's official file in another form are refused by name."""

import h5py
import numpy as np
import pytest

from go4align_plugins.data.conversion import nyuv2

from .mat_files import convert_mat, write_mat


def change(mat, **changes):
    """Replaces arrays of the file by what a function makes of them."""
    with h5py.File(mat, 'r+') as file:
        for name, make in changes.items():
            array = make(file[name][:])
            del file[name]
            file[name] = array


def turned(array):
    return array.swapaxes(-1, -2)


def frames_last(array):
    return np.moveaxis(array, 0, -1)


ROW_ORDER = [
    ({'images': turned, 'depths': turned, 'labels': turned}, 'images (N, 3, H, W), depths (N, H'),
    ({'images': turned}, r'images (N, 3, H, W), so in row order'),
    ({'depths': turned}, r'depths (N, H, W), so in row order'),
    ({'labels': turned}, r'labels (N, H, W), so in row order'),
    ({'images': lambda a: a.transpose(0, 3, 2, 1)}, 'images (N, H, W, 3), so in row order'),
    (
        {
            'images': lambda a: a.transpose(3, 2, 1, 0),
            'depths': lambda a: frames_last(turned(a)),
            'labels': lambda a: frames_last(turned(a)),
        },
        'images (H, W, 3, N), depths (H, W, N), labels (H, W, N), so in row order',
    ),
    (
        {'images': lambda a: a.transpose(2, 3, 1, 0)},
        'images (W, H, 3, N). Mend it',
    ),
    (
        {name: lambda a: turned(a[..., :100]) for name in ('images', 'depths', 'labels')},
        'images (N, 3, H, W), depths (N, H, W), labels (N, H, W), so in row order',
    ),
]


@pytest.mark.filterwarnings('ignore:The file holds 6 frames')
@pytest.mark.parametrize(('changes', 'found'), ROW_ORDER)
def test_row_order_is_refused(mat, tmp_path, changes, found):
    change(mat, **changes)
    with pytest.raises(
        ValueError, match=r'official\.mat: should .*W = 640 before H = 480'
    ) as caught:
        convert_mat(mat, tmp_path / 'out')
    assert found in str(caught.value)
    assert 'Mend it: use the file as it was downloaded' in str(caught.value)
    assert not (tmp_path / 'out').exists()


@pytest.mark.filterwarnings('ignore:The file holds 6 frames')
@pytest.mark.parametrize(
    ('factor', 'found'),
    [
        (1000, 'millimetres. Mend it: divide by 1000'),
        (300, 'centimetres. Mend it: divide by 100'),
        (100, 'centimetres, or a picture from 0 to 255'),
        (25, 'a picture from 0 to 255. Mend it: divide'),
        (20000, 'a picture from 0 to 65535'),
        (0.1, 'scaled to [0, 1]'),
    ],
)
def test_depth_in_another_unit_is_refused(mat, tmp_path, factor, found):
    change(mat, depths=lambda array: array * np.float32(factor))
    with pytest.raises(ValueError, match=r'depth should be in metres.* Found') as caught:
        convert_mat(mat, tmp_path / 'out')
    assert str(mat) in str(caught.value)
    assert found in str(caught.value)
    assert not (tmp_path / 'out').exists()


def test_a_single_frame_in_another_unit_is_refused(mat):
    change(mat, depths=lambda array: array * np.float32(1000))
    with pytest.raises(ValueError, match=r'frame 2: depth should be in metres.*: millimetres'):
        nyuv2.convert_frame(mat, {'val': [1, 2]}, (60, 80), False, 'val', 1)


def mapped(number):
    """Labels from 0 to a number: about every class is in every frame."""

    def labels(array):
        return np.random.default_rng(0).integers(0, number + 1, array.shape).astype(np.uint16)

    return labels


@pytest.mark.filterwarnings('ignore:The file holds 6 frames')
@pytest.mark.parametrize(
    ('labels', 'number'),
    [
        (mapped(13), 13),
        (mapped(40), 40),
        (lambda array: np.where(mapped(13)(array) == 13, 255, mapped(13)(array)), 13),
        (lambda array: mapped(14)(array).astype(np.int16) - 1, 13),
        (lambda array: np.where(array > 40, 38, array // 20), 40),
    ],
)
def test_mapped_labels_are_refused(mat, tmp_path, labels, number):
    change(mat, labels=labels)
    with pytest.raises(ValueError, match=r'labels should be the official ones.*894.*') as caught:
        convert_mat(mat, tmp_path / 'out')
    assert f'in 6 frames: as if mapped to {number} classes' in str(caught.value)
    assert not (tmp_path / 'out').exists()


@pytest.mark.filterwarnings('ignore:The file holds 6 frames')
@pytest.mark.parametrize(
    'labels',
    [
        lambda array: np.where(array > 40, 0, array),  # walls and nothing else
        lambda array: np.where(array > 40, 3, array),  # low labels, but many walls
        lambda array: np.where(np.arange(6)[:, None, None] == 5, 894, array * 0 + 5),
        lambda array: array * 0,
    ],
)
def test_few_labels_are_no_reason(mat, tmp_path, labels):
    change(mat, labels=lambda array: labels(array).astype(np.uint16))
    assert convert_mat(mat, tmp_path / 'out') == 6


@pytest.mark.filterwarnings('ignore:The file holds 300 frames')
def test_real_frames_of_40_classes_are_refused(shared, tmp_path):
    count = len(shared['depth'])
    labels = shared['seg40'].astype(int) + 1
    labels[labels == 256] = 0
    images = np.zeros((count, 96, 128, 3), np.uint8)
    write_mat(tmp_path / 'real.mat', images, shared['depth'], labels)
    with pytest.raises(ValueError, match='as if mapped to 40 classes'):
        nyuv2.convert(tmp_path / 'real.mat', tmp_path / 'out', progress=False)
