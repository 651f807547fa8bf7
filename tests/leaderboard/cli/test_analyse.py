"""The analyses from their command line; all but one on stores of made-up figures."""

import re

import numpy as np
import pytest

from go4align_plugins.data.rooms import render
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.run.plan import Plan, read_plan, save_plan
from go4align_plugins.leaderboard.run.store import Entry, Store

from ..run_folders import MULTI, SINGLE
from ..stores import make_entry

GROUPS = ['GO4Align:num_groups=1', 'GO4Align:num_groups=2']
ANALYSES = {
    'groups': GROUPS,
    'ablation': [
        *GROUPS, 'GO4Align:num_groups=2,smooth_alignment=false',
        'GO4Align:num_groups=2,scale_balance=false',
        'GO4Align:num_groups=1,smooth_alignment=false',
    ],
    'indicators': ['UW', 'AGRM_UW:num_groups=1'],
    'clusterings': GROUPS[:1],
}  # fmt: skip
CHOICES = {'indicators': ['--indicators', 'UW'], 'clusterings': ['--clusterings', 'exact']}


def board(folder, methods, failing=()):
    """A leaderboard of CityScapes whose cells are all there, with made-up figures."""
    plan = Plan.from_dict({'framework': 'libmtl', 'benchmark': 'cityscapes', 'methods': methods})
    folder.mkdir()
    save_plan(plan, folder / 'plan.yaml')
    for cell in plan.cells():
        spec, values = cell.method.spec, SINGLE if cell.task else MULTI
        made = make_entry(spec, values, cell.seed, cell.task, benchmark='cityscapes')
        outcome = {'status': 'finished', 'config': made.config, 'epochs': made.epochs}
        if {spec, cell.name} & set(failing):
            outcome = {'status': 'failed', 'reason': 'out of memory', 'log': 'logs/it.log'}
        Store(folder / 'results.jsonl').append(
            Entry(cell.name, spec, cell.task, cell.seed, **outcome)
        )
    return folder


def analyse(name, folder, *options):
    return main(['analyse', name, '--out', str(folder), *CHOICES.get(name, ()), *options])


@pytest.mark.parametrize('name', ANALYSES)
def test_what_is_there_is_compared_and_not_trained_again(tmp_path, capsys, name):
    folder = board(tmp_path / 'board', ['STL', 'EW', *ANALYSES[name]])
    before = (folder / 'results.jsonl').read_bytes()
    assert analyse(name, folder) == 0
    told = capsys.readouterr().out
    assert re.search(r'\nEW .*-2\.50', told)
    assert (folder / f'{name}.png').read_bytes().startswith(b'\x89PNG')
    assert '| EW |' in (folder / f'{name}.md').read_text()
    assert (folder / 'results.jsonl').read_bytes() == before
    assert list((folder / 'runs').iterdir()) == []


def test_a_failed_variant_is_told_and_the_rest_is_drawn(tmp_path, capsys):
    folder = board(tmp_path / 'board', ['STL', 'EW', *GROUPS], failing=GROUPS[:1])
    assert analyse('groups', folder, '--picture', str(tmp_path / 'there' / 'k.svg')) == 1
    told = capsys.readouterr().out
    assert 'K = 1, seed 0: out of memory (log: logs/it.log)' in told
    assert re.search(r'\nK = 2 .*-2\.50', told)
    assert (tmp_path / 'there' / 'k.svg').exists()
    assert (tmp_path / 'there' / 'k.md').exists()


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('groups', ['--groups', '3'], 'between 1 and 2, the number of tasks. Found `3`'),
        ('groups', ['--last', '0'], 'Found `last = 0`'),
        ('groups', ['--tasks', 'depth'], '`tasks` should leave two tasks or more'),
        ('groups', ['--tasks', 'height'], 'height'),
        ('ablation', ['--num-groups', '2'], 'between 1 and 1'),
        ('ablation', ['--epochs', '9'], 'Choose another folder by --out'),
        ('indicators', ['--indicators', 'Adam'], 'alone and with AGRM'),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(tmp_path, capsys, name, options, message):
    folder = board(tmp_path / 'board', ['STL', 'EW'])
    before = (folder / 'results.jsonl').read_bytes()
    assert analyse(name, folder, *options) == 2
    assert message in capsys.readouterr().err
    assert (folder / 'results.jsonl').read_bytes() == before


