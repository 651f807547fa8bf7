"""QM9's 11 and CelebA's 40 tasks: training from the command line to the report."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from go4align_plugins.data import get_benchmark
from go4align_plugins.libmtl.input_types import get_input_type
from go4align_plugins.libmtl.protocols import get_protocol
from go4align_plugins.libmtl.train import main

from .. import SHARED
from ..data.celeba_files import write_faces
from .training import arguments, entries, train_in_parts

REAL = SHARED / 'data' / 'qm9' / 'molecules.npz'
geometric = pytest.mark.skipif(
    find_spec('torch_geometric') is None,
    reason='needs the extra qm9',
)


@pytest.fixture(scope='module')
def faces(tmp_path_factory) -> Path:
    return write_faces(tmp_path_factory.mktemp('celeba'))


@pytest.fixture(scope='module')
def molecules(tmp_path_factory) -> Path:
    """The first few hundred of the real molecules."""
    if not REAL.exists():
        pytest.skip('needs ../shared/data/qm9')
    folder = tmp_path_factory.mktemp('qm9')
    count = 240
    with np.load(REAL) as file:
        arrays = dict(file)
    ends = arrays['ptr'][: count + 1]
    for name in ('ids', 'smiles', 'y'):
        arrays[name] = arrays[name][:count]
    for name in ('Z', 'pos'):
        arrays[name] = arrays[name][: ends[-1]]
    np.savez(folder / 'molecules.npz', **{**arrays, 'ptr': ends})
    return folder


@pytest.fixture(params=[pytest.param('qm9', marks=geometric), 'celeba'])
def data(request) -> tuple[str, Path]:
    fixture = {'qm9': 'molecules', 'celeba': 'faces'}[request.param]
    return request.param, request.getfixturevalue(fixture)


@pytest.mark.integration
@pytest.mark.parametrize('options', [['--GO4Align_step_size', '0.1'], ['--scheduler', 'plateau']])
def test_resumed_run_equals_an_uninterrupted_one(data, tmp_path, options):
    dataset, folder = data
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


@pytest.mark.integration
@pytest.mark.parametrize('weighting', ['EW', 'UW', 'DWA', 'PCGrad', 'CAGrad', 'IMTL'])
def test_other_strategies_and_a_single_task(data, tmp_path, weighting):
    dataset, folder = data
    tasks = get_benchmark(dataset).task_names
    chosen = tasks[3:4] if weighting == 'EW' else tasks[:4]
    options = ['--epochs', '1', '--tasks', *chosen]
    choice = {'dataset': dataset, 'weighting': weighting}
    assert main(arguments(folder, tmp_path / 'run', *options, **choice)) == 0
    (entry,) = entries(tmp_path / 'run')
    assert list(entry['test']['metrics']) == list(chosen)


@geometric
@pytest.mark.integration
def test_targets_are_standardised_by_the_training_molecules(molecules):
    loaders = get_input_type('qm9').load(
        get_benchmark('qm9'),
        {'data': molecules, 'tasks': ['mu', 'u0'], 'batch_size': 8, 'seed': 0, 'workers': 0},
    )
    assert loaders.lengths == {'train': 192, 'val': 24, 'test': 24}
    dataset = loaders.train.dataset
    train = torch.tensor([[target.item() for target in dataset[i][1].values()] for i in range(192)])
    torch.testing.assert_close(train.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.std(0), torch.ones(2))
    published = dataset.molecules.targets[dataset.numbers][:, [0, 6]]
    restored = train.double().numpy() * list(loaders.scales.values()) + published.mean(0)
    np.testing.assert_allclose(restored, published, rtol=1e-5, atol=1e-5)


@geometric
@pytest.mark.integration
def test_error_is_in_the_published_unit(molecules, tmp_path):
    assert (
        main(arguments(molecules, tmp_path, '--epochs', '1', '--lr', '1e-12', dataset='qm9')) == 0
    )
    (entry,) = entries(tmp_path)
    # An untrained network predicts about the mean.
    targets = np.load(molecules / 'molecules.npz')['y']
    for task, column, factor in (('mu', 3, 1.0), ('homo', 5, 27211.386), ('u0', 15, 43.36414)):
        values = targets[:, column] * factor
        error = np.abs(values - values.mean()).mean()
        assert entry['test']['metrics'][task]['MAE'] == pytest.approx(error, rel=0.5)


@geometric
@pytest.mark.integration
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
    config = json.loads((tmp_path / 'config.json').read_text())
    assert config['scheduler_param'] == {
        'scheduler': 'plateau', 'factor': 0.7, 'patience': 5, 'min_lr': 1e-5
    }  # fmt: skip


@pytest.mark.integration
def test_plateau_follows_the_loss_where_no_single_tasks_are_published(faces, tmp_path):
    options = ['--scheduler', 'plateau', '--epochs', '1', '--tasks', 'Bald', 'Young']
    assert main(arguments(faces, tmp_path, *options, dataset='celeba')) == 0
    losses = entries(tmp_path)[0]['val']['loss'].values()
    best = torch.load(tmp_path / 'last.pt')['scheduler']['best']
    assert best == pytest.approx(sum(losses) / 2)


def test_published_protocols():
    molecules, faces = get_protocol('paper', 'qm9'), get_protocol('paper', 'celeba')
    assert (molecules.epochs, molecules.batch_size, molecules.lr) == (300, 120, 1e-3)
    assert molecules.scheduler == 'plateau'
    assert (faces.epochs, faces.batch_size, faces.lr) == (15, 256, 3e-4)
    assert faces.scheduler is None


@pytest.mark.integration
def test_faces_are_learned(faces, tmp_path):
    options = ['--epochs', '12', '--lr', '3e-3']
    assert main(arguments(faces, tmp_path, *options, dataset='celeba')) == 0
    scores = [scores['F1'] for scores in entries(tmp_path)[-1]['test']['metrics'].values()]
    # Without learning: 2/3 for an attribute that every other face has.
    assert np.mean(scores) > 0.8


@pytest.mark.integration
@pytest.mark.parametrize(
    ('dataset', 'options', 'message'),
    [
        ('celeba', ['--arch', 'MTAN'], '`arch` should be HPS for celeba. Found `MTAN`'),
        ('celeba', ['--backbone', 'mpnn'], '`backbone` should be one of cnn-small, cnn for celeba'),
        ('celeba', ['--augment'], '`augment` should be False for celeba. Found `True`'),
        ('celeba', ['--protocol', 'libmtl'], '`protocol` should be one of small, paper for celeba'),
        ('celeba', ['--tasks', 'mu'], '`tasks` should name tasks of celeba'),
        ('celeba', ['--batch-size', '41'], '`batch_size` should be at most 40'),
        ('rooms', ['--backbone', 'mpnn'], '`backbone` should be one of segnet-small, segnet'),
        ('qm9', [], 'prepare_data.py download qm9'),
    ],
)
def test_bad_options(faces, tmp_path, capsys, dataset, options, message):
    command = ['--dataset', dataset, '--data', str(faces), '--out', str(tmp_path / 'run')]
    assert main([*command, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'run').exists()


@pytest.mark.integration
def test_table_reports(data, tmp_path):
    from go4align_plugins.leaderboard.report import build_report
    from go4align_plugins.leaderboard.run.runs import load_run

    for weighting in ('EW', 'GO4Align'):
        choice = {'dataset': data[0], 'weighting': weighting}
        assert main(arguments(data[1], tmp_path / weighting, '--epochs', '1', **choice)) == 0
    runs = [load_run(tmp_path / weighting) for weighting in ('EW', 'GO4Align')]
    report = build_report(runs, [], get_benchmark(data[0]))
    assert [row.method for row in report.rows] == ['EW', 'GO4Align']
    tasks = {column.key[0] for column in report.columns if column.key[0]}
    assert tasks == set(get_benchmark(data[0]).task_names)
