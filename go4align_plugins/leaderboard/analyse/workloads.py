"""Training steps to be timed: a benchmark's model, as the training tool trains it, on random data.

Nothing is read or downloaded: how long a step takes depends on shapes, not on what is seen.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from go4align_plugins.benchmarks import Benchmark, Task, get_benchmark
from go4align_plugins.benchmarks.molecules import (
    NUM_ATOM_FEATURES,
    NUM_EDGE_FEATURES,
    all_pairs,
)
from go4align_plugins.benchmarks.optional import import_optional
from go4align_plugins.benchmarks.table import FACES, FRAMES, MOLECULES
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.kinds import get_kind
from go4align_plugins.libmtl.loop import BATCHES_IN_STEP, RecordedTrainer
from go4align_plugins.libmtl.models import Model
from go4align_plugins.libmtl.tasks import build_task_dict
from go4align_plugins.libmtl.train import build_parser, resolve

LibMTL: Any = import_libmtl()

BENCHMARK_OF = {2: 'streets', 3: 'rooms', 11: 'qm9', 40: 'celeba'}
"""The benchmark that has so many tasks."""
PERCEPTRON_WIDTH = 64
EPOCHS = 3  # DWA weights by the losses of the two epochs before

Batch = tuple[Any, dict[str, Tensor]]


@dataclass(frozen=True)
class Workload:
    """A model of a benchmark with random data.

    Attributes:
        benchmark: whose tasks and losses are trained.
        backbone: its name.
        batch: the same at every step.
        build_model: a fresh model.
        note: what is not as in the benchmark, if anything.
    """

    benchmark: Benchmark
    backbone: str
    batch: Batch
    build_model: Callable[[], Model]
    note: str = ''
    batch_size: int = field(init=False)

    def __post_init__(self) -> None:
        labels = next(iter(self.batch[1].values()))
        object.__setattr__(self, 'batch_size', len(labels))

    def prepare(self, method: str, device: str | None = None) -> Callable[..., None]:
        """A function that takes training steps with a method, one by default, and waits for them.

        Args:
            method: name of a weighting strategy; its options are LibMTL's defaults.
            device: where to train; None: a GPU where there is one.

        Raises:
            ValueError: if the installed LibMTL has no such method, or its steps are of another
                kind than the others'.
        """
        if method.removeprefix('AGRM_') in BATCHES_IN_STEP:
            raise ValueError(
                f'Parameter `methods` should leave out {", ".join(BATCHES_IN_STEP)}: a step of '
                f'theirs takes several batches. Found `{method}`.'
            )
        with contextlib.redirect_stdout(io.StringIO()):  # LibMTL prints each configuration
            config, libmtl_options = _resolve(self.benchmark, method, device)
            LibMTL.utils.set_random_seed(0)
            model = self.build_model()
            trainer = RecordedTrainer(
                build_task_dict(self.benchmark.tasks), method, model.architecture,
                model.encoder_class, model.decoders, config['rep_grad'], False,
                image_size=self.benchmark.image_size, device=config['device'], **libmtl_options,
            )  # fmt: skip
        trainer.model.epoch, trainer.model.epochs = EPOCHS - 1, EPOCHS
        trainer.model.train_loss_buffer = np.ones((len(self.benchmark.tasks), EPOCHS))
        trainer.model.train()
        return partial(_step, trainer, self.batch)


def build_workload(num_tasks: int, batch_size: int | None = None) -> Workload:
    """The workload with so many tasks: those of streets, rooms, QM9 or CelebA.

    Args:
        num_tasks: one of :data:`BENCHMARK_OF`.
        batch_size: None: the small protocol's.

    Raises:
        ValueError: if there is none with so many tasks, or the batch size is below 2.
    """
    if num_tasks not in BENCHMARK_OF:
        known = ', '.join(map(str, BENCHMARK_OF))
        raise ValueError(f'Parameter `tasks` should be of {known}. Found `{num_tasks}`.')
    benchmark = get_benchmark(BENCHMARK_OF[num_tasks])
    with contextlib.redirect_stdout(io.StringIO()):
        config, _ = _resolve(benchmark, 'EW')
    size = config['batch_size'] if batch_size is None else batch_size
    if size < 2:
        raise ValueError(f'Parameter `batch_size` should be at least 2. Found `{size}`.')
    generator = torch.Generator().manual_seed(0)
    labels = {
        task.name: random_labels(task, benchmark, size, generator) for task in benchmark.tasks
    }
    kind = get_kind(benchmark.name)
    build = partial(kind.build_model, config['backbone'], config['arch'], benchmark.tasks, False)
    try:
        inputs = INPUTS[benchmark.inputs](benchmark, size, generator)
    except ImportError as error:
        inputs = torch.randn(size, PERCEPTRON_WIDTH, generator=generator)
        note = f'A multilayer perceptron stands in for {config["backbone"]}. {error}'
        return Workload(
            benchmark, 'perceptron', (inputs, labels), partial(_perceptron, benchmark.tasks), note
        )
    return Workload(benchmark, config['backbone'], (inputs, labels), build)


def perceptron_workload(num_tasks: int, batch_size: int = 64) -> Workload:
    """A multilayer perceptron with the first attributes of CelebA: hardly more than the weighting.

    Args:
        num_tasks: between 1 and 40.
        batch_size: samples a step.

    Raises:
        ValueError: if there are not so many tasks.
    """
    faces = get_benchmark('celeba')
    if not 1 <= num_tasks <= len(faces.tasks):
        raise ValueError(
            f'Parameter `tasks` should be between 1 and {len(faces.tasks)}. Found `{num_tasks}`.'
        )
    benchmark = replace(faces, tasks=faces.tasks[:num_tasks])
    generator = torch.Generator().manual_seed(0)
    labels = {
        task.name: random_labels(task, benchmark, batch_size, generator) for task in benchmark.tasks
    }
    inputs = torch.randn(batch_size, PERCEPTRON_WIDTH, generator=generator)
    build = partial(_perceptron, benchmark.tasks)
    return Workload(benchmark, 'perceptron', (inputs, labels), build)


def random_labels(
    task: Task, benchmark: Benchmark, batch_size: int, generator: torch.Generator
) -> Tensor:
    """Labels of a task's kind: as its loss takes them."""
    height, width = benchmark.image_size or (0, 0)
    if task.kind == 'segmentation':
        shape = (batch_size, height, width)
        return torch.randint(task.channels, shape, generator=generator)
    if task.kind in ('depth', 'normal'):
        maps = torch.rand(batch_size, task.channels, height, width, generator=generator) + 0.1
        return F.normalize(maps) if task.kind == 'normal' else maps
    numbers = torch.randn(batch_size, 1, generator=generator)
    return (numbers > 0).float() if task.kind == 'attribute' else numbers


