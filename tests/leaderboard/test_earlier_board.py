"""A leaderboard of release 0.1.0 is read, reported and gone on with.

``board_before`` has STL, EW and GO4Align after one epoch on rooms of 32 x 48, and its report.
"""

import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest

from go4align_plugins.data.rooms import render_dataset
from go4align_plugins.leaderboard import load_run
from go4align_plugins.leaderboard.cli import main
from go4align_plugins.leaderboard.run.store import Store

BOARD = Path(__file__).with_name('board_before')


def test_its_report_is_the_same(tmp_path, capsys):
    options = ['--best', '--out', str(tmp_path), '--formats', 'md', 'csv']
    assert main(['report', str(BOARD), *options]) == 0
    for name in ('report.md', 'report.csv'):
        assert (tmp_path / name).read_text() == (BOARD / name).read_text()
    capsys.readouterr()
    assert main(['report', str(BOARD / 'report.csv'), '--benchmark', 'nyuv2']) == 0
    assert re.search(r'\nGO4Align (.|\n)*NYUv2', capsys.readouterr().out)


def test_its_cells_are_listed_and_its_run_folders_read(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['leaderboard', 'status', str(BOARD)])
    with pytest.raises(SystemExit, match='0'):
        runpy.run_module('go4align_plugins.leaderboard', run_name='__main__')
    assert capsys.readouterr().out.count('finished') == 4
    entries = Store(BOARD / 'results.jsonl').entries()
    assert len(entries) == 4
    for name, entry in entries.items():
        run = load_run(BOARD / 'runs' / name)
        assert (run.config, run.epochs) == (entry.config, entry.epochs)


@pytest.mark.integration
def test_a_method_is_added(tmp_path, capsys):
    pytest.importorskip(
        'go4align_plugins.libmtl', reason='LibMTL is not installed', exc_type=ImportError
    )
    board = tmp_path / 'board'
    shutil.copytree(BOARD, board)
    frames = {'train': 8, 'val': 4}
    render_dataset('rooms', tmp_path / 'rooms', size=(32, 48), num_frames=frames, workers=1)
    options = ['--data', str(tmp_path / 'rooms'), '--methods', 'DWA']
    before = (board / 'results.jsonl').read_bytes()
    assert main(['run', '--out', str(board), *options]) == 0
    after = (board / 'results.jsonl').read_bytes()
    assert after.startswith(before)
    assert after.count(b'\n') == before.count(b'\n') + 1
    capsys.readouterr()
    assert main(['report', str(board)]) == 0
    assert '\nDWA ' in capsys.readouterr().out
