"""The 9-layer network that FAMO and GO4Align train on CelebA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from torch import Tensor, nn

CNN_CHANNELS = (64, 128, 256, 512)
CNN_SMALL_CHANNELS = (16, 32, 64, 64)
CONVOLUTIONS = (1, 2, 2, 2)


class NineLayerCNN(nn.Module):
    """Six 3 x 3 convolutions after a first one, then two linear layers, all with batch norm.

    5.2 M parameters with the published channels, 0.14 M with the small ones. Each of the first
    three blocks ends by halving the image, the last one by the mean over it.

    Args:
        channels: of the four blocks, which have 1, 2, 2 and 2 convolutions.
    """

    def __init__(self, channels: Sequence[int] = CNN_CHANNELS) -> None:
        super().__init__()
        self.feature_dim = channels[-1]
        blocks = list(map(_block, (3, *channels), channels, CONVOLUTIONS))
        poolings = (*(nn.MaxPool2d(2) for _ in blocks[1:]), nn.AdaptiveAvgPool2d(1))
        self.features = nn.Sequential(*chain.from_iterable(zip(blocks, poolings)))
        self.project = nn.Sequential(nn.Flatten(), *_linear(channels[-1]), *_linear(channels[-1]))

    def forward(self, image: Tensor) -> Tensor:
        """Image (B, 3, H, W) -> features (B, channels[-1]); H and W of any size from 8."""
        return self.project(self.features(image))


def _block(in_channels: int, out_channels: int, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (in_channels, *[out_channels] * (convolutions - 1)):
        layers += (
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )
    return nn.Sequential(*layers)


def _linear(features: int) -> Iterator[nn.Module]:
    return iter((nn.Linear(features, features, bias=False), nn.BatchNorm1d(features), nn.ReLU()))
