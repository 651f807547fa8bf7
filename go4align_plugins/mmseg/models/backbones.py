"""SegNet as a backbone of mmseg's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from go4align_plugins.models.segnet import SEGNET_CHANNELS, SEGNET_CONVOLUTIONS, SegNet


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
