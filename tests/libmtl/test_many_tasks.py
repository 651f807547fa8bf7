"""QM9's 11 and CelebA's 40 tasks: training from the command line to the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.libmtl.data import build_loaders
from go4align_plugins.libmtl.train import main

from ..data.celeba_files import write_faces
from ..data.molecule_files import write_npz
from .conftest import arguments, entries, train_in_parts

pytestmark = pytest.mark.integration


@pytest.fixture(scope='module')
def faces(tmp_path_factory) -> Path:
    return write_faces(tmp_path_factory.mktemp('celeba'))


@pytest.fixture(scope='module')
def molecules(tmp_path_factory) -> Path:
    pytest.importorskip('torch_geometric', reason='needs the extra qm9')
    return write_npz(tmp_path_factory.mktemp('qm9'))


@pytest.fixture(params=['qm9', 'celeba'])
def data(request) -> tuple[str, Path]:
    fixture = {'qm9': 'molecules', 'celeba': 'faces'}[request.param]
    return request.param, request.getfixturevalue(fixture)


def test_resumed_run_equals_an_uninterrupted_one_and_is_reported(data, tmp_path):
    from go4align_plugins.leaderboard.report import build_report
    from go4align_plugins.leaderboard.run.runs import load_run

    dataset, folder = data
    options = ('--GO4Align_step_size', '0.1', '--scheduler', 'plateau')
    whole = train_in_parts(folder, tmp_path, *options, dataset=dataset)
    config, tasks = load_run(whole).config, get_benchmark(dataset).task_names
    assert config['tasks'] == list(tasks)
    assert config['weight_args']['GO4Align_num_groups'] == {'qm9': 5, 'celeba': 2}[dataset]
    assert config['image_size'] == {'qm9': None, 'celeba': [64, 64]}[dataset]
    assert list(config['num_frames']) == ['train', 'val', 'test']
    first, _, last = entries(whole)
    assert list(last['weights']) == list(last['test']['loss']) == list(tasks)
    assert list(last['val']['metrics']) == list(tasks)
    assert last['train']['loss'][tasks[0]] < first['train']['loss'][tasks[0]]
    report = build_report([load_run(whole)], [], get_benchmark(dataset))
    assert [row.method for row in report.rows] == ['GO4Align']
    assert {column.key[0] for column in report.columns if column.key[0]} == set(tasks)


@pytest.mark.parametrize('weighting', ['EW', 'DWA', 'CAGrad'])
def test_other_strategies_and_a_single_task(data, tmp_path, weighting):
    dataset, folder = data
    chosen = get_benchmark(dataset).task_names[3 : 4 if weighting == 'EW' else 7]
    options = ['--epochs', '1', '--tasks', *chosen]
    assert main(arguments(folder, tmp_path, *options, dataset=dataset, weighting=weighting)) == 0
    assert list(entries(tmp_path)[0]['test']['metrics']) == list(chosen)


def test_targets_are_standardised_by_the_training_molecules(molecules):
    loaders = build_loaders(get_benchmark('qm9'), molecules, ['mu', 'u0'])
    assert loaders.lengths == {'train': 8, 'val': 2, 'test': 2}
    dataset = loaders.train.dataset
    train = torch.tensor([[target.item() for target in dataset[i][1].values()] for i in range(8)])
    torch.testing.assert_close(train.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.std(0), torch.ones(2))


def test_error_is_in_the_published_unit(molecules, tmp_path):
    options = ['--epochs', '1', '--lr', '1e-12']
    assert main(arguments(molecules, tmp_path, *options, dataset='qm9')) == 0
    (entry,) = entries(tmp_path)
    # An untrained network predicts about the mean.
    targets = np.load(molecules / 'molecules.npz')['y']
    for task, column, factor in (('mu', 3, 1.0), ('homo', 5, 27211.386), ('u0', 15, 43.36414)):
        values = targets[:, column] * factor
        error = np.abs(values - values.mean()).mean()
        assert entry['test']['metrics'][task]['MAE'] == pytest.approx(error, rel=0.5)


def test_plateau_lowers_the_learning_rate(molecules, tmp_path):
    options = ['--scheduler', 'plateau', '--lr', '1.2e-5', '--epochs', '7', '--tasks', 'homo']
    # Plain gradient descent with this rate improves next to nothing: the first epoch stays best.
    options += ['--optim', 'sgd', '--weighting', 'EW']
    assert main(arguments(molecules, tmp_path, *options, dataset='qm9')) == 0
    state = torch.load(tmp_path / 'last.pt')
    assert state['optimizer']['param_groups'][0]['lr'] == 1e-5
    # It follows delta_m against the published error of a network for homo alone.
    alone = get_benchmark('qm9').single_task['homo']['MAE']
    error = entries(tmp_path)[0]['val']['metrics']['homo']['MAE']
    assert state['scheduler']['best'] == pytest.approx(100 * (error / alone - 1))


def test_plateau_follows_the_loss_where_no_single_tasks_are_published(faces, tmp_path):
    options = ['--scheduler', 'plateau', '--epochs', '1', '--tasks', 'Bald', 'Young']
    assert main(arguments(faces, tmp_path, *options, dataset='celeba')) == 0
    losses = entries(tmp_path)[0]['val']['loss'].values()
    best = torch.load(tmp_path / 'last.pt')['scheduler']['best']
    assert best == pytest.approx(sum(losses) / 2)
