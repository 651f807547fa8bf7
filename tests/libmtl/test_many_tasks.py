"""QM9's 11 and CelebA's 40 tasks: training from the command line to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.libmtl.data import build_loaders
from go4align_plugins.libmtl.train import main

from .. import SHARED
from ..data.celeba_files import write_faces
from .training import arguments, entries, train_in_parts

pytestmark = pytest.mark.integration

REAL = SHARED / 'data' / 'qm9' / 'molecules.npz'
NUM_MOLECULES = 240


@pytest.fixture(scope='module')
def faces(tmp_path_factory) -> Path:
    return write_faces(tmp_path_factory.mktemp('celeba'))


@pytest.fixture(scope='module')
def molecules(tmp_path_factory) -> Path:
    """The first few hundred of the real molecules."""
    pytest.importorskip('torch_geometric', reason='needs the extra qm9')
    if not REAL.exists():
        pytest.skip('needs ../shared/data/qm9')
    with np.load(REAL) as file:
        arrays = dict(file)
    arrays['ptr'] = arrays['ptr'][: NUM_MOLECULES + 1]
    for name in ('ids', 'smiles', 'y'):
        arrays[name] = arrays[name][:NUM_MOLECULES]
    for name in ('Z', 'pos'):
        arrays[name] = arrays[name][: arrays['ptr'][-1]]
    folder = tmp_path_factory.mktemp('qm9')
    np.savez(folder / 'molecules.npz', **arrays)
    return folder


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
    config = json.loads((whole / 'config.json').read_text())
    tasks = get_benchmark(dataset).task_names
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
    assert loaders.lengths == {'train': 192, 'val': 24, 'test': 24}
    dataset = loaders.train.dataset
    train = torch.tensor([[target.item() for target in dataset[i][1].values()] for i in range(192)])
    torch.testing.assert_close(train.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.std(0), torch.ones(2))
    with np.load(molecules / 'molecules.npz') as file:
        dipole = file['y'][dataset.numbers, 3]
    restored = train[:, 0].double().numpy() * loaders.scales['mu'] + dipole.mean()
    np.testing.assert_allclose(restored, dipole, rtol=1e-5, atol=1e-5)


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
    options = ['--scheduler', 'plateau', '--lr', '1.2e-5', '--epochs', '7', '--tasks', 'mu']
    # Plain gradient descent with this rate improves next to nothing.
    options += ['--optim', 'sgd', '--weighting', 'EW']
    assert main(arguments(molecules, tmp_path, *options, dataset='qm9')) == 0
    state = torch.load(tmp_path / 'last.pt')
    assert state['optimizer']['param_groups'][0]['lr'] == 1e-5
    # It follows delta_m: 0.0671 D is the published error of a network for mu alone.
    errors = [entry['val']['metrics']['mu']['MAE'] for entry in entries(tmp_path)]
    assert state['scheduler']['best'] == pytest.approx(100 * (min(errors) / 0.0671 - 1))


def test_plateau_follows_the_loss_where_no_single_tasks_are_published(faces, tmp_path):
    options = ['--scheduler', 'plateau', '--epochs', '1', '--tasks', 'Bald', 'Young']
    assert main(arguments(faces, tmp_path, *options, dataset='celeba')) == 0
    losses = entries(tmp_path)[0]['val']['loss'].values()
    best = torch.load(tmp_path / 'last.pt')['scheduler']['best']
    assert best == pytest.approx(sum(losses) / 2)


def test_faces_are_learned(faces, tmp_path):
    options = ['--epochs', '12', '--lr', '3e-3']
    assert main(arguments(faces, tmp_path, *options, dataset='celeba')) == 0
    scores = [scores['F1'] for scores in entries(tmp_path)[-1]['test']['metrics'].values()]
    # Without learning: 2/3 for an attribute that every other face has.
    assert np.mean(scores) > 0.8
