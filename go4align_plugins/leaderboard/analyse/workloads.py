"""Build steps to be timed, as the training tool takes them, on random data: only shapes count."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from go4align_plugins.data import MOLECULES, Benchmark, Task, get_benchmark
from go4align_plugins.data.molecules import NUM_ATOM_FEATURES, NUM_EDGE_FEATURES, all_pairs
from go4align_plugins.libmtl.compat import import_libmtl
from go4align_plugins.libmtl.loop import BATCHES_IN_STEP, RecordedTrainer
from go4align_plugins.libmtl.models import Model, build_model, build_task_dict
from go4align_plugins.libmtl.train import OF_TRAINER, build_parser, resolve
from go4align_plugins.tasks import MapKind
from go4align_plugins.utils.optional import import_optional
from go4align_plugins.utils.options import require

LibMTL: Any = import_libmtl()

BENCHMARK_OF = {2: 'streets', 3: 'rooms', 11: 'qm9', 40: 'celeba'}
"""The benchmark of each number of tasks."""
EPOCHS = 3  # DWA weights by the losses of the two epochs before


class Workload(NamedTuple):
    """A benchmark's model and a batch of random inputs; the note names a difference from it."""

    benchmark: Benchmark
    backbone: str
    model: Model
    inputs: Any
    batch_size: int
    note: str = ''

    def prepare(self, method: str, device: str | None = None) -> Callable[[], None]:
        """Return a function that takes a step with a method, and waits for it."""
        rule = f'leave out {", ".join(BATCHES_IN_STEP)}, whose steps take several batches'
        require(method.removeprefix('AGRM_') not in BATCHES_IN_STEP, 'methods', rule, method)
        tasks, image_size = self.benchmark.tasks, self.benchmark.image_size
        config = _resolve(self.benchmark, weighting=method, device=device)
        with contextlib.redirect_stdout(io.StringIO()):  # LibMTL prints the number of parameters
            LibMTL.utils.set_random_seed(0)
            model = deepcopy(self.model)
            trainer: Any = RecordedTrainer(
                build_task_dict(tasks), method, model.architecture, model.encoder_class,
                model.decoders, config['rep_grad'], False, image_size=image_size,
                device=config['device'], **{name: config[name] for name in OF_TRAINER},
            )  # fmt: skip
        trainer.model.epoch, trainer.model.epochs = EPOCHS - 1, EPOCHS
        trainer.model.train_loss_buffer = np.ones((len(tasks), EPOCHS))
        trainer.model.train()
        labels = {task.name: random_labels(task, image_size, self.batch_size) for task in tasks}

        def step() -> None:
            trainer._train_epoch([(self.inputs, labels)])
            if trainer.device.type == 'cuda':
                torch.cuda.synchronize(trainer.device)

        return step


def build_workload(num_tasks: int, batch_size: int | None = None) -> Workload:
    """Build the workload of a number of tasks, of :data:`BENCHMARK_OF`, by the small protocol."""
    benchmark = get_benchmark(BENCHMARK_OF[num_tasks])
    torch.manual_seed(0)  # molecules of other sizes take another time
    config = _resolve(benchmark, batch_size=batch_size)
    size, backbone = config['batch_size'], config['backbone']
    if benchmark.inputs == MOLECULES:
        try:
            inputs = _random_molecules(size)
        except ImportError as error:
            note = f'A multilayer perceptron stands in for {backbone}. {error}'
            return perceptron_workload(benchmark, size, note)
    else:
        inputs = torch.rand(size, 3, *benchmark.require_image_size())
    model = build_model(backbone, config['arch'], benchmark.tasks, pretrained=False)
    return Workload(benchmark, backbone, model, inputs, size)


def perceptron_workload(benchmark: Benchmark, batch_size: int = 64, note: str = '') -> Workload:
    """Build a multilayer perceptron with a number a task: little but the weighting."""
    width = 64
    layers = [layer for _ in range(4) for layer in (nn.Linear(width, width), nn.ReLU())]
    heads = {task.name: nn.Linear(width, task.channels) for task in benchmark.tasks}
    model = Model('HPS', partial(nn.Sequential, *layers), nn.ModuleDict(heads))
    inputs = torch.randn(batch_size, width)
    return Workload(benchmark, 'perceptron', model, inputs, batch_size, note)


def random_labels(task: Task, image_size: tuple[int, int] | None, batch_size: int) -> Tensor:
    """Draw labels as a task's loss takes them: numbers that are 0 or 1, or maps."""
    if not isinstance(task.kind, MapKind):
        return torch.randint(2, (batch_size, 1)).float()
    maps = torch.rand(batch_size, task.channels, *(image_size or ())) + 0.1
    labels = torch.stack([task.kind.finish(one) for one in maps])
    return labels.squeeze(1) if task.kind.has_classes else labels


def _random_molecules(batch_size: int) -> Any:
    """Draw complete graphs of 9 to 27 atoms: QM9's have 18 on average."""
    data = import_optional('torch_geometric.data', 'qm9', 'Networks for molecules')
    graphs = []
    for count in torch.randint(9, 28, (batch_size,)).tolist():
        pairs = torch.from_numpy(all_pairs(count)[0])
        features = torch.rand(pairs.shape[1], NUM_EDGE_FEATURES)
        atoms = torch.rand(count, NUM_ATOM_FEATURES)
        graphs.append(data.Data(x=atoms, edge_index=pairs, edge_attr=features))
    return data.Batch.from_data_list(graphs)


def _resolve(benchmark: Benchmark, **given: Any) -> dict[str, Any]:
    """Resolve the training tool's options, some of which are given."""
    arguments = ['--dataset', benchmark.name, '--tasks', *benchmark.task_names]
    options = build_parser().parse_args(arguments)
    vars(options).update(given)
    with contextlib.redirect_stdout(io.StringIO()):  # LibMTL prints each configuration
        return resolve(options)
