"""Tasks, and backbones, heads and architectures by name, in the forms that LibMTL takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.error import URLError

from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from go4align_plugins.data import FACES, FRAMES, MOLECULES
from go4align_plugins.libmtl.compat import LibMTL
from go4align_plugins.models import segnet
from go4align_plugins.models.cnn import CNN_CHANNELS, CNN_SMALL_CHANNELS, NineLayerCNN
from go4align_plugins.models.mpnn import MPNN
from go4align_plugins.tasks import Task


class TaskLoss(LibMTL.loss.AbsLoss):
    """Loss of a task, in LibMTL's form."""

    def __init__(self, compute_loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.compute_loss = compute_loss


class TaskMetric(LibMTL.metrics.AbsMetric):
    """Metrics of a task, in LibMTL's form; ``scale`` is a regression's standard deviation."""

    def __init__(self, task: Task, scale: float = 1.0) -> None:
        self.names = [metric.name for metric in task.metrics]
        self.metric = task.kind.metric(task, scale)

    def update_fun(self, pred: Tensor, gt: Tensor) -> None:
        """Add a batch."""
        self.metric.update(pred, gt)

    def score_fun(self) -> list[float]:
        """Compute the scores over all batches."""
        scores = self.metric.compute()
        return [scores[name] for name in self.names]

    def reinit(self) -> None:
        """Forget all batches."""
        self.metric.reset()


def build_task_dict(
    tasks: Iterable[Task], scales: Mapping[str, float] | None = None
) -> dict[str, dict[str, Any]]:
    """Build LibMTL's ``task_dict``: metrics, their directions and the loss of each task."""
    return {
        task.name: {
            'metrics': [metric.name for metric in task.metrics],
            'metrics_fn': TaskMetric(task, (scales or {}).get(task.name, 1.0)),
            'loss_fn': TaskLoss(task.kind.loss),
            'weight': [int(metric.higher_is_better) for metric in task.metrics],
        }
        for task in tasks
    }


class SegNetAttention(LibMTL.architecture.AbsArchitecture):
    """MTAN on SegNet, as the papers train it; LibMTL's own ``MTAN`` is made for ResNets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.encoder = self.encoder_class()

    def get_share_params(self) -> list[nn.Parameter]:
        """List the parameters that gradient-based strategies combine: all but the attention's."""
        return list(self.encoder.shared_parameters())


def _build_resnet(name: str, pretrained: bool) -> nn.Module:
    try:
        return LibMTL.model.resnet_dilated(name, pretrained=pretrained)
    except URLError as error:
        raise ConnectionError(
            f"ImageNet's weights of {name} could not be downloaded ({error.reason}); "
            '--no-pretrained begins from random ones.'
        ) from error


RESNET_WIDTHS = {'resnet18': 512, 'resnet34': 512, 'resnet50': 2048, 'resnet101': 2048}
SEGNETS = {
    'segnet-small': (segnet.SEGNET_SMALL_CHANNELS, segnet.SEGNET_SMALL_CONVOLUTIONS),
    'segnet': (segnet.SEGNET_CHANNELS, segnet.SEGNET_CONVOLUTIONS),
}
MPNNS = {'mpnn-small': (16, 32), 'mpnn': (64, 128)}
CNNS = {'cnn-small': CNN_SMALL_CHANNELS, 'cnn': CNN_CHANNELS}
BACKBONES = {FRAMES: (*SEGNETS, *RESNET_WIDTHS), MOLECULES: tuple(MPNNS), FACES: tuple(CNNS)}
"""The backbones for each type of inputs."""


class Model(NamedTuple):
    """The parts of a model that LibMTL's Trainer takes: the encoder's class has no arguments."""

    architecture: str | type
    encoder_class: Callable[[], nn.Module]
    decoders: nn.ModuleDict


def build_model(
    backbone: str, architecture: str | type, tasks: Sequence[Task], pretrained: bool = True
) -> Model:
    """Build a model by the names of its parts; ``resnet*`` is dilated, with ASPP heads."""
    head: Any = nn.Linear
    if backbone in RESNET_WIDTHS:
        encoder: Any = partial(_build_resnet, backbone, pretrained)
        head, width = DeepLabHead, RESNET_WIDTHS[backbone]
    elif backbone in MPNNS:
        encoder, width = partial(MPNN, *MPNNS[backbone]), MPNNS[backbone][0]
    elif backbone in CNNS:
        encoder, width = partial(NineLayerCNN, CNNS[backbone]), CNNS[backbone][-1]
    else:
        head, width = segnet.TaskHead, SEGNETS[backbone][0][0]
        encoder = partial(segnet.SegNet, *SEGNETS[backbone])
        if architecture == 'MTAN':
            names = [task.name for task in tasks]
            encoder = partial(segnet.SegNetMTAN, names, *SEGNETS[backbone])
            architecture = SegNetAttention
    heads = {task.name: head(width, task.channels) for task in tasks}
    return Model(architecture, encoder, nn.ModuleDict(heads))
