"""A benchmark: tasks, classes, image size, published results, and where its data comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from go4align_plugins.data.units import INVERSE_DEPTH, DepthUnit
from go4align_plugins.tasks import Task
from go4align_plugins.utils.files import locate

FRAMES, MOLECULES, FACES = 'frames', 'molecules', 'faces'


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, apart from any framework.

    Attributes:
        name: on the command line.
        title: in tables and figures.
        tasks: in the order in which their losses are stacked.
        num_frames: of each split, ``train`` and ``val``, whatever the inputs are. Where there is a
            ``test`` split, too, results are of that one; else of ``val``.
        image_size: height and width in pixels of the published protocols; None without images.
        class_names: of the segmentation task, class 0 first; empty without one.
        palette: the colour of each class, red, green and blue from 0 to 255.
        single_task: published (or None) single-task results, task -> metric -> value.
        batch_sizes: protocol -> its batch size, where it is another than of other benchmarks.
        embedded: whether :mod:`~go4align_plugins.data.rooms` renders it.
        inputs: of a model: ``'frames'``, ``'molecules'`` or ``'faces'``.
        num_groups: K of the GO4Align paper; 2 where it is not published.
        download: where to get the data, for a user to read.
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    num_frames: Mapping[str, int]
    image_size: tuple[int, int] | None = None
    class_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    single_task: Mapping[str, Mapping[str, float]] | None = None
    batch_sizes: Mapping[str, int] = field(default_factory=dict)
    embedded: bool = False
    inputs: str = FRAMES
    num_groups: int = 2
    download: str = ''

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return tuple(task.name for task in self.tasks)

    @property
    def depth_unit(self) -> DepthUnit | None:
        """The unit of its depth; None if it has no depth."""
        return next((task.depth_unit for task in self.tasks if task.depth_unit), None)

    @property
    def inverse_depth(self) -> bool:
        """Whether it has depth that is inverse: near is large."""
        return self.depth_unit == INVERSE_DEPTH

    def require_image_size(self) -> tuple[int, int]:
        """Height and width of its images; a ValueError if it has none."""
        if self.image_size is None:
            raise ValueError(
                f'Parameter `benchmark` should be one that has images. Found `{self.name}`.'
            )
        return self.image_size

    def task(self, name: str) -> Task:
        """The task of that name; a ValueError if it has none."""
        return self.select([name])[0]

    def select(self, names: Iterable[str] | None) -> tuple[Task, ...]:
        """The tasks of those names in the benchmark's own order; all of them for None."""
        if names is None:
            return self.tasks
        chosen = tuple(names)
        for name in chosen:
            if name not in self.task_names:
                known = f'{self.name}: {", ".join(self.task_names)}'
                raise ValueError(f'Parameter `tasks` should name tasks of {known}. Found `{name}`.')
        if not chosen:
            raise ValueError('Parameter `tasks` should name at least one task. Found none.')
        return tuple(task for task in self.tasks if task.name in chosen)

    def how_to_get(self, root: str | Path) -> str:
        """The command that makes its data in a folder, or says where to get it."""
        command = f'{self.name} --out {root}' if self.embedded else f'download {self.name}'
        return f'To get the data: python tools/prepare_data.py {command}'

    def find_file(self, root: Path, names: Sequence[str], folders: Sequence[str]) -> Path:
        """The first of some files of its download that is in a folder, or in one of its own."""
        places = [Path(folder, name) for name in names for folder in folders]
        for place in places:
            if (root / place).exists():
                return root / place
        wanted, inner = ' or '.join(names), ', '.join(filter(None, folders))
        how = locate(root, places) or self.how_to_get(root)
        raise FileNotFoundError(f'{root}: should hold {wanted}, or one of {inner} with it. {how}')