def _random_images(benchmark: Benchmark, batch_size: int, generator: torch.Generator) -> Tensor:
    height, width = benchmark.image_size or (64, 64)
    return torch.rand(batch_size, 3, height, width, generator=generator)


def _random_molecules(benchmark: Benchmark, batch_size: int, generator: torch.Generator) -> Any:
    """Complete graphs of 9 to 27 atoms: QM9's have 18 on average."""
    data = import_optional('torch_geometric.data', 'qm9', 'Networks for molecules')
    graphs = []
    for count in torch.randint(9, 28, (batch_size,), generator=generator).tolist():
        pairs = torch.from_numpy(all_pairs(count)[0])
        atoms = torch.rand(count, NUM_ATOM_FEATURES, generator=generator)
        features = torch.rand(pairs.shape[1], NUM_EDGE_FEATURES, generator=generator)
        graphs.append(data.Data(x=atoms, edge_index=pairs, edge_attr=features))
    return data.Batch.from_data_list(graphs)


INPUTS: Mapping[str, Callable[[Benchmark, int, torch.Generator], Any]] = {
    FRAMES: _random_images,
    FACES: _random_images,
    MOLECULES: _random_molecules,
}


def _perceptron(tasks: Sequence[Task]) -> Model:
    width = PERCEPTRON_WIDTH

    def encoder() -> nn.Module:
        layers = [layer for _ in range(4) for layer in (nn.Linear(width, width), nn.ReLU())]
        return nn.Sequential(*layers)

    heads = {task.name: nn.Linear(width, task.channels) for task in tasks}
    return Model('HPS', encoder, nn.ModuleDict(heads))


def _resolve(benchmark: Benchmark, method: str, device: str | None = None) -> tuple[dict, dict]:
    words = ['--dataset', benchmark.name, '--weighting', method]
    words += ['--tasks', *benchmark.task_names]
    words += ['--device', device] if device else []
    return resolve(build_parser().parse_args(words))


def _step(trainer: Any, batch: Batch, count: int = 1) -> None:
    trainer._train_epoch([batch] * count)  # the training tool's own
    if trainer.device.type == 'cuda':
        torch.cuda.synchronize(trainer.device)
