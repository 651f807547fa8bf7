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


def test_a_leaderboard_is_reported_with_what_failed(board, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['report', str(board), '--best', '--out', str(out)]) == 0
    printed = capsys.readouterr().out
    assert 'UW, seed 1: the loss is not finite in epoch 2 (log: logs/UW-1.log)' in printed
    assert 'seeds 0 (STL, UW), 0 1 (EW)' in printed
    assert 'Best epoch on the test set' in printed
    names = ['metafile.yml', 'report.csv', 'report.html', 'report.md', 'report.tex']
    assert sorted(path.name for path in out.iterdir()) == names
    assert 'wrote' in printed


def test_store_file_and_leaderboard_are_the_same(board, capsys):
    main(['report', str(board)])
    first = capsys.readouterr().out
    main(['report', str(board / 'results.jsonl')])
    assert capsys.readouterr().out == first


def test_run_folders_join_a_leaderboard(board, tmp_path, capsys):
    extra = write_run(tmp_path / 'extra', weighting='DWA')
    main(['report', str(board), str(extra)])
    assert '\nDWA ' in capsys.readouterr().out


def test_protocols_are_not_mixed(board, tmp_path, capsys):
    faster = write_run(tmp_path / 'faster', weighting='DWA', optim_param={'lr': 0.1})
    assert main(['report', str(board), str(faster)]) == 2
    error = capsys.readouterr().err
    assert "share their optim_param. Found None in EW-None-0, {'lr': 0.1} in" in error


def test_optimizers_within_mmengine_s_wrappers_are_compared(tmp_path, capsys):
    def wrapper(kind, rate):
        return {'optim_wrapper': {'type': kind, 'optimizer': {'type': 'Adam', 'lr': rate}}}

    own = write_run(tmp_path / 'ew', **wrapper('OptimWrapper', 1e-4))
    like = write_run(tmp_path / 'go', weighting='GO4Align', **wrapper('GO4AlignOptimWrapper', 1e-4))
    unlike = write_run(tmp_path / 'uw', weighting='UW', **wrapper('OptimWrapper', 1e-3))
    assert main(['report', str(own), str(like)]) == 0
    assert main(['report', str(own), str(unlike)]) == 2
    assert 'share their optimizer' in capsys.readouterr().err


def test_where_all_failed_the_reasons_are_told(tmp_path, capsys):
    write_store(tmp_path, [failed('EW', 'exit status 1')])
    assert main(['report', str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert '1 failed' in error
    assert 'EW, seed 0: exit status 1 (log: logs/EW.log)' in error


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
def test_mistakes_are_named(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(['report', *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_folder_that_cannot_be_written_is_named(board, tmp_path, capsys):
    (tmp_path / 'file').write_text('in the way')
    assert main(['report', str(board), '--out', str(tmp_path / 'file')]) == 2
    assert 'file' in capsys.readouterr().err
