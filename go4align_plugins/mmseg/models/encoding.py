"""The way into a model: batches of images with their truth, and SegNet as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from torch import Tensor

from go4align_plugins.models.segnet import SEGNET_CHANNELS, SEGNET_CONVOLUTIONS, SegNet
from go4align_plugins.tasks import MAPS


@MODELS.register_module()
class MTLDataPreProcessor(SegDataPreProcessor):
    """mmseg's, which pads labels, but depth with the number of no class and normals not at all.

    Here maps of numbers are padded with 0: no measurement.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Normalise and stack the images of a batch; in training, pad them and their truth."""
        names = [f'gt_{kind.field}' for kind in MAPS.values() if not kind.has_classes]
        samples = data.get('data_samples') or []
        maps = [{name: sample.pop(name) for name in names if name in sample} for sample in samples]
        batch = super().forward(data, training)
        height, width = batch['inputs'].shape[-2:]
        for sample, truths in zip(batch['data_samples'] or [], maps):
            for name, truth in truths.items():
                array = truth.data.to(batch['inputs'].device)
                if training:
                    missing = (0, width - array.shape[-1], 0, height - array.shape[-2])
                    array = F.pad(array, missing)
                sample.set_field(PixelData(data=array), name, PixelData)
        return batch


@MODELS.register_module()
class MTLSegNet(BaseModule):
    """The SegNet that LibMTL's side trains, from scratch.

    Args:
        channels: of each encoder block, from the finest.
        convolutions: the number in each block.
        init_cfg: MMEngine's.
    """

    def __init__(
        self,
        channels: Sequence[int] = SEGNET_CHANNELS,
        convolutions: Sequence[int] = SEGNET_CONVOLUTIONS,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.network = SegNet(channels, convolutions)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Image (B, 3, H, W) -> one feature map (B, channels[0], H, W)."""
        return (self.network(image),)
