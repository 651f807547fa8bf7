"""Data in another unit or order is named, and how to mend it; right data is not refused."""

import numpy as np
import pytest

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder, check

from .layout_files import SIZE, arrays, write

ROOMS, STREETS = get_benchmark('rooms'), get_benchmark('streets')
NORMAL = np.tile([0.0, 0.6, -0.8], (*SIZE, 1))
METRES = np.linspace(0.8, 9.9, 24).reshape(*SIZE, 1)
METRES[0, 0] = 0
LABEL = np.arange(24).reshape(SIZE)


def problems_of(folder, benchmark, name, array, num_classes=None):
    """The findings of checker and reader in a folder of which one part is another array."""
    frame = arrays()
    if benchmark is STREETS:
        frame |= {'label': np.full(SIZE, 6), 'depth': np.where(METRES > 0, 0.05, 0)}
        del frame['normal']
    for split, index in (('train', 0), ('train', 1), ('val', 0)):
        write(folder, split, index, {**frame, name: array})
    problems, said = check(folder, benchmark, progress=False, num_classes=num_classes), ''
    try:
        FrameFolder(folder, benchmark, 'train', num_classes=num_classes).read(1)
    except ValueError as error:
        said = str(error)
    return problems, said


OTHERS = [
    (ROOMS, 'depth', (METRES * 1000).astype('u2'), 'metres', 'millimetres. Mend it: divide by 10'),
    (ROOMS, 'depth', np.where(METRES < 5, 0, METRES) * 1000, 'metres', 'millimetres'),
    (ROOMS, 'depth', METRES * 100, 'metres', 'centimetres. Mend it: divide by 100'),
    (ROOMS, 'depth', METRES[..., 0] * 20, 'metres', 'centimetres, or a picture from 0 to 255'),
    (ROOMS, 'depth', METRES * 6553, 'metres', 'a picture from 0 to 65535'),
    (STREETS, 'depth', METRES * 3000, 'inverse depth, at most 1', 'raw 16-bit values'),
    (STREETS, 'depth', METRES * 10, 'at most 1', 'disparity in pixels, or metric depth in metres'),
    (STREETS, 'depth', METRES * 50, 'at most 1', 'metric depth in metres. Mend it: divide 1.847'),
    (STREETS, 'depth', METRES * 10 * (METRES > 9.5), 'at most 1', 'in pixels'),
    (ROOMS, 'image', LABEL[..., None] * np.full(3, 10), '[0, 1]', 'from 0 to 255. Mend it: divide'),
    (ROOMS, 'image', LABEL[..., None] * np.full(3, 2000), '[0, 1]', 'a picture from 0 to 65535'),
    (STREETS, 'image', np.tile([-2.1, 0.1, 2.6], (*SIZE, 1)), '[0, 1]', 'standardised'),
    (ROOMS, 'normal', (NORMAL + 1) / 2, 'length 1', 'colours from 0 to 1, (n + 1) / 2'),
    (ROOMS, 'normal', ((NORMAL + 1) * 127.5).astype(np.uint8), 'length 1', 'from 0 to 255'),
    (ROOMS, 'normal', (NORMAL + 1) * 32767, 'length 1', 'colours from 0 to 65535'),
    (ROOMS, 'normal', (NORMAL * 127).astype(np.int8), 'length 1', 'divide each by its length'),
    (ROOMS, 'normal', NORMAL / 2, 'length 1', 'vectors of another length'),
]
LABELS = [
    (13, np.where(LABEL == 0, 255, LABEL), "NYUv2's 40 classes"),
    (13, LABEL * 30, "NYUv2's 894 official labels"),
    (13, LABEL % 14, 'classes from 1, and 0 for no label. Mend it: subtract 1'),
    (13, np.where(LABEL == 0, 255, LABEL % 13).astype(np.uint8), '255 for no label. Mend it'),
    (7, np.where(LABEL == 0, 255, LABEL % 19), "CityScapes' 19 classes (train ids)"),
    (7, LABEL + 10, "CityScapes' official label ids"),
    (19, LABEL + 10, "CityScapes' official label ids"),
]
FRAME = arrays()
MOVED = [
    (ROOMS, 'image', FRAME['image'].transpose(2, 0, 1), 'channels first where (H, W, 3) belongs'),
    (ROOMS, 'image', FRAME['image'].transpose(2, 0, 1)[None], 'array.squeeze().transpose(1, 2, 0)'),
    (ROOMS, 'image', FRAME['image'][None], 'Mend it: array.squeeze()'),
    (ROOMS, 'image', np.zeros((*SIZE, 4)), 'array[..., :3]'),
    (ROOMS, 'image', FRAME['image'][..., 0], 'np.stack([array.squeeze()] * 3, axis=-1)'),
    (ROOMS, 'normal', NORMAL.transpose(2, 0, 1), 'array.transpose(1, 2, 0)'),
    (ROOMS, 'depth', METRES.transpose(2, 0, 1), '(H, W, 1) belongs. Mend it: array.squeeze()'),
    (ROOMS, 'label', FRAME['label'][..., None], 'where (H, W) belongs. Mend it: array.squeeze()'),
    (STREETS, 'label', np.full(SIZE, 6).T, 'columns before rows where (H, W) belongs'),
    (ROOMS, 'depth', METRES.swapaxes(0, 1), 'columns before rows where (H, W, 1) belongs'),
]
CASES = [(*case[:-1], 'should have shape', case[-1]) for case in MOVED] + OTHERS
CASES += [
    (ROOMS if n == 13 else STREETS, 'label', array, f'from -1 (none) to {n - 1}', found, n)
    for n, array, found in LABELS
]


