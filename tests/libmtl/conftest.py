"""A problem that any strategy trains on in milliseconds; rooms, and runs of the training tool."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.libmtl.compat import LibMTL
from go4align_plugins.libmtl.models import build_task_dict
from go4align_plugins.libmtl.train import main
from go4align_plugins.tasks import regression

TASKS = ('small', 'middle', 'large')
BATCH_SIZES = {'rooms': '4', 'qm9': '4', 'celeba': '8'}


def build_loader(length: int = 48) -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(length, 5, generator=generator)
    targets = inputs @ torch.randn(5, 3, generator=generator) * torch.tensor([0.1, 1.0, 10.0])
    frames = [(row, dict(zip(TASKS, target[:, None]))) for row, target in zip(inputs, targets)]
    return DataLoader(frames, batch_size=16)


def build_trainer(weighting: Any, tasks: Iterable[str] = TASKS, **options: Any) -> Any:
    """A LibMTL Trainer of a linear encoder with linear heads."""
    torch.manual_seed(0)
    settings = {
        'task_dict': build_task_dict([regression(task, 'm') for task in tasks]),
        'weighting': weighting,
        'architecture': LibMTL.architecture.HPS,
        'encoder_class': lambda: nn.Linear(5, 8),
        'decoders': nn.ModuleDict({task: nn.Linear(8, 1) for task in tasks}),
        'rep_grad': False,
        'multi_input': False,
        'optim_param': {'optim': 'adam', 'lr': 1e-2},
        'scheduler_param': None,
        'weight_args': {},
        'arch_args': {},
        'device': 'cpu',
    }
    with contextlib.redirect_stdout(io.StringIO()):
        return LibMTL.Trainer(**{**settings, **options})


def options(weighting: str, *command_line: str) -> dict[str, Any]:
    """A strategy's `weight_args`, as LibMTL's command line hands them over."""
    params = LibMTL.config.LibMTL_args.parse_args(['--weighting', weighting, *command_line])
    return LibMTL.config.prepare_args(params)[0]['weight_args']


def first_losses(trainer: Any, loader: Any, batches: Any = None) -> Tensor:
    """A Trainer's losses of the next batch, by the methods that both releases of LibMTL have."""
    inputs, targets = trainer._process_data([loader, batches or iter(loader)])
    return trainer._compute_loss(trainer.model(inputs), targets)


def flat_gradients(losses: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """The gradients of all losses, (M, D)."""
    parts = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    return torch.stack([torch.cat([part.flatten() for part in parts_of]) for parts_of in parts])


def train(trainer: Any, epochs: int = 2) -> Any:
    """Train, silently; return the weights (tasks, epochs, steps)."""
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train(build_loader(), build_loader(), epochs)
    return trainer.batch_weight


def arguments(
    data: Path, out: Path, *options: str, dataset: str = 'rooms', weighting: str = 'GO4Align'
) -> list[str]:
    return [
        '--dataset', dataset, '--data', str(data), '--out', str(out), '--weighting', weighting,
        '--epochs', '3', '--batch-size', BATCH_SIZES[dataset], *options,
    ]  # fmt: skip


def resume(data: Path, out: Path, *options: str) -> int:
    """Go on with the run of the fixture `run`."""
    return main(arguments(data, out, '--GO4Align_step_size', '0.01', '--resume', *options))


def entries(folder: Path) -> list[dict]:
    found = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    for entry in found:
        del entry['seconds']
    return found


def train_in_parts(data: Path, folder: Path, *options: str, **choice: str) -> Path:
    """Train whole, and in two parts, which has to be the same; return the whole run."""
    whole, parts = folder / 'whole', folder / 'parts'
    assert main(arguments(data, whole, *options, **choice)) == 0
    assert main([*arguments(data, parts, *options, **choice), '--epochs', '1']) == 0
    torch.manual_seed(99)
    assert main([*arguments(data, parts, *options, **choice), '--resume']) == 0
    # As text: an F1 may be NaN where a tiny split has no label, and NaN is not equal to itself.
    assert json.dumps(entries(parts)) == json.dumps(entries(whole))
    saved = [torch.load(run / 'last.pt')['model'] for run in (whole, parts)]
    for name, value in saved[0].items():
        assert torch.equal(value, saved[1][name]), name
    return whole


@pytest.fixture(scope='session')
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small rooms in MTAN's layout."""
    folder = tmp_path_factory.mktemp('rooms')
    render_dataset('rooms', folder, 0, (32, 48), {'train': 12, 'val': 4}, workers=1)
    return folder


@pytest.fixture(scope='session')
def trained(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch of GO4Align."""
    folder = tmp_path_factory.mktemp('trained') / 'run'
    assert main(arguments(rooms, folder, '--epochs', '1', '--GO4Align_step_size', '0.01')) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run in another folder, to go on with."""
    return Path(shutil.copytree(trained, tmp_path / 'run'))
