"""Reports from their command line, of a leaderboard of release 0.1.0, too."""

import re
import runpy
import sys
from dataclasses import replace

import pytest

from go4align_plugins.leaderboard import load_run
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.run.store import Store

from ..run_folders import scaled, write_run
from ..stores import BEFORE, failed, make_entry, singles, write_store


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
    def write(name, kind, rate):
        wrapper = {'type': kind, 'optimizer': {'type': 'Adam', 'lr': rate}}
        return write_run(tmp_path / name, weighting=name, optim_wrapper=wrapper)

    own = write('EW', 'OptimWrapper', 1e-4)
    assert report(own, write('GO4Align', 'GO4AlignOptimWrapper', 1e-4))[0] == 0
    status, printed = report(own, write('UW', 'OptimWrapper', 1e-3))
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


def test_an_earlier_board_has_the_same_report(tmp_path, report):
    assert report(BEFORE, '--best', '--out', tmp_path, '--formats', 'md', 'csv')[0] == 0
    for name in ('report.md', 'report.csv'):
        assert (tmp_path / name).read_text() == (BEFORE / name).read_text()
    status, printed = report(BEFORE / 'report.csv', '--benchmark', 'nyuv2')
    assert status == 0
    assert re.search(r'\nGO4Align (.|\n)*NYUv2', printed)


def test_an_earlier_board_lists_its_cells_and_its_run_folders_are_read(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['leaderboard', 'status', str(BEFORE)])
    with pytest.raises(SystemExit, match='0'):
        runpy.run_module('go4align_plugins.leaderboard', run_name='__main__')
    assert capsys.readouterr().out.count('finished') == 4
    entries = Store(BEFORE / 'results.jsonl').entries()
    assert len(entries) == 4
    for name, entry in entries.items():
        run = load_run(BEFORE / 'runs' / name)
        assert (run.config, run.epochs) == (entry.config, entry.epochs)