@pytest.mark.parametrize('case', CASES)
def test_another_unit_set_or_order_is_named(tmp_path, case):
    benchmark, name, array, rule, found, *num_classes = case
    problems, said = problems_of(tmp_path, benchmark, name, array, *num_classes)
    assert len(problems) == 3
    for text in (*problems, said):
        assert name in text
        assert rule in text.partition('Found')[0]
        assert found in text.partition('Found')[2]
        assert 'Delete' not in text


@pytest.mark.parametrize('value', [-2, 895, np.nan, 2.5])
def test_labels_of_no_known_set_are_damage(tmp_path, value):
    problems, said = problems_of(tmp_path, ROOMS, 'label', np.where(LABEL == 9, value, 5))
    assert len(problems) == 3
    assert 'Mend' not in problems[0]
    assert 'Delete it' in said


@pytest.mark.parametrize('array', [METRES / 9.9, METRES / 255])
def test_depth_in_0_to_1_is_named_by_the_whole_data_set(tmp_path, array):
    (problem,), said = problems_of(tmp_path, ROOMS, 'depth', array)
    assert problem.startswith(f'{tmp_path}: depth should be in metres')
    assert 'scaled to [0, 1]. Mend it: multiply' in problem
    assert not said  # one frame alone may be a close-up
    write(tmp_path, 'val', 0, {'depth': METRES})
    assert check(tmp_path, ROOMS, progress=False) == []


RIGHT = [
    *((ROOMS, 'depth', METRES.astype(kind)) for kind in (np.float16, np.uint8)),
    (ROOMS, 'depth', np.zeros((*SIZE, 1))),
    (ROOMS, 'depth', np.full(SIZE, 14.9)),
    (ROOMS, 'depth', np.where(LABEL < 11, 65.535, 2.5)),
    (ROOMS, 'depth', np.where(LABEL < 3, 0.75, 0)),
    (ROOMS, 'label', (LABEL % 13).astype(np.uint8)),
    (ROOMS, 'label', (LABEL % 14 - 1.0).astype(np.float64)),
    (ROOMS, 'image', np.zeros((*SIZE, 3), np.uint8)),
    (ROOMS, 'image', np.ones((*SIZE, 3))),
    (ROOMS, 'normal', np.zeros((*SIZE, 3))),
    (ROOMS, 'normal', np.full((*SIZE, 3), 3**-0.5)),
    (STREETS, 'depth', np.where(LABEL == 5, 0.4922, 0)[..., None]),
    (STREETS, 'depth', np.ones((*SIZE, 1))),
    (STREETS, 'depth', np.full(SIZE, 1e-4)),
]


@pytest.mark.parametrize(('benchmark', 'name', 'array'), RIGHT)
def test_right_data_is_not_refused(tmp_path, benchmark, name, array):
    assert problems_of(tmp_path, benchmark, name, array) == ([], '')


def test_the_size_is_that_of_right_files_and_images_on_their_side_leave_them_alone(tmp_path):
    image = FRAME['image'].swapaxes(0, 1)
    problems, said = problems_of(tmp_path, ROOMS, 'image', image)
    assert len(problems) == 3
    assert all('(4, 6, 3). Found (6, 4, 3): columns before rows' in text for text in problems)
    assert 'here or in the images. Mend it: array.swapaxes(0, 1)' in said
    problems, _ = problems_of(tmp_path, ROOMS, 'image', FRAME['image'].transpose(2, 0, 1) * 255)
    assert [problem.partition('. Found')[0][-9:] for problem in problems] == ['(4, 6, 3)'] * 3
    write(tmp_path, 'train', 1, arrays(label=np.zeros((5, 6))))
    problems = check(tmp_path, ROOMS, progress=False)
    assert sum('shape (4, 6). Found (5, 6).' in problem for problem in problems) == 1
