"""The data sets: files on disk arrive as mmseg's transforms expect them."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from mmengine.dataset import RepeatDataset
from mmseg.datasets import CityscapesDataset
from PIL import Image

from go4align_plugins.mmseg.datasets import MTLCityscapesDataset, MTLDataset, MTLNYUv2Dataset

from .frames import SIZE, make_frame, write_frame, write_frames, write_official

LOAD = [{'type': 'LoadMTLFrame'}]
PACK = [*LOAD, {'type': 'PackMTLInputs'}]


@pytest.fixture
def root(tmp_path):
    return write_frames(tmp_path, {'train': 3, 'val': 2})


@pytest.fixture
def official(tmp_path):
    return write_official(tmp_path / 'cityscapes')


def test_frame_by_hand(root):
    dataset = MTLNYUv2Dataset(root, pipeline=LOAD)
    frame = make_frame(15)
    results = dataset[1]
    assert len(dataset) == 3
    assert (results['img'].dtype, results['img'].shape) == (np.float32, (*SIZE, 3))
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
    packed = MTLNYUv2Dataset(root, pipeline=PACK)[1]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, *SIZE)
    assert sample.gt_sem_seg.data.shape == sample.gt_depth_map.data.shape == (1, *SIZE)
    np.testing.assert_array_equal(sample.gt_normal_map.data[:, 4, 5], frame['normal'][4, 5])
    assert sample.img_shape == SIZE


def test_chosen_classes(root):
    dataset = MTLNYUv2Dataset(root, metainfo={'classes': ('wall', 'bed')}, pipeline=LOAD)
    label = make_frame(5)['label']
    expected = np.where(label == 0, 1, np.where(label == 11, 0, 255))
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], expected)
    palette = MTLNYUv2Dataset.METAINFO['palette']
    assert dataset.metainfo['palette'] == [palette[11], palette[0]]


def test_any_benchmark_without_a_class_of_its_own(root):
    dataset = MTLDataset(root, benchmark='rooms', tasks=['depth', 'segmentation'], pipeline=LOAD)
    own = MTLNYUv2Dataset(root, benchmark='rooms', pipeline=LOAD)
    np.testing.assert_array_equal(dataset[1]['gt_seg_map'], own[1]['gt_seg_map'])
    assert {**dataset.metainfo, 'tasks': own.metainfo['tasks']} == own.metainfo
    assert dataset.metainfo['tasks'] == ('segmentation', 'depth')
    with pytest.raises(ValueError, match=r'`benchmark` should be one of .*rooms.*Found'):
        MTLDataset(root, pipeline=LOAD)
    with pytest.raises(ValueError, match='`metainfo` should hold no `classes`'):
        MTLDataset(root, benchmark='rooms', metainfo={'classes': ('bed',)})


def test_of_mmengine(root):
    dataset = MTLNYUv2Dataset(root, pipeline=PACK, indices=[2], lazy_init=True)
    assert len(dataset) == 1
    copied = pickle.loads(pickle.dumps(RepeatDataset(dataset, 2)))
    assert len(copied) == 2
    assert (copied[1]['inputs'] == MTLNYUv2Dataset(root, pipeline=PACK)[2]['inputs']).all()


@pytest.mark.parametrize('num_classes', [7, 19])
def test_labels_of_mtan_cityscapes(tmp_path, num_classes):
    frame = make_frame(0, streets=True)
    label = frame.pop('label')
    labels = {'label_7': label, 'label_19': label + 12 * (label > 0)}
    write_frame(tmp_path, 'train', 0, {**frame, **labels})
    dataset = MTLCityscapesDataset(tmp_path, num_classes=num_classes, pipeline=LOAD)
    assert len(dataset.metainfo['classes']) == len(dataset.metainfo['palette']) == num_classes
    expected = labels[f'label_{num_classes}']
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], np.where(expected < 0, 255, expected))


def test_official_cityscapes_as_it_is(official):
    dataset = MTLCityscapesDataset(official, layout='official', pipeline=LOAD)
    results = dataset[1]
    assert dataset.metainfo['classes'] == CityscapesDataset.METAINFO['classes']
    name = 'aachen_000001_000019'
    assert results['img_path'].endswith(f'{name}_leftImg8bit.png')
    image, ids, disparity = (
        np.asarray(Image.open(next(official.glob(f'*/train/aachen/{name}_{ending}.png'))))
        for ending in ('leftImg8bit', 'gtFine_labelIds', 'disparity')
    )
    np.testing.assert_allclose(results['img'], image[..., ::-1], rtol=1e-6)
    np.testing.assert_allclose(results['gt_depth_map'], disparity / 65535, rtol=1e-6)
    # Road, void, rider and bicycle, as in the official table of ids.
    for label_id, train_id in ((7, 0), (3, 255), (25, 12), (33, 18)):
        assert (ids == label_id).any()
        assert (results['gt_seg_map'][ids == label_id] == train_id).all()


def test_official_cityscapes_with_train_ids_is_refused(official):
    for path in official.glob('gtFine/*/*/*.png'):
        label = np.asarray(Image.open(path))
        Image.fromarray(np.where(label > 18, 255, label).astype(np.uint8)).save(path)
    with pytest.raises(ValueError, match=r'label ids, -1 to 33\. Found values up to 18: train ids'):
        MTLCityscapesDataset(official, layout='official', pipeline=LOAD)


@pytest.mark.parametrize(
    ('task', 'other', 'key'),
    [('segmentation', 'disparity', 'gt_seg_map'), ('depth', 'gtFine', 'gt_depth_map')],
)
def test_chosen_tasks_need_only_their_official_folders(official, task, other, key):
    everything = MTLCityscapesDataset(official, layout='official', pipeline=LOAD)[1]
    shutil.rmtree(official / other)
    some = MTLCityscapesDataset(official, layout='official', tasks=[task], pipeline=LOAD)[1]
    assert some['seg_fields'] == [key]
    for name in ('img', key):
        np.testing.assert_array_equal(some[name], everything[name])
    with pytest.raises(FileNotFoundError, match=other):
        MTLCityscapesDataset(official, layout='official')


@pytest.mark.parametrize(
    ('dataset', 'options', 'message'),
    [
        (MTLNYUv2Dataset, {'split': 'test'}, "should be one of ('train', 'val'). Found"),
        (MTLNYUv2Dataset, {'tasks': ['edges']}, 'should name tasks of nyuv2'),
        (MTLNYUv2Dataset, {'benchmark': 'streets'}, "should be one of ('nyuv2', 'rooms'). Found"),
        (MTLNYUv2Dataset, {'seg_map_suffix': '.png'}, "Found `kwargs = 'seg_map_suffix'"),
        (MTLCityscapesDataset, {'layout': 'zip'}, "should be one of ('mtan', 'official'). Found"),
        (MTLCityscapesDataset, {'num_classes': 34}, 'be 7 or 19. Found `num_classes = 34`'),
        (MTLCityscapesDataset, {'layout': 'official', 'split': 'test'}, "one of ('train', 'val')"),
    ],
)
def test_mistakes(root, dataset, options, message):
    with pytest.raises(ValueError) as caught:
        dataset(root, **options)
    assert message in str(caught.value)


def test_missing_data_names_the_remedy(tmp_path, official):
    with pytest.raises(FileNotFoundError, match=r'prepare_data\.py'):
        MTLNYUv2Dataset(tmp_path / 'nothing')
    with pytest.raises(FileNotFoundError, match=rf'leftImg8bit.*Is it {official} that you mean'):
        MTLCityscapesDataset(tmp_path, layout='official')
