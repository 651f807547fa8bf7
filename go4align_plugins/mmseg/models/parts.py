"""Parts of a model that mmseg lacks: padding of all truths, SegNet, and heads for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from go4align_plugins.models.segnet import SEGNET_CHANNELS, SEGNET_CONVOLUTIONS, SegNet
from go4align_plugins.tasks import DEPTH, MAPS, NORMAL
from go4align_plugins.utils.options import check_choice, require


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


@MODELS.register_module()
class MapHead(BaseModule):
    """A decode head of mmseg's that predicts a map of numbers instead of classes.

    The head inside keeps its layers, its inputs and its own use of its outputs; the number
    of channels and the loss are the task's. A head that gives several maps in training (DAHead,
    PIDHead) is trained on all of them, and predicts as ever.

    Args:
        head: the decode head's config; its ``num_classes`` and ``loss_decode`` are not used.
        loss_weight: of the loss; mmseg gives auxiliary heads 0.4.
        init_cfg: MMEngine's.
        task: the name of the task. None (default): the class's own.

    Raises:
        ValueError: if the task is unknown or has classes.

    Example:
        >>> depth = dict(type='DepthHead', head=dict(type='FCNHead', in_channels=64, channels=64))
    """

    task = ''
    loss_name = 'loss_map'  # the key of the loss

    def __init__(
        self,
        head: dict[str, Any],
        loss_weight: float = 1.0,
        init_cfg: dict[str, Any] | None = None,
        task: str | None = None,
    ) -> None:
        super().__init__(init_cfg)
        numbers = [name for name, kind in MAPS.items() if not kind.has_classes]
        self.task = check_choice('task', task or self.task, numbers)
        self.kind = MAPS[self.task]
        self.out_channels = self.kind.channels or 1
        # A threshold is for binary segmentation: it is given to keep mmseg from warning of it.
        channels = {'num_classes': self.out_channels, 'out_channels': self.out_channels}
        self.head = MODELS.build({**head, **channels, 'threshold': 0.5})
        self.align_corners: bool = self.head.align_corners
        self.loss_weight = loss_weight

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Features of the backbone -> the outputs of the head inside."""
        return self.head(inputs)

    def loss(
        self, inputs: list[Tensor], data_samples: list[SegDataSample], train_cfg: dict[str, Any]
    ) -> dict[str, Tensor]:
        """The task's loss, by its key; a ValueError where the truth or the map is missing."""
        target = f'gt_{self.kind.field}'
        for sample in data_samples:
            require(target in sample, 'data_samples', f'have `{target}`', sample.keys())
        truth = torch.stack([sample.get(target).data for sample in data_samples])
        outputs = self(inputs)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        maps = [out for out in outputs if out.ndim == 4 and out.shape[1] == self.out_channels]
        rule = f'give maps of {self.out_channels} channels'
        require(bool(maps), 'head', rule, type(self.head).__name__)
        size, corners = truth.shape[2:], self.align_corners
        resized = [F.interpolate(out, size, None, 'bilinear', corners) for out in maps]
        losses = torch.stack([self.kind.loss(out, truth) for out in resized])
        return {self.loss_name: self.loss_weight * losses.sum()}

    def predict(
        self, inputs: list[Tensor], batch_img_metas: list[dict], test_cfg: dict[str, Any]
    ) -> Tensor:
        """Features of the backbone -> (B, C, H, W): the map at the size of the image."""
        return self.head.predict(inputs, batch_img_metas, test_cfg)


@MODELS.register_module()
class DepthHead(MapHead):
    """Depth in the data's unit, trained by the absolute error of the measured pixels."""

    task = DEPTH.name
    loss_name = 'loss_abs'


@MODELS.register_module()
class NormalHead(MapHead):
    """Surface normals of any length, trained by one minus the cosine of the angle to the truth."""

    task = NORMAL.name
    loss_name = 'loss_cos'
