"""A model of one convolution for the tests, registered with MMSegmentation."""

from __future__ import annotations

import torch
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from torch import nn

from go4align_plugins.data import get_benchmark
from go4align_plugins.tasks import MAPS

CHANNELS = {task.name: task.channels for task in get_benchmark('rooms').tasks}


@MODELS.register_module()
class OneLayer(BaseModel):
    """A convolution that predicts all maps."""

    def __init__(self, data_preprocessor):
        super().__init__(data_preprocessor)
        self.backbone = nn.Conv2d(3, sum(CHANNELS.values()), 3, padding=1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        maps = dict(zip(CHANNELS, self.backbone(inputs).split(list(CHANNELS.values()), dim=1)))
        if mode == 'loss':
            truth = {
                'segmentation': [sample.gt_sem_seg.data[0] for sample in data_samples],
                'depth': [sample.gt_depth_map.data for sample in data_samples],
                'normal': [sample.gt_normal_map.data for sample in data_samples],
            }
            truth = {task: torch.stack(targets) for task, targets in truth.items()}
            truth['segmentation'][truth['segmentation'] == 255] = -1
            return {f'{task}.loss': MAPS[task].loss(maps[task], truth[task]) for task in maps}
        for index, sample in enumerate(data_samples):
            fields = {
                'seg_logits': maps['segmentation'][index],
                'pred_depth_map': maps['depth'][index],
                'pred_normal_map': maps['normal'][index],
            }
            sample.set_data({name: PixelData(data=data) for name, data in fields.items()})
        return data_samples
