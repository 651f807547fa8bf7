"""SegNet, alone and with MTAN's attention, for dense prediction from scratch.

Written from `SegNet <https://arxiv.org/abs/1511.00561>`_ and
`MTAN <https://arxiv.org/abs/1803.10704>`_; there are no pretrained weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from go4align_plugins.utils.options import require

SEGNET_CHANNELS = (64, 128, 256, 512, 512)
SEGNET_CONVOLUTIONS = (2, 2, 3, 3, 3)  # VGG-16's
SEGNET_SMALL_CHANNELS = (16, 32, 64, 64, 64)
SEGNET_SMALL_CONVOLUTIONS = (1, 1, 2, 2, 2)


class SegNet(nn.Module):
    """SegNet without its classifier: an encoder, and its mirror that unpools by the same indices.

    24.9 M parameters as VGG-16, 0.39 M with the small preset. A decoder block brings the channels
    down in its first convolution, which is how the MTAN line of papers comes to 24.9 M.

    Args:
        channels: of each encoder block, from the finest; the decoder has the same.
        convolutions: the number in each block.

    Raises:
        ValueError: if the two lengths differ.
    """

    def __init__(
        self,
        channels: Sequence[int] = SEGNET_CHANNELS,
        convolutions: Sequence[int] = SEGNET_CONVOLUTIONS,
    ) -> None:
        super().__init__()
        rule = f'have one number for each of the {len(channels)} `channels`'
        require(len(channels) == len(convolutions), 'convolutions', rule, tuple(convolutions))
        self.feature_dim = channels[0]
        # A decoder block takes what its mirror gave, and gives what the next one unpools.
        finer = (channels[0], *channels[:-1])
        self.widths = (*channels, *reversed(finer))
        self.encoder = nn.ModuleList(map(_Block, (3, *channels), channels, convolutions))
        self.decoder = nn.ModuleList(
            map(_Block, reversed(channels), reversed(finer), reversed(convolutions))
        )

    def forward(self, image: Tensor) -> Tensor:
        """Image (B, 3, H, W) -> features (B, channels[0], H, W); H and W of any size from 32."""
        return self.block_features(image)[-1][1]

    def block_features(self, image: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The first and the last convolution's features of each encoder, then decoder block."""
        smallest = 2 ** len(self.encoder)  # else it cannot be pooled in each encoder block
        rule = f'be at least {smallest} pixels high and wide'
        require(min(image.shape[-2:]) >= smallest, 'image.shape', rule, tuple(image.shape))
        features, pooled = [], []
        x = image
        for block in self.encoder:
            features.append(block(x))
            size = x.shape[-2:]
            x, indices = F.max_pool2d(features[-1][1], 2, return_indices=True)
            pooled.append((indices, size))
        for block, (indices, size) in zip(self.decoder, reversed(pooled)):
            features.append(block(F.max_unpool2d(x, indices, [2, 2], output_size=size)))
            x = features[-1][1]
        return features


class SegNetMTAN(nn.Module):
    """SegNet with MTAN's soft attention: each task masks the shared features of every block.

    In block j, with the first and last features u and p of the shared trunk, a task's mask is
    a = h(g([u; f(a p of the block before)])): g and h are the task's own 1 x 1 convolutions, f is
    a 3 x 3 convolution that the tasks share, brought to the block's resolution. 41.5 M parameters
    for three tasks, 0.80 M with the small preset.

    Args:
        task_names: the tasks, in the order of the returned features.
        channels: as SegNet's.
        convolutions: as SegNet's.
    """

    def __init__(
        self,
        task_names: Sequence[str],
        channels: Sequence[int] = SEGNET_CHANNELS,
        convolutions: Sequence[int] = SEGNET_CONVOLUTIONS,
    ) -> None:
        super().__init__()
        self.trunk = SegNet(channels, convolutions)
        self.feature_dim = self.trunk.feature_dim
        widths = self.trunk.widths
        self.carry = nn.ModuleList(map(_convolution, widths, widths[1:]))
        given = (widths[0], *(2 * width for width in widths[1:]))
        self.attention = nn.ModuleDict(
            {task: nn.ModuleList(map(_attention, given, widths)) for task in task_names}
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Image (B, 3, H, W) -> features (B, channels[0], H, W) of each task."""
        features = self.trunk.block_features(image)
        return [self._attend(features, list(m.children())) for m in self.attention.values()]

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that all tasks use: the trunk's and those of f."""
        return chain(self.trunk.parameters(), self.carry.parameters())

    def _attend(self, features: list[tuple[Tensor, Tensor]], masks: Sequence[nn.Module]) -> Tensor:
        first, last = features[0]
        attended = masks[0](first) * last
        for (first, last), mask, carry in zip(features[1:], masks[1:], self.carry):
            carried, size = carry(attended), first.shape[-2:]
            if carried.shape[-1] > size[-1]:
                carried = F.max_pool2d(carried, 2)
            elif carried.shape[-2:] != size:
                carried = F.interpolate(carried, size, mode='bilinear', align_corners=False)
            attended = mask(torch.cat([first, carried], dim=1)) * last
        return attended


class TaskHead(nn.Sequential):
    """MTAN's prediction layers, from features to a task's channels: a 3 x 3 and a 1 x 1 one."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, padding=1),
            nn.Conv2d(in_channels, out_channels, 1),
        )


class _Block(nn.Module):
    """Convolutions of one resolution; gives the features of the first and of the last."""

    def __init__(self, in_channels: int, out_channels: int, convolutions: int) -> None:
        super().__init__()
        self.first = _convolution(in_channels, out_channels)
        widths = [out_channels] * (convolutions - 1)
        self.rest = nn.Sequential(*map(_convolution, widths, widths))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.first(x)
        return first, self.rest(first)


def _convolution(in_channels: int, out_channels: int, size: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False)
    # As SegNet's paper; torch's default shrinks the features by 1e9 until batch norm has averages.
    nn.init.kaiming_normal_(convolution.weight, nonlinearity='relu')
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _attention(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        _convolution(in_channels, out_channels, size=1),
        nn.Conv2d(out_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.Sigmoid(),
    )
