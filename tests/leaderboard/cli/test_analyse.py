"""The analyses from their command line; all but one on stores of made-up figures."""

import re
from dataclasses import replace

import pytest

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.run.plan import Plan, read_plan, save_plan
from go4align_plugins.leaderboard.run.store import Store

from ..run_folders import MULTI, SINGLE
from ..stores import failed, make_entry, write_store

GROUPS = ['GO4Align:num_groups=1', 'GO4Align:num_groups=2']
ANALYSES = {
    'groups': GROUPS,
    'ablation': [*GROUPS, f'{GROUPS[0]},smooth_alignment=false',
                 *(f'{GROUPS[1]},{part}=false' for part in ('smooth_alignment', 'scale_balance'))],
    'indicators': ['UW', 'AGRM_UW:num_groups=1'],
    'clusterings': GROUPS[:1],
}  # fmt: skip
CHOICES = {'indicators': ['--indicators', 'UW'], 'clusterings': ['--clusterings', 'exact']}


def board(folder, methods, failing=()):
    """A leaderboard of CityScapes whose cells are all there, with made-up figures."""
    plan, entries = Plan('libmtl', 'cityscapes', methods), []
    for cell in plan.cells():
        spec, values = cell.method.spec, SINGLE if cell.task else MULTI
        made = make_entry(spec, values, task=cell.task, benchmark='cityscapes')
        entries.append(replace(failed(spec) if spec in failing else made, cell=cell.name))
    save_plan(plan, write_store(folder, entries) / 'plan.yaml')
    return folder


def analyse(name, folder, *options):
    return main(['analyse', name, '--out', str(folder), *CHOICES.get(name, ()), *options])


@pytest.mark.parametrize('name', ANALYSES)
def test_what_is_there_is_compared_and_not_trained_again(tmp_path, capsys, name):
    folder = board(tmp_path / 'board', ['STL', 'EW', *ANALYSES[name]])
    before = (folder / 'results.jsonl').read_bytes()
    assert analyse(name, folder) == 0
    assert re.search(r'\nEW .*-2\.50', capsys.readouterr().out)
    assert (folder / f'{name}.png').read_bytes().startswith(b'\x89PNG')
    assert '| EW |' in (folder / f'{name}.md').read_text()
    assert (folder / 'results.jsonl').read_bytes() == before
    assert list((folder / 'runs').iterdir()) == []


def test_a_failed_variant_is_told_and_the_rest_is_drawn(tmp_path, capsys):
    folder, picture = tmp_path / 'board', tmp_path / 'there' / 'k.svg'
    board(folder, ['STL', 'EW', *GROUPS], failing=GROUPS[:1])
    assert analyse('groups', folder, '--picture', str(picture)) == 1
    printed = capsys.readouterr().out
    assert 'K = 1, seed 0: out of memory (log: logs/GO4Align:num_groups=1.log)' in printed
    assert re.search(r'\nK = 2 .*-2\.50', printed)
    assert sorted(path.name for path in picture.parent.iterdir()) == ['k.md', 'k.svg']


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('groups', ['--groups', '3'], 'between 1 and 2, the number of tasks. Found `groups = 3`'),
        ('groups', ['--last', '0'], '`last = 0`'),
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
    def analyse(folder, *options):
        return main(['analyse', name, str(folder), *options]), ''.join(capsys.readouterr())

    folder = board(tmp_path / 'board', ['STL', 'EW', *GROUPS, 'UW'], failing=['UW'])
    status, printed = analyse(folder, '--methods', 'GO4Align')
    assert (status, 'UW, seed 0: out of memory' in printed) == (0, True)
    assert (folder / f'{name}.png').read_bytes().startswith(b'\x89PNG')
    status, printed = analyse(folder, '--methods', 'UW')
    assert 'EW, GO4Align (num_groups=1), GO4Align (num_groups=2). Found `methods = ' in printed
    assert 'should be a leaderboard' in analyse(tmp_path)[1]
    single = board(tmp_path / 'single', ['STL'])
    assert 'should hold a finished run of several tasks' in analyse(single)[1]
    if name == 'weights':
        assert 'a finished run with seed 7' in analyse(folder, '--seed', '7')[1]


@pytest.mark.integration
def test_what_is_missing_is_trained_and_nothing_else(tmp_path, capsys):
    data, folder = tmp_path / 'data', tmp_path / 'board'
    render_dataset('streets', data, size=(32, 48), num_frames={'train': 4, 'val': 2}, workers=1)
    folder.mkdir()  # with another's plan, of which nothing is trained
    options = {'epochs': 1, 'batch-size': 2}
    plan = Plan('libmtl', 'streets', 'UW', data=data, options=options)
    save_plan(plan, folder / 'plan.yaml')
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
