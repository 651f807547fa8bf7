"""SegNet, SegNet-MTAN and the 9-layer network: sizes by hand, shapes, what is shared, learning."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from go4align_plugins.models.cnn import CNN_SMALL_CHANNELS, NineLayerCNN
from go4align_plugins.models.segnet import (
    SEGNET_SMALL_CHANNELS,
    SEGNET_SMALL_CONVOLUTIONS,
    SegNet,
    SegNetMTAN,
    TaskHead,
)

TASKS = ('segmentation', 'depth', 'normal')
SMALL = (SEGNET_SMALL_CHANNELS, SEGNET_SMALL_CONVOLUTIONS)


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def reached(module: nn.Module, loss: Tensor) -> set[str]:
    """The names of the parameters to which the loss has a gradient."""
    names, parameters = zip(*module.named_parameters())
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return {name for name, gradient in zip(names, gradients) if gradient is not None}


def test_parameters_of_the_presets() -> None:
    with torch.device('meta'):
        assert size(SegNet()) == 24_936_128
        assert size(SegNetMTAN(TASKS)) == 41_473_728
        assert size(SegNet(*SMALL)) == 391_376
        assert size(SegNetMTAN(TASKS, *SMALL)) == 802_128
    # Convolutions and linear layers without bias; batch norm has two parameters a channel.
    convolutions = 3 * 64 + 64 * 128 + 128**2 + 128 * 256 + 256**2 + 256 * 512 + 512**2
    norms = 2 * (64 + 2 * 128 + 2 * 256 + 2 * 512 + 2 * 512)
    network = NineLayerCNN()
    assert size(network) == 9 * convolutions + norms + 2 * 512 * 512
    assert sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in network.modules()) == 9
    assert network.feature_dim == 512


@pytest.mark.parametrize('image_size', [(32, 32), (96, 128), (45, 71), (63, 33)])
def test_features_have_the_size_of_the_image(image_size: tuple[int, int]) -> None:
    network, attentive = SegNet(*SMALL), SegNetMTAN(TASKS, *SMALL)
    image = torch.rand(2, 3, *image_size)
    assert network(image).shape == (2, network.feature_dim, *image_size)
    features = attentive(image)
    assert isinstance(features, list)
    assert [f.shape for f in features] == [(2, attentive.feature_dim, *image_size)] * len(TASKS)


@pytest.mark.parametrize('image_size', [(8, 8), (64, 64), (20, 9)])
def test_the_9_layer_network_takes_any_image_size(image_size: tuple[int, int]) -> None:
    network = NineLayerCNN(CNN_SMALL_CHANNELS)
    features = network(torch.rand(2, 3, *image_size))
    assert features.shape == (2, CNN_SMALL_CHANNELS[-1])
    assert reached(network, features.square().sum()) == set(dict(network.named_parameters()))


def test_shared_parameters_are_those_that_every_task_reaches() -> None:
    network = SegNetMTAN(TASKS, *SMALL)
    by_task = [reached(network, features.sum()) for features in network(torch.rand(2, 3, 32, 32))]
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    shared = {names[id(parameter)] for parameter in network.shared_parameters()}
    assert set.intersection(*by_task) == shared
    assert set.union(*by_task) == set(names.values())
    for task, own in zip(TASKS, by_task):
        assert all(name.startswith(f'attention.{task}.') for name in own - shared)


def test_the_decoder_unpools_to_where_the_encoder_pooled() -> None:
    """One bright pixel stays at its place although the coarse map has no room for it."""
    network = SegNet((2,), (1,)).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            module.weight.data[:, :, 1, 1] = 1.0
    image = torch.zeros(1, 3, 6, 8)
    image[..., 3, 5] = 1
    assert network(image)[0, 0].nonzero().tolist() == [[3, 5]]


@pytest.mark.parametrize('mtan', [False, True])
def test_learns_the_brightness_of_each_pixel(mtan: bool) -> None:
    torch.manual_seed(0)
    network = SegNetMTAN(('depth',), (8, 8), (1, 2)) if mtan else SegNet((8, 8), (1, 2))
    head = TaskHead(network.feature_dim, 1)
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], 1e-2)
    image, losses = torch.rand(2, 3, 16, 24), []
    for _ in range(30):
        features = network(image)
        losses.append((head(features[0] if mtan else features) - image.mean(1, True)).abs().mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r'one number for each of the 5 `channels`'):
        SegNet(SEGNET_SMALL_CHANNELS, (1, 1))
    with pytest.raises(ValueError, match='at least 32 pixels'):
        SegNet(*SMALL)(torch.rand(1, 3, 31, 64))
