"""CityScapes' official tree: converted frame by frame; other labels and units are refused."""

import numpy as np
import pytest
from PIL import Image

from go4align_plugins.data import get_benchmark
from go4align_plugins.data.conversion import cityscapes
from go4align_plugins.data.mtan_layout import FrameFolder, check


def test_cityscapes_labels():
    seven, nineteen = (cityscapes.label_classes(n) for n in (7, 19))
    # road, parking, building, fence, tunnel, pole, traffic sign, vegetation, sky, rider, car,
    # caravan, bicycle; then void and what is no official id.
    ids = [7, 9, 11, 13, 16, 17, 20, 21, 23, 25, 26, 29, 33, 0, 6, 34, 255]
    assert seven[ids].tolist() == [0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 6, 6, -1, -1, -1, -1]
    expected = [0, -1, 2, 4, -1, 5, 7, 8, 10, 12, 13, -1, 18, -1, -1, -1, -1]
    assert nineteen[ids].tolist() == expected
    assert set(nineteen) == set(range(-1, 19))
    with pytest.raises(ValueError, match='`num_classes` should be 7 or 19'):
        cityscapes.label_classes(8)


@pytest.fixture
def official(tmp_path):
    """Three training and one validation frame of the official tree, 32 x 64 pixels."""
    root, rng = tmp_path / 'official', np.random.default_rng(0)
    for split, city, count in (('train', 'bochum', 1), ('train', 'aachen', 2), ('val', 'ulm', 1)):
        for number in range(count):
            image = np.full((32, 64, 3), [255, 0, 51], np.uint8)
            ids = rng.integers(0, 34, (32, 64)).astype(np.uint8)
            disparity = rng.integers(1, 32258, (32, 64)).astype(np.uint16)
            ids[1, 1], disparity[1, 1], disparity[1, 3] = 26, 0, 32257
            for array, (folder, end) in zip((image, ids, disparity), cityscapes.FILES.values()):
                path = root / folder / split / city / f'{city}_{number:06d}_000019{end}'
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    return root


def convert_tree(root, out, num_classes=7):
    return cityscapes.convert(root, out, (16, 32), num_classes, workers=1, progress=False)


def test_convert_cityscapes(official, tmp_path):
    assert convert_tree(official, tmp_path / 'out') == 4
    cityscapes = get_benchmark('cityscapes')
    assert check(tmp_path / 'out', cityscapes, (16, 32), progress=False) == []
    frames = FrameFolder(tmp_path / 'out', cityscapes, 'train')
    assert len(frames) == 3
    frame = frames.read(0)
    assert np.allclose(frame['image'], [1, 0, 0.2])
    assert frame['segmentation'][0, 0] == 6
    assert frame['depth'][0, :2, 0] == pytest.approx([0, 0.4922], abs=5e-5)
    # The frames are in the order of their names: two of aachen, then bochum's.
    path = official / 'disparity' / 'train' / 'bochum' / 'bochum_000000_000019_disparity.png'
    pixels = np.asarray(Image.open(path))[1::2, 1::2]
    assert np.allclose(frames.read(2)['depth'][..., 0], pixels / 65535)


def test_nineteen_classes_in_folders_of_the_zip_files(official, tmp_path):
    for name in ('leftImg8bit', 'gtFine', 'disparity'):
        (official / f'{name}_trainvaltest').mkdir()
        (official / name).rename(official / f'{name}_trainvaltest' / name)
    convert_tree(official, tmp_path / 'out', 19)
    frames = FrameFolder(tmp_path / 'out', get_benchmark('cityscapes'), 'train', num_classes=19)
    assert frames.read(0)['segmentation'][0, 0] == 13
    with pytest.raises(ValueError, match='num_classes = 19 and not 7'):
        convert_tree(official, tmp_path / 'out')


