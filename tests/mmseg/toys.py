"""A model that trains in seconds, of two convolutions and a head for each task; data samples."""

from __future__ import annotations

import copy

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from go4align_plugins.mmseg.models import MultiTaskSegmentor

NUM_CLASSES = 4
HEAD = {
    'type': 'FCNHead',
    'in_channels': 4,
    'channels': 4,
    'num_convs': 1,
    'concat_input': False,
    'dropout_ratio': 0,
    'num_classes': NUM_CLASSES,
    'loss_decode': {'type': 'CrossEntropyLoss', 'avg_non_ignore': True},
}
HEADS = {
    'segmentation': HEAD,
    'depth': {'type': 'DepthHead', 'head': HEAD},
    'normal': {'type': 'NormalHead', 'head': HEAD},
}
MODEL = {
    'type': 'MultiTaskSegmentor',
    'data_preprocessor': {'type': 'MTLDataPreProcessor', 'size_divisor': 16},
    'backbone': {'type': 'MTLSegNet', 'channels': (4, 4), 'convolutions': (1, 1)},
    'heads': HEADS,
    'train_cfg': {},
    'test_cfg': {'mode': 'whole'},
}


def sample_of(meta: dict | None = None, **maps) -> SegDataSample:
    sample = SegDataSample(metainfo=meta)
    sample.set_data({name: PixelData(data=torch.as_tensor(data)) for name, data in maps.items()})
    return sample


def build_model(**options) -> MultiTaskSegmentor:
    torch.manual_seed(0)
    return MODELS.build(ConfigDict(copy.deepcopy({**MODEL, **options})))
