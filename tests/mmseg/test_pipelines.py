"""Whole pipelines: any tasks, and real frames as LibMTL's side reads them."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

pytest.importorskip('mmseg', reason='MMSegmentation is not installed')

import go4align_plugins.mmengine  # noqa: F401, I001  (mends what importing mmseg needs)

from mmcv.transforms import Compose

from go4align_plugins.data import augment, get_benchmark
from go4align_plugins.data.mtan_layout import FrameFolder
from go4align_plugins.mmseg.datasets import MTLNYUv2Dataset

from .. import SHARED
from .frames import write_frames

from .test_transforms import build, frame_of


PIPELINE = [
    {'type': 'LoadMTLFrame'},
    {'type': 'MTLScaleCrop'},
    {
        'type': 'RandomResize', 'resize_type': 'MTLResize', 'scale': (128, 96),
        'ratio_range': (0.75, 1.5), 'keep_ratio': True, 'divide_depth': True,
    },
    {'type': 'MTLRandomCrop', 'crop_size': (64, 80), 'cat_max_ratio': 0.75},
    {'type': 'MTLRandomFlip', 'prob': 0.5},
    {'type': 'MTLPhotoMetricDistortion'},
    {'type': 'PackMTLInputs'},
]  # fmt: skip


@pytest.mark.parametrize('tasks', [None, ['segmentation'], ['depth'], ['normal']])
def test_whole_pipeline_with_any_tasks(tmp_path, tasks):
    write_frames(tmp_path, {'train': 2}, (96, 128))
    dataset = MTLNYUv2Dataset(tmp_path, tasks=tasks, pipeline=PIPELINE)
    packed = dataset[1]
    sample = packed['data_samples']
    names = {'segmentation': 'gt_sem_seg', 'depth': 'gt_depth_map', 'normal': 'gt_normal_map'}
    assert packed['inputs'].shape == (3, 64, 80)
    assert set(sample.keys()) == {names[task] for task in dataset.tasks}
    for field in sample.values():
        assert field.data.shape[-2:] == (64, 80)


def test_real_frames_as_libmtl_reads_them(tmp_path):
    """On real NYUv2, flip and zoom agree with LibMTL's side frame by frame."""
    archive = SHARED / 'data' / 'nyuv2' / 'frames.npz'
    if not archive.exists():
        pytest.skip(f'no {archive}')
    frames = np.load(archive)
    for name, array in (
        ('image', frames['image'][:2] / np.float32(255)),
        ('label', np.where(frames['seg13'][:2] == 255, -1.0, frames['seg13'][:2])),
        ('depth', frames['depth'][:2].astype(np.float32)),
        ('normal', frames['normal'][:2] / np.float32(127)),
    ):
        (tmp_path / 'train' / name).mkdir(parents=True)
        for index, frame in enumerate(array):
            np.save(tmp_path / 'train' / name / f'{index}.npy', frame)
    zoom, flip = build('MTLScaleCrop', scales=[1.2]), build('MTLRandomFlip', prob=1.0)
    pipeline = Compose([build('LoadMTLFrame'), zoom, flip])
    dataset = MTLNYUv2Dataset(tmp_path, pipeline=[pipeline])
    arrays = FrameFolder(tmp_path, get_benchmark('nyuv2'), 'train').read(1)
    expected = {part: torch.from_numpy(array) for part, array in arrays.items()}
    for part in ('image', 'depth', 'normal'):
        expected[part] = expected[part].movedim(-1, 0)
    random.seed(0)
    _, top, left = zoom.choose_window(96, 128)
    expected = augment.flip(augment.scale_crop(expected, 1.2, top, left))
    random.seed(0)
    found = frame_of(dataset[1])
    found['segmentation'][found['segmentation'] == 255] = -1
    found['image'] = found['image'].flip(0) / 255
    for part, value in expected.items():
        torch.testing.assert_close(found[part], value, rtol=1e-5, atol=1e-6)
