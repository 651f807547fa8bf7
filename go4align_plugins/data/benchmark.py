"""A benchmark: tasks, classes, image size, published results, and where its data comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from go4align_plugins.data.units import INVERSE_DEPTH, DepthUnit
from go4align_plugins.tasks import Task
from go4align_plugins.utils.files import locate
from go4align_plugins.utils.options import require

FRAMES, MOLECULES, FACES = 'frames', 'molecules', 'faces'


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, apart from any framework."""

    name: str  # on the command line
    title: str  # in tables and figures
    tasks: tuple[Task, ...]  # in the order in which their losses are stacked
    # Of each split. Results are of ``test`` where there is one, else of ``val``.
    num_frames: Mapping[str, int]
    image_size: tuple[int, int] | None = None  # height and width of the published protocols
    class_names: tuple[str, ...] = ()  # of the segmentation task, class 0 first
    palette: tuple[tuple[int, int, int], ...] = ()  # red, green and blue of each class, 0 to 255
    # Published single-task results, task -> metric -> value; None: they are not.
    single_task: Mapping[str, Mapping[str, float]] | None = None
    # Protocol -> its batch size, where it is another than of other benchmarks.
    batch_sizes: Mapping[str, int] = field(default_factory=dict)
    embedded: bool = False  # whether :mod:`~go4align_plugins.data.rooms` renders it
    inputs: str = FRAMES  # of a model: frames, molecules or faces
    num_groups: int = 2  # K of the GO4Align paper; 2 where it is not published
    download: str = ''  # where to get the data, for a user to read

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
        chosen = self.task_names if names is None else tuple(names)
        require(bool(chosen), 'tasks', 'name at least one task', chosen)
        known = f'{self.name}: {", ".join(self.task_names)}'
        for name in chosen:
            require(name in self.task_names, 'tasks', f'name tasks of {known}', name)
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
