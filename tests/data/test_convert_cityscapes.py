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
    assert nineteen[ids].tolist() == [
        0, -1, 2, 4, -1, 5, 7, 8, 10, 12, 13, -1, 18, -1, -1, -1, -1
    ]  # fmt: skip
    assert set(nineteen) == set(range(-1, 19))
    with pytest.raises(ValueError, match='`num_classes` should be 7 or 19'):
        cityscapes.label_classes(8)


@pytest.fixture
def official(tmp_path):
    """Three training and one validation frame of the official tree, 32 x 64 pixels."""
    root = tmp_path / 'official'
    rng = np.random.default_rng(0)
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
    with pytest.raises(FileNotFoundError, match=r'1 in all:\n.*aachen_000001.*labelIds') as caught:
        convert_tree(official, tmp_path / 'new')
    assert 'gtFine_labelIds.png; labelTrainIds are not used' in str(caught.value)
    (official / 'disparity').rename(official / 'depth')
    with pytest.raises(FileNotFoundError, match=r'No folder .*disparity.*download cityscapes'):
        convert_tree(official, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize(
    ('part', 'mode', 'message'),
    [
        ('segmentation', '1', 'should hold uint8. Found bool'),
        ('depth', 'L', 'should hold uint16. Found uint8'),
        ('image', 'LA', 'should hold uint8 of 3 colours'),
    ],
)
def test_pixels_of_another_kind_are_named(official, part, mode, message):
    frames = {'val': cityscapes.find_frames(official, 'val')}
    Image.new(mode, (64, 32)).save(frames['val'][0][part])
    with pytest.raises(ValueError, match=message):
        cityscapes.convert_frame(frames, (16, 32), 7, 'val', 0)


def write_labels(root, make):
    """Replaces all labels by what a function makes of their numbers and of the official ones."""
    for number, path in enumerate(sorted(root.glob('gtFine/*/*/*_labelIds.png'))):
        label = np.asarray(Image.open(path))
        Image.fromarray(make(number, label).astype(np.uint8)).save(path)


def train_ids(number, label):
    classes = cityscapes.label_classes(19)[label]
    return np.where(classes < 0, 255, classes)


@pytest.mark.parametrize(
    ('make', 'found'),
    [
        (train_ids, 'train ids, of which 255 is void'),
        (lambda number, label: train_ids(number, label) % 255, 'train ids, of which 0 is road'),
        (lambda number, label: np.minimum(train_ids(number, label), 19), 'which 0 is road'),
        (lambda number, label: np.where(label > 18, 0, label), 'values up to 18: train ids'),
        (lambda number, label: label * 0 + 255, 'train ids, of which 255 is void'),
        (lambda number, label: label + 10, 'up to 43: other labels'),
    ],
)
def test_other_labels_are_refused(official, tmp_path, make, found):
    write_labels(official, make)
    with pytest.raises(ValueError, match=r'_labelIds\.png: labels .*, -1 to 33\. Found') as caught:
        convert_tree(official, tmp_path / 'out')
    assert found in str(caught.value)
    assert '*_gtFine_labelTrainIds.png are not used' in str(caught.value)
    assert 'Delete' not in str(caught.value)
    assert not (tmp_path / 'out').exists()


def test_one_frame_of_train_ids_is_refused(official):
    write_labels(official, lambda number, label: train_ids(0, label) if number == 1 else label)
    frames = {'train': cityscapes.find_frames(official, 'train')}
    with pytest.raises(ValueError, match=r'aachen_000001.*labelIds\.png: labels .*train ids'):
        cityscapes.convert_frame(frames, (16, 32), 7, 'train', 1)


@pytest.mark.parametrize(
    'make',
    [
        lambda number, label: np.where(label == 26, 255, label),  # licence plates, -1
        lambda number, label: np.where(label > 18, 7, label),  # a tunnel: road is the commonest
        lambda number, label: label % 4,  # the own car, the border, and nothing labelled
        lambda number, label: label * 0 + 8,
        lambda number, label: label if number == 3 else label % 2,
    ],
)
def test_label_ids_are_never_refused(official, tmp_path, make):
    write_labels(official, make)
    assert convert_tree(official, tmp_path / 'out') == 4


@pytest.mark.parametrize(
    ('make', 'found'),
    [
        (lambda pixels: pixels // 256, 'a largest of 126: disparity in pixels, or metric depth'),
        (lambda pixels: np.clip(pixels, 2000, None) * 2, 'metric depth in millimetres'),
    ],
)
def test_disparity_in_another_unit_is_refused(official, tmp_path, make, found):
    path = next(official.glob('disparity/train/bochum/*.png'))
    Image.fromarray(make(np.asarray(Image.open(path)).astype(np.uint16))).save(path)
    with pytest.raises(
        ValueError, match=r'bochum.*_disparity\.png: should hold the dispa'
    ) as caught:
        convert_tree(official, tmp_path / 'out')
    assert found in str(caught.value)


@pytest.mark.parametrize('value', [0, 257, 32768])
def test_disparity_of_a_few_pixels_is_right(official, tmp_path, value):
    disparity = np.zeros((32, 64), np.uint16)
    disparity[:2] = value
    for path in official.glob('disparity/*/*/*.png'):
        Image.fromarray(disparity).save(path)
    assert convert_tree(official, tmp_path / 'out') == 4
    assert check(tmp_path / 'out', get_benchmark('cityscapes'), progress=False) == []