@pytest.mark.parametrize('name', [*ANALYSES, 'weights', 'convergence', 'runtime'])
def test_a_picture_that_could_not_be_written_is_refused_at_once(tmp_path, capsys, name):
    folder = [str(tmp_path)] if name in ('weights', 'convergence') else []
    with pytest.raises(SystemExit):
        main(['analyse', name, *folder, '--picture', 'figure.gif'])
    assert 'end in .png, .pdf or .svg. Found `figure.gif`' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['weights', 'convergence'])
def test_runs_that_are_there(tmp_path, capsys, name):
    folder = board(tmp_path / 'board', ['STL', 'EW', *GROUPS, 'UW'], failing=['UW'])
    assert main(['analyse', name, str(folder), '--methods', 'GO4Align']) == 0
    told = capsys.readouterr().out
    assert 'UW, seed 0: out of memory' in told
    assert (folder / f'{name}.png').read_bytes().startswith(b'\x89PNG')
    assert main(['analyse', name, str(folder), '--methods', 'UW']) == 2
    told = capsys.readouterr().err
    assert 'EW, GO4Align (num_groups=1), GO4Align (num_groups=2). Found `UW`' in told


@pytest.mark.parametrize('name', ['weights', 'convergence'])
def test_what_is_no_leaderboard_or_of_single_tasks_is_refused(tmp_path, capsys, name):
    assert main(['analyse', name, str(tmp_path)]) == 2
    assert 'should be a leaderboard' in capsys.readouterr().err
    assert main(['analyse', name, str(board(tmp_path / 'board', ['STL']))]) == 2
    assert 'should hold a finished run of several tasks' in capsys.readouterr().err


def test_a_seed_that_is_not_there_is_named(tmp_path, capsys):
    folder = board(tmp_path / 'board', ['EW'])
    assert main(['analyse', 'weights', str(folder), '--seed', '7']) == 2
    assert 'a finished run with seed 7' in capsys.readouterr().err


@pytest.mark.integration
def test_what_is_missing_is_trained_and_nothing_else(tmp_path, capsys):
    for split, count in (('train', 4), ('val', 2)):
        for index in range(count):
            frame = render('streets', 0, index, (32, 48), split=split)
            for part in ('image', 'label', 'depth'):
                (tmp_path / 'data' / split / part).mkdir(parents=True, exist_ok=True)
                np.save(tmp_path / 'data' / split / part / f'{index}.npy', getattr(frame, part))
    folder = tmp_path / 'board'
    plan = {'framework': 'libmtl', 'benchmark': 'streets', 'data': str(tmp_path / 'data')}
    plan.update(methods=['UW'], options={'epochs': 1, 'batch-size': 2})
    folder.mkdir()
    save_plan(Plan.from_dict(plan), folder / 'plan.yaml')  # another's, of which nothing is trained
    assert analyse('groups', folder, '--groups', '1', '--workers', '2') == 0
    trained = {'STL-segmentation-0', 'STL-depth-0', 'EW-0', 'GO4Align-num_groups=1-0'}
    assert set(Store(folder / 'results.jsonl').entries()) == trained
    assert read_plan(folder / 'plan.yaml')['methods'][0] == 'UW'  # left for the next `run`
    before = (folder / 'results.jsonl').read_bytes()
    assert analyse('clusterings', folder) == 0  # exact with K = 1: the run that is there
    assert (folder / 'results.jsonl').read_bytes() == before
    for name in ('weights', 'convergence'):
        assert main(['analyse', name, str(folder), '--picture', str(folder / f'{name}.pdf')]) == 0
        assert (folder / f'{name}.pdf').read_bytes().startswith(b'%PDF')
    assert 'GO4Align' in capsys.readouterr().out
