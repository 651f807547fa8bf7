"""The benchmarks as one table: tasks, classes, image size, metrics, published results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from go4align_plugins.data.units import INVERSE_DEPTH, METRES, DepthUnit
from go4align_plugins.tasks import (
    ADDED_TASKS,
    Task,
    attribute,
    depth,
    normal,
    regression,
    segmentation,
)

FRAMES, MOLECULES, FACES = 'frames', 'molecules', 'faces'


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, apart from any framework.

    Attributes:
        name: on the command line.
        title: in tables and figures.
        tasks: in the order in which their losses are stacked.
        class_names: of the segmentation task, class 0 first; empty without one.
        image_size: height and width in pixels of the published protocols; None without images.
        num_frames: of each split, ``train`` and ``val``, whatever the inputs are. Where there is a
            ``test`` split, too, results are of that one; else of ``val``.
        single_task: published (or None) single-task results, task -> metric -> value.
        embedded: whether :mod:`~go4align_plugins.data.scenes` renders it.
        inputs: what a model is given: ``'frames'``, ``'molecules'`` or ``'faces'``.
        num_groups: K of the GO4Align paper; 2 where it is not published.
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    class_names: tuple[str, ...]
    image_size: tuple[int, int] | None
    num_frames: Mapping[str, int]
    single_task: Mapping[str, Mapping[str, float]] | None = None
    embedded: bool = False
    inputs: str = FRAMES
    num_groups: int = 2
    task_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'task_names', tuple(task.name for task in self.tasks))

    @property
    def depth_unit(self) -> DepthUnit | None:
        """The unit of its depth; None if it has no depth."""
        return next((task.depth_unit for task in self.tasks if task.depth_unit), None)

    @property
    def inverse_depth(self) -> bool:
        """Whether it has depth that is inverse: near is large."""
        return self.depth_unit == INVERSE_DEPTH

    def require_image_size(self) -> tuple[int, int]:
        """Height and width of its images.

        Raises:
            ValueError: if it has no images.
        """
        if self.image_size is None:
            raise ValueError(
                f'Parameter `benchmark` should be one that has images. Found `{self.name}`.'
            )
        return self.image_size

    def task(self, name: str) -> Task:
        """The task of that name.

        Raises:
            ValueError: if the benchmark has no such task.
        """
        for task in (*self.tasks, *ADDED_TASKS.values()):
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
        return tuple(task for task in (*self.tasks, *ADDED_TASKS.values()) if task.name in chosen)


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

# PyTorch Geometric's targets 0 to 3, 5, 6, 12 to 15 and 11, as LibMTL and NashMTL have them: u0 to
# g298 are the energies of atomisation.
QM9_UNITS = {
    'mu': 'D', 'alpha': 'bohr³', 'homo': 'meV', 'lumo': 'meV', 'r2': 'bohr²', 'zpve': 'meV',
    'u0': 'meV', 'u298': 'meV', 'h298': 'meV', 'g298': 'meV', 'cv': 'cal/(mol K)',
}  # fmt: skip
# NashMTL's code (github.com/AvivNavon/nash-mtl, experiments/quantum_chemistry/utils.py), which
# FAMO's and GO4Align's tables are measured by. CelebA's single tasks are not published one by one.
QM9_SINGLE_TASK = {
    task: {'MAE': error}
    for task, error in zip(
        QM9_UNITS,
        (0.0671, 0.1814, 60.576, 53.915, 0.5027, 4.539, 58.838, 64.244, 63.852, 66.223, 0.07212),
    )
}
CELEBA_ATTRIBUTES = (
    '5_o_Clock_Shadow', 'Arched_Eyebrows', 'Attractive', 'Bags_Under_Eyes', 'Bald', 'Bangs',
    'Big_Lips', 'Big_Nose', 'Black_Hair', 'Blond_Hair', 'Blurry', 'Brown_Hair', 'Bushy_Eyebrows',
    'Chubby', 'Double_Chin', 'Eyeglasses', 'Goatee', 'Gray_Hair', 'Heavy_Makeup',
    'High_Cheekbones', 'Male', 'Mouth_Slightly_Open', 'Mustache', 'Narrow_Eyes', 'No_Beard',
    'Oval_Face', 'Pale_Skin', 'Pointy_Nose', 'Receding_Hairline', 'Rosy_Cheeks', 'Sideburns',
    'Smiling', 'Straight_Hair', 'Wavy_Hair', 'Wearing_Earrings', 'Wearing_Hat',
    'Wearing_Lipstick', 'Wearing_Necklace', 'Wearing_Necktie', 'Young',
)  # fmt: skip

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            'nyuv2',
            'NYUv2',
            (segmentation(13), depth(METRES), normal()),
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
            (segmentation(13), depth(METRES), normal()),
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
        Benchmark(
            'qm9',
            'QM9',
            tuple(regression(name, unit) for name, unit in QM9_UNITS.items()),
            (),
            None,
            {'train': 110831, 'val': 10000, 'test': 10000},
            QM9_SINGLE_TASK,
            inputs=MOLECULES,
            num_groups=5,
        ),
        Benchmark(
            'celeba',
            'CelebA',
            tuple(map(attribute, CELEBA_ATTRIBUTES)),
            (),
            (64, 64),
            {'train': 162770, 'val': 19867, 'test': 19962},
            inputs=FACES,
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
