"""The data sets: what is on disk arrives as mmseg's transforms expect it."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmengine  # noqa: F401, I001  (mends what importing mmseg needs)

from mmengine.dataset import RepeatDataset
from mmseg.datasets import CityscapesDataset
from mmseg.registry import DATASETS

from go4align_plugins.data import get_benchmark
from go4align_plugins.mmseg.datasets import MTLCityscapesDataset, MTLNYUv2Dataset

from .frames import SIZE, make_frame, write_frame, write_frames, write_official

LOAD = [{'type': 'LoadMTLFrame'}]
PACK = [*LOAD, {'type': 'PackMTLInputs'}]


@pytest.fixture
def root(tmp_path):
    return write_frames(tmp_path, {'train': 3, 'val': 2})


def test_frame_by_hand(root):
    dataset = MTLNYUv2Dataset(root, pipeline=LOAD)
    frame = make_frame(15)
    results = dataset[1]
    assert len(dataset) == 3
    assert results['img'].dtype == np.float32
    assert results['img'].shape == (*SIZE, 3)
    # Blue, green, red, from 0 to 255.
    np.testing.assert_allclose(results['img'][4, 5], 255 * frame['image'][4, 5, ::-1], rtol=1e-6)
    assert results['gt_seg_map'].dtype == np.uint8
    assert results['gt_seg_map'][0, 1] == 255
    assert results['gt_seg_map'][3, 3] == frame['label'][3, 3]
    np.testing.assert_array_equal(results['gt_depth_map'], frame['depth'][..., 0])
    np.testing.assert_array_equal(results['gt_normal_map'], frame['normal'])
    assert results['seg_fields'] == ['gt_seg_map', 'gt_depth_map', 'gt_normal_map']
    assert results['img_shape'] == results['ori_shape'] == SIZE
    assert results['img_path'] == str(root / 'train' / 'image' / '1.npy')


def test_packed_sample(root):
    packed = MTLNYUv2Dataset(root, split='val', pipeline=PACK)[0]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, *SIZE)
    assert sample.gt_sem_seg.data.shape == (1, *SIZE)
    assert sample.gt_depth_map.data.shape == (1, *SIZE)
    assert sample.gt_normal_map.data.shape == (3, *SIZE)
    frame = make_frame(3)
    np.testing.assert_array_equal(sample.gt_normal_map.data[:, 4, 5], frame['normal'][4, 5])
    assert sample.img_shape == SIZE


def test_metainfo_tells_benchmark_and_tasks(root):
    dataset = DATASETS.build(
        {
            'type': 'MTLNYUv2Dataset',
            'data_root': str(root),
            'benchmark': 'rooms',
            'tasks': ['depth'],
        }
    )
    assert dataset.metainfo['classes'] == get_benchmark('rooms').class_names
    assert len(dataset.metainfo['palette']) == 13
    assert dataset.metainfo['benchmark'] == 'rooms'
    assert dataset.metainfo['tasks'] == ('depth',)


def test_chosen_tasks_need_only_their_folders(tmp_path):
    frame = make_frame(0)
    write_frame(tmp_path, 'train', 0, {name: frame[name] for name in ('image', 'normal')})
    sample = MTLNYUv2Dataset(tmp_path, tasks=['normal'], pipeline=PACK)[0]['data_samples']
    assert 'gt_normal_map' in sample
    assert 'gt_sem_seg' not in sample
    assert 'gt_depth_map' not in sample


def test_chosen_classes(root):
    dataset = MTLNYUv2Dataset(root, metainfo={'classes': ('wall', 'bed')}, pipeline=LOAD)
    label = make_frame(5)['label']
    expected = np.where(label == 0, 1, np.where(label == 11, 0, 255))
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], expected)
    assert dataset.metainfo['palette'] == [
        MTLNYUv2Dataset.METAINFO['palette'][11],
        MTLNYUv2Dataset.METAINFO['palette'][0],
    ]


def test_of_mmengine(root):
    dataset = MTLNYUv2Dataset(root, pipeline=PACK, indices=[2], lazy_init=True)
    assert len(dataset) == 1
    copied = pickle.loads(pickle.dumps(RepeatDataset(dataset, 2)))
    assert len(copied) == 2
    assert (copied[1]['inputs'] == MTLNYUv2Dataset(root, pipeline=PACK)[2]['inputs']).all()


@pytest.mark.parametrize('num_classes', [7, 19])
def test_labels_of_mtan_cityscapes(tmp_path, num_classes):
    frame = make_frame(0)
    del frame['normal']
    frame['depth'] /= 10  # as an inverse depth
    label = frame.pop('label')
    labels = {'label_7': np.minimum(label, 6), 'label_19': label + 6 * (label > 0)}
    write_frame(tmp_path, 'train', 0, {**frame, **labels})
    dataset = MTLCityscapesDataset(tmp_path, num_classes=num_classes, pipeline=LOAD)
    assert len(dataset.metainfo['classes']) == len(dataset.metainfo['palette']) == num_classes
    expected = labels[f'label_{num_classes}']
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], np.where(expected < 0, 255, expected))


def test_official_cityscapes_as_it_is(tmp_path):
    write_official(tmp_path)
    dataset = MTLCityscapesDataset(tmp_path, layout='official', pipeline=LOAD)
    results = dataset[1]
    assert dataset.metainfo['classes'] == CityscapesDataset.METAINFO['classes']
    name = 'aachen_000001_000019'
    assert results['img_path'].endswith(f'{name}_leftImg8bit.png')

    def read(folder, ending):
        return np.asarray(Image.open(tmp_path / folder / 'train/aachen' / f'{name}_{ending}.png'))

    image, ids, disparity = (
        read('leftImg8bit', 'leftImg8bit'),
        read('gtFine', 'gtFine_labelIds'),
        read('disparity', 'disparity'),
    )
    np.testing.assert_allclose(results['img'], image[..., ::-1], rtol=1e-6)
    np.testing.assert_allclose(results['gt_depth_map'], disparity / 65535, rtol=1e-6)
    # Road, void, rider and bicycle, as in the official table of ids.
    for official, train_id in ((7, 0), (3, 255), (25, 12), (33, 18)):
        assert (ids == official).any()
        assert (results['gt_seg_map'][ids == official] == train_id).all()


def test_official_cityscapes_with_categories(tmp_path):
    write_official(tmp_path)
    dataset = MTLCityscapesDataset(
        tmp_path, layout='official', num_classes=7, tasks=['segmentation'], pipeline=LOAD
    )
    assert dataset.metainfo['classes'] == get_benchmark('cityscapes').class_names
    results = dataset[0]
    assert set(np.unique(results['gt_seg_map'])) == {*range(7), 255}
    assert 'gt_depth_map' not in results


def test_official_cityscapes_with_train_ids_is_refused(tmp_path):
    for path in write_official(tmp_path).glob('gtFine/*/*/*.png'):
        label = np.asarray(Image.open(path))
        Image.fromarray(np.where(label > 18, 255, label).astype(np.uint8)).save(path)
    with pytest.raises(ValueError, match=r'label ids, -1 to 33\. Found values up to 18: train ids'):
        MTLCityscapesDataset(tmp_path, layout='official', pipeline=LOAD)


def test_label_ids_in_place_of_the_19_classes_are_refused(tmp_path):
    frame = make_frame(0)
    label = frame.pop('label') + 21
    frame = {**frame, 'depth': frame['depth'] / 10, 'label_19': label}
    write_frame(tmp_path, 'train', 0, frame)
    dataset = MTLCityscapesDataset(tmp_path, num_classes=19, pipeline=LOAD)
    with pytest.raises(ValueError, match="CityScapes' official label ids"):
        dataset[0]


@pytest.mark.parametrize('factor', [10, 100, 1000])
def test_depth_in_another_unit_is_refused(root, factor):
    np.save(root / 'train' / 'depth' / '2.npy', make_frame(0)['depth'] * factor)
    with pytest.raises(ValueError, match=r'2\.npy: depth should be in metres.*Mend it: divide'):
        MTLNYUv2Dataset(root, pipeline=PACK)[2]


@pytest.mark.parametrize(
    ('task', 'other', 'key'),
    [('segmentation', 'disparity', 'gt_seg_map'), ('depth', 'gtFine', 'gt_depth_map')],
)
def test_chosen_tasks_need_only_their_official_folders(tmp_path, task, other, key):
    write_official(tmp_path)
    everything = MTLCityscapesDataset(tmp_path, layout='official', pipeline=LOAD)[1]
    shutil.rmtree(tmp_path / other)
    some = MTLCityscapesDataset(tmp_path, layout='official', tasks=[task], pipeline=LOAD)[1]
    assert some['seg_fields'] == [key]
    for name in ('img', key):
        np.testing.assert_array_equal(some[name], everything[name])
    with pytest.raises(FileNotFoundError, match=other):
        MTLCityscapesDataset(tmp_path, layout='official')


@pytest.mark.parametrize('task', ['segmentation', 'depth'])
def test_chosen_tasks_of_cityscapes_need_only_their_folders(tmp_path, task):
    frame = make_frame(0)
    name = 'label_7' if task == 'segmentation' else 'depth'
    frame['label_7'] = np.minimum(frame['label'], 6)
    frame['depth'] = frame['depth'] / 20  # inverse depth is at most 1
    write_frame(tmp_path, 'train', 0, {part: frame[part] for part in ('image', name)})
    for benchmark in ('cityscapes', 'streets'):
        sample = MTLCityscapesDataset(tmp_path, tasks=[task], benchmark=benchmark, pipeline=LOAD)[0]
        assert len(sample['seg_fields']) == 1


def test_official_cityscapes_that_is_packed_or_further_in(tmp_path):
    write_official(tmp_path / 'cityscapes')
    with pytest.raises(FileNotFoundError, match=rf'Is it {tmp_path / "cityscapes"} that you mean'):
        MTLCityscapesDataset(tmp_path, layout='official')
    packed = tmp_path / 'packed' / 'leftImg8bit_trainvaltest.zip'
    packed.parent.mkdir()
    packed.touch()
    with pytest.raises(FileNotFoundError, match=f'Unpack {packed} first'):
        MTLCityscapesDataset(packed.parent, layout='official')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'split': 'test'}, 'Parameter `split` should be one of train, val. Found `test`'),
        ({'tasks': ['edges']}, 'should name tasks of nyuv2'),
        ({'benchmark': 'streets'}, 'should be one of nyuv2, rooms. Found `streets`'),
        ({'benchmark': 'nyu'}, 'should be one of nyuv2, cityscapes'),
        ({'seg_map_suffix': '.png'}, 'Parameter `seg_map_suffix` should be one of indices'),
    ],
)
def test_mistakes(root, options, message):
    with pytest.raises(ValueError) as caught:
        MTLNYUv2Dataset(root, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'layout': 'zip'}, 'should be one of mtan, official. Found `zip`'),
        ({'num_classes': 34}, 'should be 7 or 19. Found `num_classes = 34`'),
        ({'layout': 'official', 'split': 'test'}, 'should be one of train, val. Found `test`'),
    ],
)
def test_mistakes_with_cityscapes(tmp_path, options, message):
    with pytest.raises(ValueError) as caught:
        MTLCityscapesDataset(write_official(tmp_path), **options)
    assert message in str(caught.value)


def test_missing_data_names_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'prepare_data\.py'):
        MTLNYUv2Dataset(tmp_path / 'nothing')
    with pytest.raises(FileNotFoundError, match='leftImg8bit'):
        MTLCityscapesDataset(tmp_path, layout='official')


def test_bad_frame_is_named(root):
    depth = make_frame(0)['depth']
    depth[3, 4] = np.nan
    np.save(root / 'train' / 'depth' / '2.npy', depth)
    dataset = MTLNYUv2Dataset(root, pipeline=PACK)
    with pytest.raises(ValueError, match=r'2\.npy: depth should be finite.*row 3, column 4'):
        dataset[2]