def test_bad_tree(official, tmp_path):
    label, disparity = (
        official / folder / 'train' / 'aachen' / f'aachen_000001_000019{end}'
        for folder, end in (*cityscapes.FILES.values(),)[1:]
    )
    Image.fromarray(np.zeros((16, 64), np.uint8)).save(label)
    with pytest.raises(ValueError, match=r'labelIds.png: should have the size of its image'):
        convert_tree(official, tmp_path / 'out')
    disparity.write_bytes(disparity.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r'aachen_000001.*disparity.png: should be a whole image'):
        convert_tree(official, tmp_path / 'out')
    label.rename(label.with_name(label.name.replace('labelIds', 'labelTrainIds')))
    match = r'1 in all:\n.*aachen_000001.*labelIds.png\n.*labelIds.png; labelTrainIds are not used'
    with pytest.raises(FileNotFoundError, match=match):
        convert_tree(official, tmp_path / 'new')
    (official / 'disparity').rename(official / 'depth')
    with pytest.raises(FileNotFoundError, match=r'No folder .*disparity.*download cityscapes'):
        convert_tree(official, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


def train_ids(void=255):
    classes = cityscapes.label_classes(19)
    return lambda number, label: np.where(classes < 0, void, classes).astype('u1')[label]


OTHER = r'labels .*, -1 to 33\. Found.*%s(?!.*Delete)(?=.*\*_gtFine_labelTrainIds.png are not used)'


@pytest.mark.parametrize(
    ('folder', 'make', 'found'),
    [
        # A tree of other labels is refused before any frame is made.
        ('gtFine', train_ids(), OTHER % 'train ids, of which 255 is void'),
        ('gtFine', train_ids(0), OTHER % 'train ids, of which 0 is road'),
        ('gtFine', train_ids(19), OTHER % 'train ids, .*which 0 is road'),
        ('gtFine', lambda n, a: np.where(a > 18, 0, a), OTHER % 'values up to 18: train ids'),
        ('gtFine', lambda n, a: a * 0 + 255, OTHER % 'train ids, of which 255 is void'),
        ('gtFine', lambda n, a: a + 10, OTHER % 'up to 43: other labels'),
        # Other pictures are found when their frame is made.
        ('gtFine', lambda n, a: train_ids()(n, a) if n == 1 else a, r'labels .*train ids'),
        ('gtFine', lambda n, a: a > 5, 'should hold uint8. Found bool'),
        ('disparity', lambda n, a: (a // 256).astype('u1'), 'should hold uint16. Found uint8'),
        ('leftImg8bit', lambda n, a: np.ascontiguousarray(a[..., :2]), 'uint8 of 3 colours'),
        ('disparity', lambda n, a: a.astype('u2') // 256, 'of 126: disparity in pixels, or metric'),
        ('disparity', lambda n, a: np.clip(a, 2000, None).astype('u2') * 2, 'in millimetres'),
        # Right pictures are never refused.
        ('gtFine', lambda n, a: np.where(a == 26, 255, a).astype('u1'), ''),  # licence plates, -1
        ('gtFine', lambda n, a: np.where(a > 18, 7, a).astype('u1'), ''),  # a tunnel: mostly road
        ('gtFine', lambda n, a: a % 4, ''),  # the own car, the border, and nothing labelled
        ('gtFine', lambda n, a: a if n == 3 else a % 2, ''),
        ('disparity', lambda n, a: np.where(np.arange(64) < 4, 32768, 0 * a).astype('u2'), ''),
        ('disparity', lambda n, a: np.where(np.arange(64) < 4, 1, 0 * a).astype('u2'), ''),
    ],
)
def test_other_pictures_are_refused_and_right_ones_are_not(official, tmp_path, folder, make, found):
    for number, path in enumerate(sorted(official.glob(f'{folder}/*/*/*'))):
        Image.fromarray(make(number, np.asarray(Image.open(path)))).save(path)
    out = tmp_path / 'out'
    if found:
        with pytest.raises(ValueError, match=rf'(?s)aachen_00000.*\.png: .*{found}'):
            convert_tree(official, out)
        assert not out.exists() or 'not used' not in found
    else:
        assert convert_tree(official, out) == 4
        assert check(out, get_benchmark('cityscapes'), progress=False) == []
