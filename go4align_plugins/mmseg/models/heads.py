"""Depth, surface normals and other maps of numbers by any of mmseg's decode heads."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from go4align_plugins.tasks import DEPTH, MAPS, NORMAL
from go4align_plugins.utils.options import check_choice, require


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
    """Surface normals, trained by one minus the cosine of the angle to the true ones.

    The length of its vectors means nothing; the segmentor makes it 1.
    """

    task = NORMAL.name
    loss_name = 'loss_cos'
