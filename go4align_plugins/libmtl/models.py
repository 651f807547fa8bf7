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


class SegNetAttention(LibMTL.architecture.AbsArchitecture):
    """MTAN on SegNet, as the papers train it; LibMTL's own ``MTAN`` is made for ResNets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.encoder = self.encoder_class()

    def get_share_params(self) -> list[nn.Parameter]:
        """What gradient-based strategies combine: all but the tasks' own attention."""
        return list(self.encoder.shared_parameters())


@dataclass(frozen=True)
class Model:
    """What LibMTL's Trainer is given of a model.

    Attributes:
        architecture: LibMTL's name of it, or a class.
        encoder_class: called without arguments, makes the backbone.
        decoders: one head a task.
    """

    architecture: str | type
    encoder_class: Callable[[], nn.Module]
    decoders: nn.ModuleDict


def build_dense_model(
    backbone: str, architecture: str, tasks: Sequence[Task], pretrained: bool = True
) -> Model:
    """A model for dense prediction by the names of its parts.

    ``resnet*`` is LibMTL's dilated ResNet with an ASPP head a task; ``segnet*`` are trained from
    scratch, with two convolutions a task.

    Args:
        backbone: one of :data:`DENSE_BACKBONES`.
        architecture: ``'HPS'``, ``'MTAN'`` or another one of LibMTL's.
        tasks: one head each.
        pretrained: whether a ResNet begins with ImageNet's weights, which torch downloads.
    """
    if backbone in RESNET_WIDTHS:
        width = RESNET_WIDTHS[backbone]
        heads = {task.name: DeepLabHead(width, task.channels) for task in tasks}

        def resnet() -> nn.Module:
            try:
                return LibMTL.model.resnet_dilated(backbone, pretrained=pretrained)
            except URLError as error:
                raise ConnectionError(
                    f"ImageNet's weights of {backbone} could not be downloaded ({error.reason}); "
                    '--no-pretrained begins from random ones.'
                ) from error

        return Model(architecture, resnet, nn.ModuleDict(heads))
    channels, convolutions = SEGNETS[backbone]
    decoders = nn.ModuleDict({task.name: TaskHead(channels[0], task.channels) for task in tasks})
    if architecture != 'MTAN':
        return Model(architecture, lambda: SegNet(channels, convolutions), decoders)
    names = [task.name for task in tasks]
    return Model(SegNetAttention, lambda: SegNetMTAN(names, channels, convolutions), decoders)


def build_molecule_model(
    backbone: str, architecture: str, tasks: Sequence[Task], pretrained: bool = False
) -> Model:
    """A message-passing network with a linear head a task.

    Args:
        backbone: one of :data:`MPNNS`.
        architecture: ``'HPS'``.
        tasks: one head each.
        pretrained: not used: there are no pretrained weights.
    """
    dim, hidden = MPNNS[backbone]
    return Model(architecture, partial(MPNN, dim, hidden), _linear_heads(dim, tasks))


def build_face_model(
    backbone: str, architecture: str, tasks: Sequence[Task], pretrained: bool = False
) -> Model:
    """A convolutional network with a linear head a task.

    Args:
        backbone: one of :data:`CNNS`.
        architecture: ``'HPS'``.
        tasks: one head each.
        pretrained: not used: there are no pretrained weights.
    """
    channels = CNNS[backbone]
    return Model(architecture, partial(NineLayerCNN, channels), _linear_heads(channels[-1], tasks))


def _linear_heads(features: int, tasks: Sequence[Task]) -> nn.ModuleDict:
    return nn.ModuleDict({task.name: nn.Linear(features, task.channels) for task in tasks})
