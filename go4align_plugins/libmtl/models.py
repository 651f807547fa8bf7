"""Backbones, heads and architectures in LibMTL, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.error import URLError

from torch import nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from go4align_plugins.data import Task
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.models.cnn import CNN_CHANNELS, CNN_SMALL_CHANNELS, NineLayerCNN
from go4align_plugins.models.mpnn import MPNN
from go4align_plugins.models.segnet import (
    SEGNET_CHANNELS,
    SEGNET_CONVOLUTIONS,
    SEGNET_SMALL_CHANNELS,
    SEGNET_SMALL_CONVOLUTIONS,
    SegNet,
    SegNetMTAN,
    TaskHead,
)

LibMTL: Any = import_libmtl()

SEGNETS = {
    'segnet-small': (SEGNET_SMALL_CHANNELS, SEGNET_SMALL_CONVOLUTIONS),
    'segnet': (SEGNET_CHANNELS, SEGNET_CONVOLUTIONS),
}
RESNET_WIDTHS = {'resnet18': 512, 'resnet34': 512, 'resnet50': 2048, 'resnet101': 2048}
DENSE_BACKBONES = (*SEGNETS, *RESNET_WIDTHS)
MPNNS = {'mpnn-small': (16, 32), 'mpnn': (64, 128)}
CNNS = {'cnn-small': CNN_SMALL_CHANNELS, 'cnn': CNN_CHANNELS}
BACKBONES = (*DENSE_BACKBONES, *MPNNS, *CNNS)


class SegNetAttention(LibMTL.architecture.AbsArchitecture):
    """MTAN on SegNet, as the papers train it; LibMTL's own ``MTAN`` is made for ResNets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.encoder = self.encoder_class()

    def get_share_params(self) -> list[nn.Parameter]:
        """List the parameters that gradient-based strategies combine: all but the attention's."""
        return list(self.encoder.shared_parameters())


@dataclass(frozen=True)
class Model:
    """The parts of a model that LibMTL's Trainer takes.

    Attributes:
        architecture: LibMTL's name of it, or a class.
        encoder_class: called without arguments, makes the backbone.
        decoders: one head a task.
    """

    architecture: str | type
    encoder_class: Callable[[], nn.Module]
    decoders: nn.ModuleDict


def build_model(
    backbone: str, architecture: str, tasks: Sequence[Task], pretrained: bool = True
) -> Model:
    """Build a model by the names of its parts.

    ``resnet*`` is LibMTL's dilated ResNet with an ASPP head a task. The others are trained from
    scratch: ``segnet*`` with two convolutions a task, ``mpnn*`` (message passing on molecules) and
    ``cnn*`` (faces) with a linear layer a task.

    Args:
        backbone: one of :data:`BACKBONES`.
        architecture: ``'HPS'``; for dense prediction also ``'MTAN'`` or another one of LibMTL's.
        tasks: one head each.
        pretrained: whether a ResNet begins with ImageNet's weights, which torch downloads.
    """
    if backbone in RESNET_WIDTHS:
        resnet = partial(_build_resnet, backbone, pretrained)
        return Model(architecture, resnet, _heads(DeepLabHead, RESNET_WIDTHS[backbone], tasks))
    if backbone in MPNNS:
        dim, hidden = MPNNS[backbone]
        return Model(architecture, partial(MPNN, dim, hidden), _heads(nn.Linear, dim, tasks))
    if backbone in CNNS:
        widths = CNNS[backbone]
        heads = _heads(nn.Linear, widths[-1], tasks)
        return Model(architecture, partial(NineLayerCNN, widths), heads)
    channels, convolutions = SEGNETS[backbone]
    heads = _heads(TaskHead, channels[0], tasks)
    if architecture != 'MTAN':
        return Model(architecture, partial(SegNet, channels, convolutions), heads)
    names = [task.name for task in tasks]
    return Model(SegNetAttention, partial(SegNetMTAN, names, channels, convolutions), heads)


def _heads(
    head: Callable[[int, int], nn.Module], width: int, tasks: Sequence[Task]
) -> nn.ModuleDict:
    return nn.ModuleDict({task.name: head(width, task.channels) for task in tasks})


def _build_resnet(name: str, pretrained: bool) -> nn.Module:
    try:
        return LibMTL.model.resnet_dilated(name, pretrained=pretrained)
    except URLError as error:
        raise ConnectionError(
            f"ImageNet's weights of {name} could not be downloaded ({error.reason}); "
            '--no-pretrained begins from random ones.'
        ) from error
