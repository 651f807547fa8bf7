"""Models that train in seconds, and data samples, for the tests."""

from __future__ import annotations

import copy

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from go4align_plugins.data import get_benchmark
from go4align_plugins.mmseg.models import MultiTaskSegmentor
from go4align_plugins.tasks import MAPS

TASKS = get_benchmark('rooms').tasks
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


def sample_of(meta: dict | None = None, **maps) -> SegDataSample:
    sample = SegDataSample(metainfo=meta)
    sample.set_data({name: PixelData(data=torch.as_tensor(data)) for name, data in maps.items()})
    return sample


def build_model(**options) -> MultiTaskSegmentor:
    """A segmentor of two convolutions, and a head for each task."""
    torch.manual_seed(0)
    config = {
        'type': 'MultiTaskSegmentor',
        'data_preprocessor': {'type': 'MTLDataPreProcessor', 'size_divisor': 16},
        'backbone': {'type': 'MTLSegNet', 'channels': (4, 4), 'convolutions': (1, 1)},
        'heads': HEADS,
        'train_cfg': {},
        'test_cfg': {'mode': 'whole'},
        **options,
    }
    return MODELS.build(ConfigDict(copy.deepcopy(config)))


@MODELS.register_module()
class OneLayer(BaseModel):
    """A convolution that predicts all maps of rooms."""

    def __init__(self, data_preprocessor):
        super().__init__(data_preprocessor)
        self.channels = [task.channels for task in TASKS]
        self.backbone = nn.Conv2d(3, sum(self.channels), 3, padding=1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        parts = self.backbone(inputs).split(self.channels, dim=1)
        losses = {}
        for task, maps in zip(TASKS, parts):
            kind = MAPS[task.name]
            if mode == 'loss':
                truth = torch.stack([each.get(f'gt_{kind.field}').data for each in data_samples])
                if kind.has_classes:
                    truth = truth[:, 0].where(truth[:, 0] != 255, -1)
                losses[f'{task.name}.loss'] = kind.loss(maps, truth)
                continue
            for sample, part in zip(data_samples, maps):
                data = part.argmax(0, keepdim=True) if kind.has_classes else part
                sample.set_data({f'pred_{kind.field}': PixelData(data=data)})
        return losses if mode == 'loss' else data_samples
