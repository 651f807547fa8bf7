import h5py
import numpy as np
import pytest
from PIL import Image

from go4align_plugins.benchmarks import convert_cityscapes, convert_nyuv2, get_benchmark
from go4align_plugins.benchmarks.layouts import FrameFolder, check
from go4align_plugins.benchmarks.normals import Intrinsics, fit_normals
from go4align_plugins.benchmarks.resize import resize_image, resize_nearest

from .. import SHARED

FRAMES = SHARED / 'data' / 'nyuv2' / 'frames.npz'
SMALL = convert_nyuv2.INTRINSICS.scaled(0.25, 0.25)


@pytest.fixture(scope='module')
def shared():
    if not FRAMES.exists():
        pytest.skip('the real NYUv2 frames are not beside the repository')
    with np.load(FRAMES) as frames:
        return dict(frames)


def test_resize_by_hand():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 1], image[0, 2] = 255, 51
    assert np.allclose(resize_image(image, (1, 2))[0, :, 0], [128 / 255, 13 / 255], atol=0.002)
    labels = np.arange(12).reshape(2, 6)
    assert resize_nearest(labels, (2, 2)).tolist() == [[1, 4], [7, 10]]
    assert resize_nearest(labels, (4, 6))[:, 0].tolist() == [0, 0, 6, 6]


def rays(shape, camera):
    height, width = shape
    u = (np.arange(width) - camera.cx) / camera.fx
    v = (np.arange(height) - camera.cy) / camera.fy
    return np.stack([*np.meshgrid(u, v), np.ones(shape)], axis=-1)


def plane_depth(normal, distance, shape=(120, 160), camera=SMALL):
    """Depth of the plane ``normal . X = -distance``; 0 where it is not seen within 10."""
    inverse = rays(shape, camera) @ np.asarray(normal, float) / -distance
    return np.where(inverse > 0.1, 1 / np.where(inverse > 0.1, inverse, 1), 0)


def degrees(found, expected):
    return np.degrees(np.arccos(np.clip((found * expected).sum(-1), -1, 1)))


def test_a_wall_that_faces_the_camera():
    normals = fit_normals(np.full((120, 160), 2.0), SMALL)
    assert np.allclose(normals, [0, 0, -1], atol=1e-6)


@pytest.mark.parametrize(
    'normal', [(0.6, 0, -0.8), (-0.8, 0, -0.6), (0, -1, 0), (0, 0.9, -0.436), (0.48, -0.6, -0.64)]
)
def test_planes(normal):
    depth = plane_depth(normal, 1.3)
    normals = fit_normals(depth, SMALL)
    # At the rim of what is seen of a plane, a fit may lack neighbours: then there is no normal.
    fitted = np.linalg.norm(normals, axis=-1) > 0
    assert fitted[depth > 0].mean() > 0.97
    assert not fitted[depth == 0].any()
    assert degrees(normals, np.divide(normal, np.linalg.norm(normal)))[fitted].max() < 0.1
    assert ((normals * rays(depth.shape, SMALL)).sum(-1)[fitted] < 0).all()


def test_planes_at_a_depth_edge_do_not_mix():
    left, right = (0.6, 0, -0.8), (0, 0, -1)
    depth = plane_depth(left, 1.5)
    depth[:, 80:] = plane_depth(right, 4)[:, 80:]
    normals = fit_normals(depth, SMALL)
    assert degrees(normals[:, :80], left).max() < 0.1
    assert degrees(normals[:, 80:], right).max() < 0.1


def test_noise_and_holes():
    rng = np.random.default_rng(0)
    depth = plane_depth((0.6, 0, -0.8), 1.5, (480, 640), convert_nyuv2.INTRINSICS)
    depth += rng.normal(0, 0.0015, depth.shape) * depth**2  # a Kinect's
    depth[rng.random(depth.shape) < 0.2] = 0
    normals = fit_normals(depth, convert_nyuv2.INTRINSICS)
    assert (normals[depth == 0] == 0).all()
    assert degrees(normals, (0.6, 0, -0.8))[depth > 0].mean() < 4
    assert not fit_normals(np.zeros((9, 9)), SMALL).any()


def test_scaled_intrinsics_see_the_same_rays():
    half = Intrinsics(500, 510, 319.5, 239.5).scaled(0.5, 0.5)
    assert (half.fx, half.fy, half.cx, half.cy) == (250, 255, 159.5, 119.5)


def test_sign_and_intrinsics_agree_with_real_frames(shared):
    camera = convert_nyuv2.INTRINSICS.scaled(0.2, 0.2)
    for number in range(0, 300, 60):
        normals = fit_normals(shared['depth'][number].astype(float), camera, radius=1)
        assert np.median(degrees(normals, shared['normal'][number] / 127)) < 6


def test_official_split(shared):
    numbers = convert_nyuv2.split_numbers(1449)
    train, val = set(numbers['train']), set(numbers['val'])
    assert (len(train), len(val)) == (795, 654)
    assert train | val == set(range(1, 1450))
    assert numbers['train'][:4] == [3, 4, 5, 6]
    assert numbers['val'][:4] == [1, 2, 9, 14]
    # There, frames are counted from 0.
    assert set(shared['official_index'][shared['train']] + 1) <= train
    assert set(shared['official_index'][shared['test']] + 1) <= val


