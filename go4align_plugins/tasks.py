"""A task, once: its loss, metrics, files and fields, and its rules in a mirror and in a zoom.

Nobody else asks for a task by its name. A new kind of map is a :class:`MapKind` in :data:`MAPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from go4align_plugins import measures
from go4align_plugins.measures.losses import valid_normal, vector_length

if TYPE_CHECKING:
    from go4align_plugins.data.units import DepthUnit

IMAGE_FOLDER = 'image'
ACROSS = {-1: 0, -2: 1}
"""The component of a vector (x right, y down) across a mirror of columns, or of rows."""


@dataclass(frozen=True)
class Metric:
    """A figure that judges a task: LibMTL's name, and the unit as stored; shares are in [0, 1]."""

    name: str
    higher_is_better: bool
    unit: str


@dataclass(frozen=True)
class Kind:
    """The rules of a kind of task: its loss of prediction and truth, and the maker of its metric.

    The metric is made for a task and, of a number learned standardised, its standard deviation.
    """

    name: str
    loss: Callable[[Tensor, Tensor], Tensor]
    metric: Callable[[Task, float], Any]

    def __reduce__(self) -> Any:
        # By its name: a data set that is sent to a process has the very same kinds there.
        return get_kind, (self.name,)


@dataclass(frozen=True)
class MapKind(Kind):
    """A kind of task with a value at each pixel: of classes, by default.

    Attributes:
        folder: of MTAN's layout.
        array: the key of its array in MMSegmentation's pipelines.
        field: of MMSegmentation's data samples, after ``gt_`` or ``pred_``.
        shapes: after height and width, that an array on disk may have.
        channels: of a prediction; None: as many as classes.
        dtype: of a frame's array, by numpy's name.
        colours: of a picture: ``'palette'`` of classes, ``'scale'`` of numbers, ``'direction'``.
    """

    folder: str = ''
    array: str = ''
    field: str = ''
    shapes: tuple[tuple[int, ...], ...] = ((),)
    channels: int | None = None
    dtype: str = 'float32'
    colours: str = 'palette'

    @property
    def has_classes(self) -> bool:
        """Whether its values are numbers of classes."""
        return self.channels is None

    def to_tensor(self, array: Any) -> Tensor:
        """(H, W) or (H, W, C), in MTAN's layout or MMSegmentation's -> (H, W), or (C, H, W)."""
        tensor = torch.as_tensor(array)
        if self.has_classes:
            return tensor
        return tensor[None] if tensor.ndim == 2 else tensor.movedim(-1, 0).contiguous()

    def to_array(self, tensor: Tensor) -> Any:
        """(H, W) or (C, H, W) -> numpy's (H, W) or, of vectors, (H, W, C)."""
        if tensor.ndim == 3:
            tensor = tensor[0] if len(tensor) == 1 else tensor.movedim(0, -1).contiguous()
        return tensor.numpy()

    def mirror(self, value: Tensor, axis: int = -1) -> Tensor:
        """Mirror a map (..., H, W) along columns (-1) or rows (-2)."""
        return self.turn(value.flip(axis), axis)

    def turn(self, value: Tensor, axis: int) -> Tensor:
        """Correct the values of a map (C, H, W) whose pixels were mirrored along an axis."""
        return value

    def approach(self, value: Any, closer: Any) -> Any:
        """Correct the values of a map, of any kind of array, that comes closer."""
        return value

    def zoom(self, value: Tensor, cut: Callable[[Tensor, str], Tensor], closer: float) -> Tensor:
        """Enlarge a window of a map, ``closer`` times; ``cut`` takes an interpolation, too."""
        zoomed = self.approach(cut(value, 'nearest'), closer)
        return zoomed[0].long() if self.has_classes else zoomed

    def finish(self, prediction: Tensor) -> Tensor:
        """From a model's output (C, H, W) to the map that is shown: of classes, the best one."""
        return prediction.argmax(0, keepdim=True) if self.has_classes else prediction


class DistanceKind(MapKind):
    """Depth: 0 is no measurement; coming closer divides it, and multiplies inverse depth."""

    def approach(self, value: Any, closer: Any) -> Any:  # noqa: D102
        return value * closer


