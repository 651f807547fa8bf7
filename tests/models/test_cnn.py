"""The 9-layer network: size by hand, any image size, what a loss reaches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from go4align_plugins.models.cnn import CNN_SMALL_CHANNELS, NineLayerCNN


def test_parameters_by_hand() -> None:
    # Convolutions and linear layers without bias; batch norm has two parameters a channel.
    convolutions = 9 * (
        3 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512
    )
    norms = 2 * (64 + 2 * 128 + 2 * 256 + 2 * 512 + 2 * 512)
    network = NineLayerCNN()
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == convolutions + norms + 2 * 512 * 512
    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 9
    assert network.feature_dim == 512


@pytest.mark.parametrize('size', [(8, 8), (64, 64), (20, 9)])
def test_any_image_size(size: tuple[int, int]) -> None:
    network = NineLayerCNN(CNN_SMALL_CHANNELS)
    features = network(torch.rand(2, 3, *size))
    assert features.shape == (2, CNN_SMALL_CHANNELS[-1])
    features.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
