"""Build training steps to be timed: a benchmark's model, as the training tool trains it.

The data is random, nothing is read or downloaded: the time of a step depends on shapes alone.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from go4align_plugins.data import MOLECULES, Benchmark, Task, get_benchmark
from go4align_plugins.data.molecules import NUM_ATOM_FEATURES, NUM_EDGE_FEATURES, all_pairs
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.loop import BATCHES_IN_STEP, RecordedTrainer
from go4align_plugins.libmtl.models import Model, build_model
from go4align_plugins.libmtl.tasks import build_task_dict
from go4align_plugins.libmtl.train import build_parser, resolve
from go4align_plugins.tasks import ATTRIBUTE, MapKind
from go4align_plugins.utils.optional import import_optional

LibMTL: Any = import_libmtl()

BENCHMARK_OF = {2: 'streets', 3: 'rooms', 11: 'qm9', 40: 'celeba'}
"""The benchmark of each number of tasks."""
PERCEPTRON_WIDTH = 64
EPOCHS = 3  # DWA weights by the losses of the two epochs before


@dataclass(frozen=True)
class Workload:
    """A model of a benchmark with random data.

    Attributes:
        benchmark: whose tasks and losses are trained.
        backbone: its name.
        batch: inputs and labels, the same at every step.
        build_model: builds a fresh model.
        note: a difference from the benchmark, if any.
    """

    benchmark: Benchmark
    backbone: str
    batch: tuple[Any, dict[str, Tensor]]
    build_model: Callable[[], Model]
    note: str = ''

    @property
    def batch_size(self) -> int:
        """The number of samples in a step."""
        return len(next(iter(self.batch[1].values())))

    def prepare(self, method: str, device: str | None = None) -> Callable[..., None]:
        """Return a function that takes steps with a method, one by default, and waits for them.

        Options of the method are LibMTL's defaults, the device a GPU where there is one.

        Raises:
            ValueError: if the installed LibMTL lacks the method, or its steps are of another
                kind than the others'.
        """
        if method.removeprefix('AGRM_') in BATCHES_IN_STEP:
            raise ValueError(
                f'Parameter `methods` should leave out {", ".join(BATCHES_IN_STEP)}: a step of '
                f'theirs takes several batches. Found `{method}`.'
            )
        config, libmtl_options = _resolve(self.benchmark, method, device)
        with contextlib.redirect_stdout(io.StringIO()):  # LibMTL prints each configuration
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
    """Build the workload of a number of tasks, of :data:`BENCHMARK_OF`, by the small protocol.

    Raises:
        ValueError: if no benchmark has that number of tasks, or the batch size is below 2.
    """
    if num_tasks not in BENCHMARK_OF:
        known = ', '.join(map(str, BENCHMARK_OF))
        raise ValueError(f'Parameter `tasks` should be of {known}. Found `{num_tasks}`.')
    benchmark = get_benchmark(BENCHMARK_OF[num_tasks])
    config, _ = _resolve(benchmark, 'EW')
    size = config['batch_size'] if batch_size is None else batch_size
    if size < 2:
        raise ValueError(f'Parameter `batch_size` should be at least 2. Found `{size}`.')
    generator = torch.Generator().manual_seed(0)
    labels = _labels(benchmark, size, generator)
    try:
        random_inputs = _random_molecules if benchmark.inputs == MOLECULES else _random_images
        inputs = random_inputs(benchmark, size, generator)
    except ImportError as error:
        note = f'A multilayer perceptron stands in for {config["backbone"]}. {error}'
        return _perceptron(benchmark, labels, size, generator, note)
    model = partial(build_model, config['backbone'], config['arch'], benchmark.tasks, False)
    return Workload(benchmark, config['backbone'], (inputs, labels), model)


def perceptron_workload(num_tasks: int, batch_size: int = 64) -> Workload:
    """Build a multilayer perceptron with the first attributes of CelebA, little but the weighting.

    Raises:
        ValueError: if there are fewer tasks.
    """
    faces = get_benchmark('celeba')
    if not 1 <= num_tasks <= len(faces.tasks):
        raise ValueError(
            f'Parameter `tasks` should be between 1 and {len(faces.tasks)}. Found `{num_tasks}`.'
        )
    benchmark = replace(faces, tasks=faces.tasks[:num_tasks])
    generator = torch.Generator().manual_seed(0)
    labels = _labels(benchmark, batch_size, generator)
    return _perceptron(benchmark, labels, batch_size, generator)


def _labels(benchmark: Benchmark, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
    return {
        task.name: random_labels(task, benchmark, batch_size, generator) for task in benchmark.tasks
    }


def random_labels(
    task: Task, benchmark: Benchmark, batch_size: int, generator: torch.Generator
) -> Tensor:
    """Draw labels as a task's loss takes them."""
    height, width = benchmark.image_size or (0, 0)
    if not isinstance(task.kind, MapKind):
        numbers = torch.randn(batch_size, 1, generator=generator)
        return (numbers > 0).float() if task.kind is ATTRIBUTE else numbers
    if task.kind.has_classes:
        shape = (batch_size, height, width)
        return torch.randint(task.channels, shape, generator=generator)
    maps = torch.rand(batch_size, task.channels, height, width, generator=generator) + 0.1
    return torch.stack([task.kind.finish(one) for one in maps])


def _random_images(benchmark: Benchmark, batch_size: int, generator: torch.Generator) -> Tensor:
    height, width = benchmark.image_size or (64, 64)
    return torch.rand(batch_size, 3, height, width, generator=generator)


def _random_molecules(benchmark: Benchmark, batch_size: int, generator: torch.Generator) -> Any:
    """Draw complete graphs of 9 to 27 atoms: QM9's have 18 on average."""
    data = import_optional('torch_geometric.data', 'qm9', 'Networks for molecules')
    graphs = []
    for count in torch.randint(9, 28, (batch_size,), generator=generator).tolist():
        pairs = torch.from_numpy(all_pairs(count)[0])
        atoms = torch.rand(count, NUM_ATOM_FEATURES, generator=generator)
        features = torch.rand(pairs.shape[1], NUM_EDGE_FEATURES, generator=generator)
        graphs.append(data.Data(x=atoms, edge_index=pairs, edge_attr=features))
    return data.Batch.from_data_list(graphs)


def _perceptron(
    benchmark: Benchmark,
    labels: dict[str, Tensor],
    batch_size: int,
    generator: torch.Generator,
    note: str = '',
) -> Workload:
    width = PERCEPTRON_WIDTH

    def encoder() -> nn.Module:
        layers = [layer for _ in range(4) for layer in (nn.Linear(width, width), nn.ReLU())]
        return nn.Sequential(*layers)

    def build() -> Model:
        heads = {task.name: nn.Linear(width, task.channels) for task in benchmark.tasks}
        return Model('HPS', encoder, nn.ModuleDict(heads))

    inputs = torch.randn(batch_size, width, generator=generator)
    return Workload(benchmark, 'perceptron', (inputs, labels), build, note)


def _resolve(
    benchmark: Benchmark, method: str, device: str | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    words: list[str] = ['--dataset', benchmark.name, '--weighting', method]
    words += ['--tasks', *benchmark.task_names]
    words += ['--device', device] if device else []
    with contextlib.redirect_stdout(io.StringIO()):
        return resolve(build_parser().parse_args(words))


def _step(trainer: Any, batch: tuple[Any, Mapping[str, Tensor]], count: int = 1) -> None:
    trainer._train_epoch([batch] * count)  # the training tool's own
    if trainer.device.type == 'cuda':
        torch.cuda.synchronize(trainer.device)