def test_official_labels():
    classes = convert_nyuv2.label_classes()
    names = get_benchmark('nyuv2').class_names
    assert classes.shape == (895,)
    assert classes[0] == -1
    official = {4: 'ceiling', 5: 'chair', 11: 'floor', 19: 'table', 21: 'wall', 28: 'wall',
                36: 'table', 59: 'window', 64: 'picture', 83: 'sofa', 157: 'bed',
                172: 'tv', 85: 'books', 1: 'objects', 3: 'furniture', 894: 'objects'}  # fmt: skip
    assert {label: names[classes[label]] for label in official} == official
    assert set(classes) == set(range(-1, 13))


# Official numbers 1 and 2 are for testing, 3 to 6 for training.
NORMALS = [(0, 0, -1), (0.6, 0, -0.8), (-0.6, 0, -0.8), (0, -0.6, -0.8), (0, 0.6, -0.8), (0, 0, -1)]


def write_mat(path, images, depths, labels):
    with h5py.File(path, 'w') as file:
        file['images'] = np.ascontiguousarray(images.transpose(0, 3, 2, 1))
        file['depths'] = np.ascontiguousarray(depths.transpose(0, 2, 1).astype(np.float32))
        file['labels'] = np.ascontiguousarray(labels.transpose(0, 2, 1).astype(np.uint16))


@pytest.fixture
def mat(tmp_path):
    """Six planes in the official structure, a quarter of the official size."""
    depths = np.stack([plane_depth(normal, 2) for normal in NORMALS])
    images = np.zeros((6, 120, 160, 3), np.uint8)
    images[:, :60, :80] = [255, 0, 51]
    labels = np.full((6, 120, 160), 21)
    labels[:, :60, :80] = 157
    labels[:, 60:, 80:] = 0
    path = tmp_path / 'official.mat'
    write_mat(path, images, depths, labels)
    return path


def convert_mat(mat, out, **options):
    return convert_nyuv2.convert(mat, out, (60, 80), workers=1, progress=False, **options)


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
    first_label = [int(np.flatnonzero(convert_nyuv2.label_classes() == c)[0]) for c in range(13)]
    frames = {int(shared['official_index'][i]) + 1: i for i in range(300)}
    frames = {number: i for number, i in frames.items() if number <= count}
    assert frames
    for number, i in frames.items():
        images[number - 1], depths[number - 1] = shared['image'][i], shared['depth'][i]
        seg = shared['seg13'][i].astype(int)
        labels[number - 1] = np.where(seg == 255, 0, np.take(first_label, np.minimum(seg, 12)))
    write_mat(tmp_path / 'real.mat', images, depths, labels)
    with pytest.warns(UserWarning, match='The file holds 12 frames, the official one 1449'):
        convert_nyuv2.convert(tmp_path / 'real.mat', tmp_path, (96, 128), workers=1, progress=False)
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
    with pytest.raises(ValueError, match=r'labels of frame 5 should be 0 to 894\. Found 895'):
        convert_mat(mat, tmp_path / 'out')
    with h5py.File(mat, 'r+') as file:
        file['labels'][4, 7, 8] = 0
    with pytest.raises(ValueError, match='depth of frame 1 should be finite'):
        convert_mat(mat, tmp_path / 'out')


def test_cityscapes_labels():
    seven, nineteen = (convert_cityscapes.label_classes(n) for n in (7, 19))
    # road, parking, building, fence, tunnel, pole, traffic sign, vegetation, sky, rider, car,
    # caravan, bicycle; then void and what is no official id.
    ids = [7, 9, 11, 13, 16, 17, 20, 21, 23, 25, 26, 29, 33, 0, 6, 34, 255]
    assert seven[ids].tolist() == [0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 6, 6, -1, -1, -1, -1]
    assert nineteen[ids].tolist() == [
        0, -1, 2, 4, -1, 5, 7, 8, 10, 12, 13, -1, 18, -1, -1, -1, -1
    ]  # fmt: skip
    assert set(nineteen) == set(range(-1, 19))
    with pytest.raises(ValueError, match='`num_classes` should be 7 or 19'):
        convert_cityscapes.label_classes(8)


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
            for array, (folder, end) in zip(
                (image, ids, disparity), convert_cityscapes.FILES.values()
            ):
                path = root / folder / split / city / f'{city}_{number:06d}_000019{end}'
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    return root


def convert_tree(root, out, num_classes=7):
    return convert_cityscapes.convert(root, out, (16, 32), num_classes, workers=1, progress=False)


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
    label = official / 'gtFine' / 'train' / 'aachen' / 'aachen_000001_000019_gtFine_labelIds.png'
    Image.fromarray(np.zeros((16, 64), np.uint8)).save(label)
    with pytest.raises(ValueError, match=r'labelIds.png: should have the size of its image'):
        convert_tree(official, tmp_path / 'out')
    disparity = official / 'disparity' / 'train' / 'aachen' / 'aachen_000001_000019_disparity.png'
    disparity.write_bytes(disparity.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r'aachen_000001.*disparity.png: cannot be read'):
        convert_tree(official, tmp_path / 'out')
    label.unlink()
    with pytest.raises(FileNotFoundError, match=r'1 in all:\n.*aachen_000001.*labelIds'):
        convert_tree(official, tmp_path / 'new')
    (official / 'disparity').rename(official / 'depth')
    with pytest.raises(FileNotFoundError, match=r'No folder .*disparity.*download cityscapes'):
        convert_tree(official, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()
