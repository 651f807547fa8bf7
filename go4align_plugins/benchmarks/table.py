"""The benchmarks as one table: tasks, classes, image size, metrics, published results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

INVERSE_DEPTH = 'inverse depth'


@dataclass(frozen=True)
class Metric:
    """One figure that a task is judged by.

    Attributes:
        name: as LibMTL prints it.
        higher_is_better: the direction.
        unit: of the figure as stored; shares and mIoU are in [0, 1].
    """

    name: str
    higher_is_better: bool
    unit: str


@dataclass(frozen=True)
class Task:
    """One task: the channels that a model predicts for it, and its metrics."""

    name: str
    channels: int
    metrics: tuple[Metric, ...]


def segmentation(num_classes: int) -> Task:
    """Semantic segmentation into ``num_classes`` classes; label -1 is no label."""
    return Task(
        'segmentation',
        num_classes,
        (Metric('mIoU', True, 'share'), Metric('pixAcc', True, 'share')),
    )


def depth(unit: str) -> Task:
    """Depth in ``unit``; depth 0 is no measurement."""
    return Task('depth', 1, (Metric('abs_err', False, unit), Metric('rel_err', False, 'ratio')))


def normal() -> Task:
    """Unit surface normals towards the camera (x right, y down, z forward); 0 is no normal."""
    angles = tuple(Metric(name, False, 'degrees') for name in ('mean', 'median'))
    shares = tuple(Metric(f'<{degrees}', True, 'share') for degrees in ('11.25', '22.5', '30'))
    return Task('normal', 3, angles + shares)


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark is, apart from any framework.

    Attributes:
        name: on the command line.
        title: in tables and figures.
        tasks: in the order in which their losses are stacked.
        class_names: of the segmentation task, class 0 first.
        image_size: height and width in pixels of the published protocols.
        num_frames: of each split, ``train`` and ``val``.
        single_task: published (or None) single-task results, task -> metric -> value.
        embedded: whether :mod:`~go4align_plugins.benchmarks.scenes` renders it.
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    num_frames: Mapping[str, int]
    single_task: Mapping[str, Mapping[str, float]] | None = None
    embedded: bool = False
    task_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'task_names', tuple(task.name for task in self.tasks))

    @property
    def inverse_depth(self) -> bool:
        """Whether its depth is inverse: near is large."""
        return self.task('depth').metrics[0].unit == INVERSE_DEPTH

    def task(self, name: str) -> Task:
        """The task of that name.

        Raises:
            ValueError: if the benchmark has no such task.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise ValueError(
            f'Parameter `tasks` should name tasks of {self.name}: {", ".join(self.task_names)}. '
            f'Found `{name}`.'
        )

    def select(self, names: Iterable[str] | None) -> tuple[Task, ...]:
        """The tasks of those names in the benchmark's own order; all of them for None."""
        if names is None:
            return self.tasks
        chosen = {self.task(name).name for name in names}
        if not chosen:
            raise ValueError('Parameter `tasks` should name at least one task. Found none.')
        return tuple(task for task in self.tasks if task.name in chosen)


NYUV2_CLASSES = (
    'bed', 'books', 'ceiling', 'chair', 'floor', 'furniture', 'objects',
    'picture', 'sofa', 'table', 'tv', 'wall', 'window',
)  # fmt: skip
CITYSCAPES_CLASSES = ('flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')

# Single-task rows of the GO4Align paper's Tables 1 and 2 (arXiv 2404.06486), which repeat those of
# FAMO's and NashMTL's; shares as shares. They are published figures, not results of this package.
NYUV2_SINGLE_TASK = {
    'segmentation': {'mIoU': 0.3830, 'pixAcc': 0.6376},
    'depth': {'abs_err': 0.6754, 'rel_err': 0.2780},
    'normal': {'mean': 25.01, 'median': 19.21, '<11.25': 0.3014, '<22.5': 0.5720, '<30': 0.6915},
}
CITYSCAPES_SINGLE_TASK = {
    'segmentation': {'mIoU': 0.7401, 'pixAcc': 0.9316},
    'depth': {'abs_err': 0.0125, 'rel_err': 27.77},
}

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            'nyuv2',
            'NYUv2',
            (segmentation(13), depth('m'), normal()),
            NYUV2_CLASSES,
            (288, 384),
            {'train': 795, 'val': 654},
            NYUV2_SINGLE_TASK,
        ),
        Benchmark(
            'cityscapes',
            'CityScapes',
            (segmentation(7), depth(INVERSE_DEPTH)),
            CITYSCAPES_CLASSES,
            (128, 256),
            {'train': 2975, 'val': 500},
            CITYSCAPES_SINGLE_TASK,
        ),
        Benchmark(
            'rooms',
            'rooms (rendered)',
            (segmentation(13), depth('m'), normal()),
            NYUV2_CLASSES,
            (96, 128),
            {'train': 240, 'val': 60},
            embedded=True,
        ),
        Benchmark(
            'streets',
            'streets (rendered)',
            (segmentation(7), depth(INVERSE_DEPTH)),
            CITYSCAPES_CLASSES,
            (96, 128),
            {'train': 240, 'val': 60},
            embedded=True,
        ),
    )
}


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of that name.

    Raises:
        ValueError: if there is none; the message lists the names.
    """
    if name not in BENCHMARKS:
        known = ', '.join(BENCHMARKS)
        raise ValueError(f'Parameter `benchmark` should be one of {known}. Found `{name}`.')
    return BENCHMARKS[name]
