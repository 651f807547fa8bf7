"""Depth and surface normals by any of mmseg's decode heads."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from go4align_plugins.tasks import DEPTH, NORMAL, MapKind


class MapHead(BaseModule):
    """A decode head of mmseg's that predicts a map of numbers instead of classes.

    The head inside keeps its layers, its inputs and what it makes of its own outputs; the number
    of channels and the loss are the task's. A head that gives several maps in training (DAHead,
    PIDHead) is trained on all of them, and predicts as ever.

    Args:
        head: the decode head's config; its ``num_classes`` and ``loss_decode`` are not used.
        loss_weight: of the loss; mmseg gives auxiliary heads 0.4.
        init_cfg: MMEngine's.
    """

    kind: MapKind
    """The task's."""
    loss_name: str
    """The key of the loss."""

    def __init__(
        self, head: dict[str, Any], loss_weight: float = 1.0, init_cfg: dict[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        # A threshold is for binary segmentation: it is given to keep mmseg from warning of it.
        channels = {'num_classes': self.out_channels, 'out_channels': self.out_channels}
        self.head = MODELS.build({**head, **channels, 'threshold': 0.5})
        self.loss_weight = loss_weight

    @property
    def out_channels(self) -> int:
        """The channels of the map."""
        return self.kind.channels or 1

    @property
    def align_corners(self) -> bool:
        """How the head resizes its maps."""
        return self.head.align_corners

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Features of the backbone -> what the head inside gives."""
        return self.head(inputs)

    def loss(
        self, inputs: list[Tensor], data_samples: list[SegDataSample], train_cfg: dict[str, Any]
    ) -> dict[str, Tensor]:
        """The task's loss, by its key.

        Args:
            inputs: features of the backbone.
            data_samples: with the truth of the task.
            train_cfg: not used.

        Raises:
            ValueError: if a sample has no truth, or the head gives no map.
        """
        truth = torch.stack([self._truth(sample) for sample in data_samples])
        outputs = self(inputs)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        maps = [out for out in outputs if out.ndim == 4 and out.shape[1] == self.out_channels]
        if not maps:
            raise ValueError(
                f'Parameter `head` should give maps of {self.out_channels} channels. '
                f'Found `{type(self.head).__name__}`, which gives '
                f'{[tuple(out.shape) for out in outputs]}.'
            )
        losses = [self.kind.loss(self._resize(out, truth), truth) for out in maps]
        return {self.loss_name: self.loss_weight * torch.stack(losses).sum()}

    def predict(
        self, inputs: list[Tensor], batch_img_metas: list[dict], test_cfg: dict[str, Any]
    ) -> Tensor:
        """Features of the backbone -> (B, C, H, W): the map at the size of the image."""
        return self.head.predict(inputs, batch_img_metas, test_cfg)

    def _truth(self, sample: SegDataSample) -> Tensor:
        target = f'gt_{self.kind.field}'
        if target not in sample:
            raise ValueError(
                f'Parameter `data_samples` should have `{target}` for a '
                f'`{type(self).__name__}`. Found {sample.keys()}.'
            )
        return sample.get(target).data

    def _resize(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return resize(
            prediction,
            size=truth.shape[2:],
            mode='bilinear',
            align_corners=self.align_corners,
            warning=False,
        )


@MODELS.register_module()
class DepthHead(MapHead):
    """Depth in the data's unit, trained by the absolute error of the measured pixels.

    Example:
        >>> depth = dict(type='DepthHead', head=dict(type='FCNHead', in_channels=64, channels=64))
    """

    kind = DEPTH
    loss_name = 'loss_abs'


@MODELS.register_module()
class NormalHead(MapHead):
    """Surface normals, trained by one minus the cosine of the angle to the true ones.

    The length of what it predicts means nothing; the segmentor makes it 1.
    """

    kind = NORMAL
    loss_name = 'loss_cos'


HEADS: dict[str, type[MapHead]] = {head.kind.name: head for head in (DepthHead, NormalHead)}
"""The head of each kind of map but classes, which have mmseg's own."""
