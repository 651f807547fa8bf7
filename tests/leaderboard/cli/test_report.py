import re
from dataclasses import replace

import pytest

from go4align_plugins.leaderboard.cli import main

from ..run_folders import scaled, write_run
from ..stores import failed, make_entry, singles, write_store


@pytest.fixture
def board(tmp_path):
    """A leaderboard: EW and UW with two seeds, of which one of UW's failed, and STL."""
    lost = replace(failed('UW', 'the loss is not finite in epoch 2', 1), log='logs/UW-1.log')
    runs = [make_entry('EW'), make_entry('EW', seed=1), make_entry('UW', scaled(1.1))]
    return write_store(tmp_path / 'board', [*singles(), *runs, lost])


@pytest.fixture
def report(capsys):
    """The command; it returns its exit status and the text that it prints."""
    return lambda *words: (main(['report', *map(str, words)]), ''.join(capsys.readouterr()))


def test_a_leaderboard_is_reported_with_its_failures(board, tmp_path, report):
    out = tmp_path / 'out'
    status, printed = report(board, '--best', '--out', out)
    assert status == 0
    assert 'UW, seed 1: the loss is not finite in epoch 2 (log: logs/UW-1.log)' in printed
    assert 'seeds 0 (STL, UW), 0 1 (EW)' in printed
    assert 'Best epoch on the test set' in printed
    assert 'wrote' in printed
    names = ['metafile.yml', 'report.csv', 'report.html', 'report.md', 'report.tex']
    assert sorted(path.name for path in out.iterdir()) == names
    (tmp_path / 'file').write_text('in the way')
    status, printed = report(board, '--out', tmp_path / 'file')
    assert (status, 'file' in printed) == (2, True)


def test_a_store_is_its_leaderboard_and_run_folders_join_it(board, tmp_path, report):
    assert report(board / 'results.jsonl') == report(board)
    extra = write_run(tmp_path / 'extra', weighting='DWA')
    assert '\nDWA ' in report(board, extra)[1]
    faster = write_run(tmp_path / 'faster', weighting='DWA', optim_param={'lr': 0.1})
    status, printed = report(board, faster)
    assert status == 2
    assert "share their optim_param. Found None in EW-None-0, {'lr': 0.1} in" in printed


def test_optimizers_within_mmengine_s_wrappers_are_compared(tmp_path, report):
    def wrapper(kind, rate):
        return {'optim_wrapper': {'type': kind, 'optimizer': {'type': 'Adam', 'lr': rate}}}

    own = write_run(tmp_path / 'ew', **wrapper('OptimWrapper', 1e-4))
    like = write_run(tmp_path / 'go', weighting='GO4Align', **wrapper('GO4AlignOptimWrapper', 1e-4))
    unlike = write_run(tmp_path / 'uw', weighting='UW', **wrapper('OptimWrapper', 1e-3))
    assert report(own, like)[0] == 0
    status, printed = report(own, unlike)
    assert (status, 'share their optimizer' in printed) == (2, True)


def test_where_all_failed_the_reasons_are_printed(tmp_path, report):
    status, printed = report(write_store(tmp_path, [failed('EW', 'exit status 1')]))
    assert (status, '1 failed' in printed) == (2, True)
    assert 'EW, seed 0: exit status 1 (log: logs/EW.log)' in printed


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere'], 'nowhere should be a leaderboard.*Found nothing'),
        (['nowhere.jsonl'], 'nowhere.jsonl should be'),
        (['.'], 'Found neither'),
        (['a.csv', 'b.csv'], 'reported alone'),
        (['a.csv', '--published'], 'reported alone'),
    ],
)
def test_mistakes_are_named(tmp_path, report, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, printed = report(*arguments)
    assert status == 2
    assert re.search(message, printed)