class VectorKind(MapKind):
    """Unit vectors (x right, y down, z forward): 0 is none; a mirror turns them."""

    def turn(self, value: Tensor, axis: int) -> Tensor:  # noqa: D102
        signs = value.new_ones(3, 1, 1)
        signs[ACROSS[axis]] = -1
        return value * signs

    def zoom(self, value: Tensor, cut: Callable[[Tensor, str], Tensor], closer: float) -> Tensor:  # noqa: D102
        # Between two pixels the interpolated vector is shorter.
        vectors = cut(value, 'bilinear')
        valid = valid_normal(cut(value, 'nearest')[None])
        return vectors / vector_length(vectors, 0) * valid

    def finish(self, prediction: Tensor) -> Tensor:  # noqa: D102
        prediction = prediction.float()
        return prediction / vector_length(prediction, 0)


SEGMENTATION = MapKind(
    'segmentation', measures.segmentation_loss,
    lambda task, _: measures.SegmentationMetric(task.channels),
    folder='label', array='gt_seg_map', field='sem_seg', dtype='int64',
)  # fmt: skip
DEPTH = DistanceKind(
    'depth', measures.depth_loss, lambda *_: measures.DepthMetric(),
    folder='depth', array='gt_depth_map', field='depth_map',
    shapes=((1,), ()), channels=1, colours='scale',
)  # fmt: skip
NORMAL = VectorKind(
    'normal', measures.normal_loss, lambda *_: measures.NormalMetric(),
    folder='normal', array='gt_normal_map', field='normal_map',
    shapes=((3,),), channels=3, colours='direction',
)  # fmt: skip
REGRESSION = Kind(
    'regression', measures.regression_loss, lambda _, scale: measures.RegressionMetric(scale)
)
ATTRIBUTE = Kind('attribute', measures.attribute_loss, lambda *_: measures.AttributeMetric())
MAPS: dict[str, MapKind] = {kind.name: kind for kind in (SEGMENTATION, DEPTH, NORMAL)}
"""The kinds of maps, by the name of the task that each is in the benchmarks."""


def get_kind(name: str) -> Kind:
    """Look a kind of task up by its name."""
    return {**MAPS, 'regression': REGRESSION, 'attribute': ATTRIBUTE}[name]


def to_tensors(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """The image and the maps of a frame, by their names: (H, W, 3) -> (3, H, W), and so on."""
    return {
        name: MAPS[name].to_tensor(array)
        if name in MAPS
        else torch.as_tensor(array).movedim(-1, 0).contiguous()
        for name, array in arrays.items()
    }


@dataclass(frozen=True)
class Task:
    """A task: a name of its own in its benchmark, and the channels that a model predicts for it."""

    name: str
    channels: int
    metrics: tuple[Metric, ...]
    kind: Kind
    depth_unit: DepthUnit | None = None


def segmentation(num_classes: int) -> Task:
    """Semantic segmentation into ``num_classes`` classes; label -1 is no label."""
    metrics = (Metric('mIoU', True, 'share'), Metric('pixAcc', True, 'share'))
    return Task('segmentation', num_classes, metrics, SEGMENTATION)


def depth(unit: DepthUnit) -> Task:
    """Depth in ``unit``; depth 0 is no measurement."""
    metrics = (Metric('abs_err', False, unit.name), Metric('rel_err', False, 'ratio'))
    return Task('depth', 1, metrics, DEPTH, unit)


def normal() -> Task:
    """Unit surface normals towards the camera (x right, y down, z forward); 0 is no normal."""
    angles = tuple(Metric(name, False, 'degrees') for name in ('mean', 'median'))
    shares = tuple(Metric(f'<{degrees}', True, 'share') for degrees in ('11.25', '22.5', '30'))
    return Task('normal', 3, angles + shares, NORMAL)


def regression(name: str, unit: str) -> Task:
    """A number to predict, standardised for training and measured in ``unit``."""
    return Task(name, 1, (Metric('MAE', False, unit),), REGRESSION)


def attribute(name: str) -> Task:
    """A property that is there (1) or not (0)."""
    return Task(name, 1, (Metric('F1', True, 'share'),), ATTRIBUTE)
