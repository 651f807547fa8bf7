"""Rooms to train on; the training tool's command line, and the entries of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.libmtl.train import main

BATCH_SIZES = {'rooms': '4', 'qm9': '4', 'celeba': '8'}


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
